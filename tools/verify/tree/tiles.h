/* The tree's hashes as they are stored: C2SP tlog-tiles of height 8. */
#pragma once

#include "tools/verify/fault.h"
#include "tools/verify/tree/tree.h"

#define TILE_WIDTH 256
#define TILE_LEVELS 8

struct tile {
	unsigned level;
	uint64_t index;
	unsigned n; /* hashes held; 0: nothing was read yet */
	struct hash hashes[TILE_WIDTH];
};

/* What is read beside a log as it is walked through. */
struct tiles {
	int dir_fd;                     /* of the log; borrowed */
	uint64_t size;                  /* of the tree whose tiles must be there */
	struct tile leaves;             /* as stored */
	struct tile above[TILE_LEVELS]; /* as computed; [0] is not used */
	struct tile stored;
};

struct tiles *tiles_new(int dir_fd, uint64_t size);
struct tiles *tiles_free(struct tiles *tiles);

/* The stored hash of a leaf; NULL when the tree of `size` has none at this index. */
enum verdict tiles_leaf(
	struct tiles *tiles, uint64_t index, const struct hash **ret_hash, struct fault *fault);
/* Takes what range_add() completed when it added leaf `index`, and compares what is stored. */
enum verdict tiles_take(struct tiles *tiles, uint64_t index, const struct hash *path,
	unsigned highest, struct fault *fault);

/* For proofs from tiles alone. The node above leaves [index << level, (index + 1) << level). */
enum verdict tiles_node(struct tiles *tiles, unsigned level, uint64_t index, struct hash *ret_hash,
	struct fault *fault);
enum verdict tiles_root(
	struct tiles *tiles, uint64_t size, struct hash *ret_root, struct fault *fault);
/* RFC 9162 2.1.3.1, in a tree of `size` leaves. */
enum verdict tiles_prove_leaf(struct tiles *tiles, uint64_t index, uint64_t size,
	struct hash *ret_proof, size_t *ret_n, struct fault *fault);
