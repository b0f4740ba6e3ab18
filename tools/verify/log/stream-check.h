/* One sandbox's records, as its tenant exported them, without anybody else's.
 *
 * Each record is bound to a signed tree by a proof of its own, or by its sandbox's END: that tells
 * the chain of all records before it, so one proof of it proves them all. */
#pragma once

#include "tools/verify/log/record.h"
#include "tools/verify/notes/keyring.h"

struct stream_summary {
	uint64_t sandbox, n_records, n_proofs;
	uint64_t n_outside; /* lines before START or after END that are not its own; not checked */
	uint64_t first_sequence, last_sequence; /* in the log */
	uint64_t tree_size;                     /* of the newest checkpoint among the proofs */
	_Bool ended;
};

/* `records_fd`: the sandbox's lines, oldest first; `proofs_fd`: proofs, one a line, in the order of
 * the records. The names are for the fault. */
enum verdict stream_check(const struct keyring *keyring, int records_fd, const char *records_name,
	int proofs_fd, const char *proofs_name, struct stream_summary *ret_summary,
	struct fault *fault);
