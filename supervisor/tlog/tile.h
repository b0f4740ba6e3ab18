/* Hash tiles as C2SP tlog-tiles lays them out: tile/L/N holds 256 hashes of level 8·L, tile/L/N.p/W
 * the first W of them while the tree's right edge is inside. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/digest/sha256.h"

#define TILE_HASHES 256
#define TILE_BYTES (TILE_HASHES * SHA256_BYTES)
#define TILE_LEVELS 8 /* 2^64 leaves */
#define TILE_PATH_SIZE 64

/* The path of a tile with `width` hashes (TILE_HASHES: full), below the log's directory. */
void tile_path(
	unsigned int level, uint64_t number, unsigned int width, char ret_path[TILE_PATH_SIZE]);

/* Puts the tile in its place in one step, with the directories above it. Returns 0 or -errno. */
int tile_write(int dir_fd, unsigned int level, uint64_t number, unsigned int width,
	const uint8_t hashes[][SHA256_BYTES]);
/* Reads `width` hashes: from the full tile, else from the partial one of just that width. -ENOENT
 * when neither is there, -EBADMSG when it has another size. */
int tile_read(int dir_fd, unsigned int level, uint64_t number, unsigned int width,
	uint8_t ret_hashes[][SHA256_BYTES]);
/* Removes the partial tile of this width; its directory with it when that is empty. */
void tile_remove_partial(int dir_fd, unsigned int level, uint64_t number, unsigned int width);
