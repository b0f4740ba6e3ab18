/* Opening what an earlier process left, and telling a crash from a log that was tampered with.
 *
 * The tree and the streams are grown again from the state at the start of a segment (resume.h) over
 * the lines that follow, with their tiles, and must come by the newest checkpoint's root. Whole
 * lines after that checkpoint are kept. A log that is shorter than its checkpoint, or does not
 * agree with it, is never continued: it is moved aside and a new one begins. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/base/failure.h"

struct audit;

/* What is to be recorded when the log is open. */
struct recovery {
	bool is_unclean;          /* the last process did not stop, but died */
	uint64_t checkpoint_size; /* of the newest checkpoint */
	uint64_t cut_bytes;       /* half a line */
	bool is_new;              /* the log begins now */
	/* The log that was moved aside; `moved_to` empty: none. */
	char moved_to[64], why[256], origin[64], root[45];
	uint64_t size;
};

/* Fills segments, keys, tree, streams and n_lost of `audit`, whose directories are open. -EBADMSG
 * with `why`: not to be continued; `ret_recovery` then says what its checkpoint claimed. Other
 * -errno with `why`. */
int recover(struct audit *audit, const char *instance, struct recovery *ret_recovery,
	struct failure *why);
