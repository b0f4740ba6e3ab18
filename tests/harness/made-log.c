#include "tests/harness/made-log.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/harness/check.h"

#define GROWTH 256

static void *grow(void *array, size_t n, size_t size)
{
	if (n % GROWTH)
		return array;
	array = realloc(array, (n + GROWTH) * size);
	CHECK(array != NULL);
	return array;
}

static void *make_key(uint8_t seed, size_t epoch)
{
	uint8_t secret[32];

	memset(secret, seed, sizeof(secret));
	secret[0] = (uint8_t)epoch;
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
}

static void begin_segment(struct made_log *log)
{
	log->segments = grow(log->segments, log->n_segments, sizeof(*log->segments));
	log->removed = grow(log->removed, log->n_segments, sizeof(*log->removed));
	log->removed[log->n_segments] = false;
	log->segments[log->n_segments++] = log->n_lines + 1;
}

struct made_log *made_log_new(uint8_t seed)
{
	struct made_log *log = calloc(1, sizeof(*log));

	CHECK(log != NULL);
	snprintf(log->origin, sizeof(log->origin), "cloche/test/%016x", seed);
	log->keys[0] = make_key(seed, 0);
	log->n_keys = 1;
	log->time_ns = 1800000000ull * 1000000000;
	begin_segment(log);
	made_log_add(log, "daemon.start", ",\"pid\":1");
	made_log_note(log, "start");
	return log;
}

struct made_log *made_log_free(struct made_log *log)
{
	if (!log)
		return NULL;
	for (size_t i = 0; i < log->n_keys; i++)
		EVP_PKEY_free(log->keys[i]);
	for (size_t i = 0; i < log->n_lines; i++)
		free(log->lines[i]);
	free(log->lines);
	free(log->notes);
	free(log->segments);
	free(log->removed);
	free(log);
	return NULL;
}

void made_log_add(struct made_log *log, const char *type, const char *rest)
{
	char line[4096];

	snprintf(line, sizeof(line),
		"{\"v\":1,\"seq\":%zu,\"time\":\"2027-01-15T08:00:00.%09" PRIu64
		"Z\",\"type\":\"%s\"%s}",
		log->n_lines + 1, log->time_ns % 1000000000, type, rest);
	log->time_ns += 1000000;
	log->lines = grow(log->lines, log->n_lines, sizeof(*log->lines));
	log->lines[log->n_lines++] = strdup(line);
}

static void leaf_of(const char *line, uint8_t ret_leaf[32])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	EVP_DigestInit_ex(context, EVP_sha256(), NULL);
	EVP_DigestUpdate(context, "\0", 1);
	EVP_DigestUpdate(context, line, strlen(line));
	EVP_DigestFinal_ex(context, ret_leaf, NULL);
	EVP_MD_CTX_free(context);
}

static struct made_sandbox *sandbox_of(struct made_log *log, uint64_t id)
{
	struct made_sandbox *free_one = NULL;

	for (size_t i = 0; i < MADE_SANDBOXES_MAX; i++) {
		if (log->sandboxes[i].alive && log->sandboxes[i].id == id)
			return &log->sandboxes[i];
		if (!log->sandboxes[i].alive && !free_one)
			free_one = &log->sandboxes[i];
	}
	CHECK(free_one != NULL);
	*free_one = (struct made_sandbox){.id = id, .alive = true};
	return free_one;
}

void made_log_sandbox(struct made_log *log, uint64_t id, const char *type)
{
	struct made_sandbox *sandbox = sandbox_of(log, id);
	bool end = strcmp(type, "sandbox.end") == 0;
	char rest[512], hex[65], audit[160] = "";
	uint8_t chain[64];

	for (size_t i = 0; i < 32; i++)
		snprintf(hex + 2 * i, 3, "%02x", sandbox->head[i]);
	if (end)
		snprintf(audit, sizeof(audit),
			",\"audit\":{\"records\":%" PRIu64 ",\"head\":\"%s\"}", sandbox->n, hex);
	snprintf(rest, sizeof(rest),
		",\"sandbox\":\"sb-%016" PRIx64 "\",\"sandbox_seq\":%" PRIu64
		",\"tenant_id\":1,\"process\":{\"pid\":7,\"exe\":\"/usr/bin/\\\"odd\\u0001\","
		"\"seq\":3}%s",
		id, ++sandbox->n, audit);
	made_log_add(log, type, rest);
	memcpy(chain, sandbox->head, 32);
	leaf_of(log->lines[log->n_lines - 1], chain + 32);
	EVP_Digest(chain, sizeof(chain), sandbox->head, NULL, EVP_sha256(), NULL);
	sandbox->alive = !end;
}

void made_log_lose(struct made_log *log, uint64_t n)
{
	char rest[64];

	snprintf(rest, sizeof(rest), ",\"lost\":%" PRIu64 ",\"where\":\"ring\"", n);
	made_log_add(log, "audit.lost", rest);
	log->lost += n;
}

void made_log_replace(struct made_log *log, uint64_t sequence, const char *line)
{
	free(log->lines[sequence - 1]);
	log->lines[sequence - 1] = strdup(line);
}

void made_log_note(struct made_log *log, const char *reason)
{
	log->notes = grow(log->notes, log->n_notes, sizeof(*log->notes));
	log->notes[log->n_notes] = (struct made_note){.size = log->n_lines,
		.time_ns = log->time_ns,
		.lost = log->lost,
		.key = log->n_keys - 1,
		.segment = log->n_segments - 1};
	snprintf(log->notes[log->n_notes++].reason, sizeof(log->notes->reason), "%s", reason);
	log->time_ns += MADE_HEARTBEAT_NS;
}

void made_log_rotate(struct made_log *log)
{
	made_log_note(log, "rotate");
	begin_segment(log);
}

void made_log_rekey(struct made_log *log)
{
	uint8_t secret[32];
	size_t size = sizeof(secret);

	made_log_note(log, "key");
	EVP_PKEY_get_raw_private_key(log->keys[0], secret, &size);
	log->certifiers[log->n_keys] = log->keys[log->n_keys - 1];
	log->since[log->n_keys] = log->n_lines;
	log->keys[log->n_keys] = make_key(secret[1], log->n_keys);
	log->n_keys++;
	made_log_note(log, "key");
}

void made_log_retain(struct made_log *log)
{
	char rest[256];
	size_t i = 0;

	while (log->removed[i])
		i++;
	snprintf(rest, sizeof(rest),
		",\"first_seq\":%" PRIu64 ",\"last_seq\":%" PRIu64
		",\"bytes\":1,\"sha256\":\"00\",\"reason\":\"size\"",
		log->segments[i], log->segments[i + 1] - 1);
	made_log_add(log, "audit.retention", rest);
	log->removed[i] = true;
}

/* RFC 9162 2.1.1, word for word. */
void made_log_root(const struct made_log *log, uint64_t start, uint64_t end, uint8_t ret_root[32])
{
	uint8_t input[65] = {1};
	uint64_t k = 1;

	if (end == start) {
		EVP_Digest("", 0, ret_root, NULL, EVP_sha256(), NULL);
		return;
	}
	if (end - start == 1) {
		leaf_of(log->lines[start], ret_root);
		return;
	}
	while (k * 2 < end - start)
		k *= 2;
	made_log_root(log, start, start + k, input + 1);
	made_log_root(log, start + k, end, input + 33);
	EVP_Digest(input, sizeof(input), ret_root, NULL, EVP_sha256(), NULL);
}
