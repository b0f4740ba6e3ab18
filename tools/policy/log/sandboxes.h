/* The sandboxes of a log: which of them are asked about, and what was recorded of them. */
#pragma once

#include "supervisor/policy/acts/recorded.h"

struct log_sandbox {
	uint64_t id; /* 0: a free slot */
	bool chosen; /* by the record of its creation */
	bool acted;
	bool shows_opens;            /* a file that was opened, or was to be, is on record */
	bool says_usual, says_other; /* of which calls it was to be recorded, at any time */
};

struct log_sandboxes {
	struct log_sandbox *slots; /* open addressing */
	size_t n, n_slots;         /* a power of two */
	struct log_sandbox *last;  /* that was asked for: the next record is often of the same */
};

/* The sandbox, made if it is not there; borrowed until the next call. NULL when memory is out. */
struct log_sandbox *log_sandboxes_get(struct log_sandboxes *sandboxes, uint64_t id);
/* How many of those that did something may have written files that the log does not tell of. */
size_t log_sandboxes_unrecorded(const struct log_sandboxes *sandboxes);
void log_sandboxes_fini(struct log_sandboxes *sandboxes);
