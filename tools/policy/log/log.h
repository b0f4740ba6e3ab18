/* Recorded acts out of an audit log: exported lines, or the log's own segments. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "supervisor/policy/acts/tally.h"
#include "tools/cloche/arguments.h"
#include "tools/policy/log/sandboxes.h"

#define LOG_FAULT_SIZE (POLICY_RECORDED_FAULT_SIZE + 160)

struct log_reading {
	struct tally tally;
	struct log_sandboxes sandboxes;
	uint64_t n_records, n_acts, n_malformed, n_lost;
	uint64_t n_passed[POLICY_PASSED]; /* acts that no policy can be asked about, by reason */
	uint64_t n_programs_unknown;      /* executions of what has no whole path */
	bool has_runs;                    /* a record is of a sandbox that was asked for */
	char fault[LOG_FAULT_SIZE];       /* the first line that is no record: where, and why */
};

/* The options --label, --template and --sandbox choose sandboxes; the first two by the record of
 * their creation, which must then be in the log. `path` is a file of lines, "-", a directory of
 * segments, or the one above it. Arguments of system calls are kept as far as `policy` (may be
 * NULL) has rules about them. Returns 0, or -errno with `why`. */
int log_read(const char *path, const struct arguments *arguments, const struct policy *policy,
	struct log_reading *ret_reading, struct failure *why);
/* Says what of the log was not looked at, a sentence a line; nothing when there is none. */
void log_print_rest(const struct log_reading *reading, FILE *stream);
/* The same, as an object of counts; NULL when memory is out. */
json_t *log_rest_json(const struct log_reading *reading);
void log_fini(struct log_reading *reading);
