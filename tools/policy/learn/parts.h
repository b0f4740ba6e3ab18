/* Inside of learning: the parts of the document. */
#pragma once

#include "tools/policy/learn/learnt.h"

/* What a rule was needed for. */
struct support {
	uint64_t n;
	const char *first, *last; /* times; borrowed */
};

void support_add(struct support *support, const struct support *more);
struct support support_of(const struct tally_row *row);
#define SUPPORT_TEXT_SIZE (2 * POLICY_RECORDED_TIME_SIZE + 48)
/* "12x, first 2026-…, last 2026-…" */
const char *support_format(const struct support *support, char ret_text[SUPPORT_TEXT_SIZE]);

/* "network". NULL when memory is out. */
json_t *learnt_network(const struct tally *tally, uint32_t wildcard_after);
/* Sorts `ports`, and writes them as a list of up to `n_max` numbers and ranges: single ones as long
 * as they fit, then what lies between is put in, from the first to the last, but for ports that
 * `denied` knows (if these leave room for it). NULL when memory is out. */
typedef bool (*learnt_denied)(const void *userdata, uint16_t first, uint16_t last);
json_t *learnt_ports(
	uint16_t *ports, size_t n, size_t n_max, learnt_denied denied, const void *userdata);

/* "syscalls"; json_null() when the log gives no reason to say anything. */
json_t *learnt_calls(const struct tally *tally);

/* "files"; json_null() when it says nothing, for the reason given. */
json_t *learnt_files(
	const struct tally *tally, uint32_t directory_after, enum learnt_files *ret_files);
/* Whether it is, or lies in, a place that programs write to and that is empty in a fresh sandbox.
 */
bool learnt_is_own_place(const char *path);

/* "executables"; json_null() when it says nothing, for the reason given. `files` is that section of
 * the document; NULL: none. */
json_t *learnt_programs(const struct log_reading *reading, json_t *files, uint32_t directory_after,
	enum learnt_programs *ret_programs);
