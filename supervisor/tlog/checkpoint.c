#include "supervisor/tlog/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/digest/base64.h"

static const char *const reasons[] = {
	[CHECKPOINT_START] = "start",
	[CHECKPOINT_RECORDS] = "records",
	[CHECKPOINT_SECOND] = "second",
	[CHECKPOINT_POLICY] = "policy",
	[CHECKPOINT_STOP] = "stop",
	[CHECKPOINT_HEARTBEAT] = "heartbeat",
	[CHECKPOINT_ROTATE] = "rotate",
	[CHECKPOINT_KEY] = "key",
};

static const char *or_none(const char *digest)
{
	return digest[0] ? digest : "none";
}

void checkpoint_write(const struct checkpoint *checkpoint, char ret_text[CHECKPOINT_SIZE])
{
	char root[BASE64_SIZE(SHA256_BYTES)], number[32] = "";

	base64_encode(checkpoint->root, SHA256_BYTES, root);
	if (checkpoint->number > 0)
		snprintf(number, sizeof(number), "number %" PRIu64 "\n", checkpoint->number);
	snprintf(ret_text, CHECKPOINT_SIZE,
		"%s\n%" PRIu64 "\n%s\n%stime %" PRIu64 "\nreason %s\nlost %" PRIu64
		"\nevents seen %" PRIu64 " emitted %" PRIu64 " dropped %" PRIu64
		"\nprograms %s\npolicies %s\n",
		checkpoint->origin, checkpoint->size, root, number, checkpoint->time_ns,
		reasons[checkpoint->reason], checkpoint->lost, checkpoint->events_seen,
		checkpoint->events_emitted, checkpoint->events_dropped,
		or_none(checkpoint->programs), or_none(checkpoint->policies));
}

static int read_reason(const char *text, enum checkpoint_reason *ret_reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (strcmp(reasons[i], text) == 0) {
			*ret_reason = (enum checkpoint_reason)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Makes "none" empty. */
static int read_digest(char digest[SHA256_HEX_SIZE])
{
	if (strcmp(digest, "none") == 0)
		memset(digest, 0, SHA256_HEX_SIZE);
	else if (strspn(digest, "0123456789abcdef") != SHA256_HEX_SIZE - 1)
		return -EINVAL;
	return 0;
}

/* The first lines; returns where the others begin, or NULL. */
static const char *read_head(const char *text, struct checkpoint *checkpoint, char root[48])
{
	int size_bytes = 0, more_bytes = 0;

	if (sscanf(text, "%63[^\n]\n%" SCNu64 "\n%47[^\n]\n%n", checkpoint->origin,
		    &checkpoint->size, root, &size_bytes) != 3 ||
		size_bytes == 0)
		return NULL;
	if (sscanf(text + size_bytes, "number %" SCNu64 "\n%n", &checkpoint->number, &more_bytes) !=
		1)
		more_bytes = 0;
	return text + size_bytes + more_bytes;
}

/* The fields are read loosely, then written again and compared: one text for each checkpoint. */
int checkpoint_parse(const char *text, size_t size_bytes, struct checkpoint *ret_checkpoint)
{
	char copy[CHECKPOINT_SIZE], again[CHECKPOINT_SIZE], root[48], reason[16];
	struct checkpoint read = {0};
	const char *rest;

	if (size_bytes >= sizeof(copy) || memchr(text, '\0', size_bytes))
		return -EINVAL;
	memcpy(copy, text, size_bytes);
	copy[size_bytes] = '\0';
	rest = read_head(copy, &read, root);
	if (!rest ||
		sscanf(rest,
			"time %" SCNu64 "\nreason %15[^\n]\nlost %" SCNu64 "\nevents seen %" SCNu64
			" emitted %" SCNu64 " dropped %" SCNu64
			"\nprograms %64[0-9a-fnoe]\npolicies %64[0-9a-fnoe]\n",
			&read.time_ns, reason, &read.lost, &read.events_seen, &read.events_emitted,
			&read.events_dropped, read.programs, read.policies) != 8)
		return -EINVAL;
	if (base64_decode(root, strlen(root), read.root, SHA256_BYTES) < 0 ||
		read_reason(reason, &read.reason) < 0)
		return -EINVAL;
	if (read_digest(read.programs) < 0 || read_digest(read.policies) < 0)
		return -EINVAL;
	checkpoint_write(&read, again);
	if (strcmp(again, copy) != 0)
		return -EINVAL;
	*ret_checkpoint = read;
	return 0;
}
