/* Recorded acts out of an audit log: exported lines, or the log's own segments. */
#pragma once

#include "supervisor/policy/tally.h"
#include "tools/cloche/arguments.h"

struct log_reading {
	struct tally tally;
	uint64_t n_records, n_acts, n_malformed, n_sandboxes;
	uint64_t first, last; /* sequences */
};

/* The options --label, --template and --sandbox choose sandboxes; the first two by the record of
 * their creation, which must then be in the log. `path` is a file of lines, "-", a directory of
 * segments, or the one above it. Returns 0, or -errno with `why`. */
int log_read(const char *path, const struct arguments *arguments, struct log_reading *ret_reading,
	struct failure *why);
void log_fini(struct log_reading *reading);
