/* The Merkle tree of RFC 9162 (as RFC 6962 before it) over the log's lines, as it grows.
 *
 * leaf = SHA-256(0x00 || line), node = SHA-256(0x01 || left || right). In memory is the right edge
 * alone: for each level of tiles the hashes of the tile that is not full yet. A tile that fills is
 * written and gives one hash to the level above. Tiles that the disk did not take wait in a short
 * queue; what does not fit there is missing until the tree is built again from the segments. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/digest/sha256.h"
#include "supervisor/tlog/tile.h"

#define TREE_WAITING_MAX 64 /* tiles */

struct tree_waiting;

struct tree {
	int dir_fd; /* borrowed */
	struct sha256_engine *engine;
	uint64_t size;                              /* leaves */
	uint8_t (*edge)[TILE_HASHES][SHA256_BYTES]; /* TILE_LEVELS of them */
	/* The partial tile that is on the disk, for each level; width 0: none. */
	struct {
		uint64_t number;
		unsigned int width;
	} partial[TILE_LEVELS];
	struct tree_waiting *waiting; /* oldest first */
	size_t n_waiting;
	bool has_holes; /* a tile was given up */
	bool failed;    /* libcrypto did */
};

/* An empty tree whose tiles go below `dir_fd`. Returns 0, -ENOMEM or -EIO. */
int tree_init(struct tree *tree, int dir_fd);
void tree_fini(struct tree *tree);

/* How many hashes of the right edge `level` has for a tree of `size`. */
static inline unsigned int tree_edge_width(uint64_t size, unsigned int level)
{
	return (unsigned int)(size >> (8 * level) & (TILE_HASHES - 1));
}

int tree_hash_leaf(
	struct tree *tree, const void *line, size_t size_bytes, uint8_t ret_hash[SHA256_BYTES]);
int tree_hash_node(struct tree *tree, const uint8_t left[SHA256_BYTES],
	const uint8_t right[SHA256_BYTES], uint8_t ret_hash[SHA256_BYTES]);
/* The root over `n` hashes, a power of two up to TILE_HASHES. */
int tree_hash_perfect(struct tree *tree, const uint8_t hashes[][SHA256_BYTES], unsigned int n,
	uint8_t ret_hash[SHA256_BYTES]);
/* Adds a leaf. What it cannot write waits, so it fails only when libcrypto does: then the tree is
 * `failed` and says so at the next tree_root(). */
void tree_append(struct tree *tree, const uint8_t leaf_hash[SHA256_BYTES]);
/* Returns 0 or -EIO. The root of no leaves is SHA-256 of nothing. */
int tree_root(struct tree *tree, uint8_t ret_root[SHA256_BYTES]);
/* The hashes [0, `width`) of a tile, all of which the tree has: of the right edge, of what waits
 * for the disk, or from it. Returns 0, -ENOENT or -EBADMSG when the disk does not have it. */
int tree_read_tile(const struct tree *tree, unsigned int level, uint64_t number, unsigned int width,
	uint8_t ret_hashes[TILE_HASHES][SHA256_BYTES]);
/* Writes what waits, and the partial tiles of the size that it has now, and removes the partial
 * ones of before. Returns 0 or -errno. */
int tree_write_partial(struct tree *tree);
