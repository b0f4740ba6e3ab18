/* A range of sequences of a log, without reading the rest: the tiles lead from its records to the
 * root that the newest checkpoint signs. */
#pragma once

#include "tools/verify/notes/keyring.h"

struct range_summary {
	uint64_t n_records, tree_size;
};

enum verdict range_check(int dir_fd, const struct keyring *keyring, uint64_t from, uint64_t to,
	struct range_summary *ret_summary, struct fault *fault);
