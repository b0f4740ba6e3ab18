/* Proofs out of a tree, for any of the sizes that it had: that a leaf is in it (RFC 9162 2.1.3.1),
 * that it begins with a smaller one (2.1.4.1). */
#pragma once

#include "supervisor/tlog/tree.h"

#define PROVE_HASHES_MAX 65 /* of one proof */

struct prove {
	uint8_t hashes[PROVE_HASHES_MAX][SHA256_BYTES];
	unsigned int n;
};

/* index < size <= tree->size. Returns 0, -EINVAL, -ENOENT or -EBADMSG (a tile is missing, or is
 * none), other -errno. */
int prove_inclusion(struct tree *tree, uint64_t index, uint64_t size, struct prove *ret_proof);
/* 0 < from <= to <= tree->size. */
int prove_consistency(struct tree *tree, uint64_t from, uint64_t to, struct prove *ret_proof);
/* The hash of a leaf that the tree has. */
int prove_leaf(struct tree *tree, uint64_t index, uint8_t ret_hash[SHA256_BYTES]);
