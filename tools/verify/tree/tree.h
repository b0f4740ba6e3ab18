/* The Merkle tree of RFC 9162, as one who checks needs it: a root from leaves that come one by one,
 * in constant memory, and proofs. */
#pragma once

#include "tools/verify/tree/hash.h"

#define TREE_LEVELS 64
#define TREE_PROOF_MAX 130 /* hashes: more than any proof in a tree of 2^64 leaves has */

/* The compact range [0, size): one hash for each bit of its size. Starts zeroed. */
struct range {
	uint64_t size;
	struct hash nodes[TREE_LEVELS]; /* by level; in use where `size` has a bit */
};

/* Adds a leaf. Returns the highest level that it completed; the nodes that it completed on the way,
 * by level, are in `ret_path`, the leaf itself first. */
unsigned range_add(struct range *range, const struct hash *leaf, struct hash *ret_path);
void range_root(const struct range *range, struct hash *ret_root);

/* RFC 9162 2.1.3.2 and 2.1.4.2: whether the proof leads from what is known to the root. */
bool tree_includes(uint64_t index, uint64_t size, const struct hash *leaf, const struct hash *proof,
	size_t n_proof, const struct hash *root);
bool tree_extends(uint64_t from, uint64_t to, const struct hash *from_root,
	const struct hash *to_root, const struct hash *proof, size_t n_proof);
