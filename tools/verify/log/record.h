/* The few fields of a record that a check needs. The rest is checked to be JSON and passed over. */
#pragma once

#include "tools/verify/log/scan.h"
#include "tools/verify/tree/hash.h"

#define RECORD_BYTES_MAX 65536
#define RECORD_TYPE_SIZE 32
#define SANDBOX_TEXT_SIZE 20 /* "sb-0123456789abcdef" with NUL */

struct record {
	uint64_t sequence;
	uint64_t sandbox;          /* valid if has_sandbox */
	uint64_t sandbox_sequence; /* 0: not numbered in its sandbox */
	uint64_t tenant;           /* 0: nobody's */
	bool has_sandbox;
	char type[RECORD_TYPE_SIZE];
	bool has_lost, has_range, has_end;
	bool has_head;
	uint64_t lost;                          /* audit.lost */
	uint64_t first_sequence, last_sequence; /* audit.retention */
	uint64_t n_records;                     /* sandbox.end: how many came before it */
	struct hash head;                       /* valid if has_head: it may be null */
};

/* `line` is without its line feed. Returns NULL, or a sentence about what is wrong; a field that
 * matters and is there twice is wrong. */
const char *record_read(const char *line, size_t size, struct record *ret_record);

/* sandbox.create, or sandbox.adopt for one that is older than the log. */
bool record_is_start(const struct record *record);

/* "sb-" and 16 lower-case hexadecimal digits. */
bool sandbox_read(struct span text, uint64_t *ret_sandbox);
