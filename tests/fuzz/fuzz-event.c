/* Whatever lies in a ring becomes one line of good JSON, or is counted as malformed: the decoder
 * reads no byte past the record, and no bytes of a process reach the line but escaped. The log
 * itself is stood in for: here a line has no common fields. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/audit/segments/log-file.h"
#include "tests/fuzz/fuzz.h"

static unsigned int n_lost;

void audit_line_begin(struct audit *audit, struct audit_line *line, const char *type,
	uint64_t time_ns _unused_, const struct audit_subject *subject _unused_)
{
	BROKEN_IF(strlen(type) >= AUDIT_TYPE_SIZE);
	line->start_bytes = audit->pending.size_bytes;
	json_line_raw(&audit->pending, "{");
	json_line_add_text(&audit->pending, "type", type);
}

int audit_line_end(struct audit *audit, struct audit_line *line _unused_)
{
	json_line_raw(&audit->pending, "}");
	return 0;
}

int audit_flush(struct audit *audit _unused_)
{
	return 0;
}

void audit_count_loss(struct audit *audit _unused_, uint64_t n, const char *where _unused_)
{
	n_lost += (unsigned int)n;
}

void audit_end_of_round(struct audit *audit _unused_)
{
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char names[][32] = {"read", "", "a-name-of-thirty-one-characters"};
	struct audit audit = {.writable = true};
	struct abi_event_header *event;
	json_t *record;

	if (size < sizeof(*event))
		return 0;
	/* A buffer of its own, so that the sanitizer sees a read past its end. */
	event = malloc(size);
	BROKEN_IF(!event);
	memcpy(event, data, size);
	event->version = ABI_VERSION;
	/* What the reader of the ring has checked. */
	if (event->size > size)
		event->size = (uint32_t)size;
	n_lost = 0;
	audit_name_syscalls(&audit, names, ARRAY_SIZE(names));
	audit_event(&audit, event, NULL);
	BROKEN_IF((n_lost > 0) == (audit.pending.size_bytes > 0));
	if (audit.pending.size_bytes > 0) {
		BROKEN_IF(audit.pending.failed);
		/* jansson takes no integer of 64 bits without sign. */
		record = json_loadb(audit.pending.data, audit.pending.size_bytes,
			JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
		BROKEN_IF(!record);
		json_decref(record);
		for (size_t i = 0; i < audit.pending.size_bytes; i++)
			BROKEN_IF((unsigned char)audit.pending.data[i] < 0x20);
	}
	json_line_fini(&audit.pending);
	free(event);
	return 0;
}
