#include "tools/verify/tree/tiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/verify/log/files.h"

#define PATH_SIZE 96

struct tiles *tiles_new(int dir_fd, uint64_t size)
{
	struct tiles *tiles = calloc(1, sizeof(*tiles));

	if (!tiles)
		return NULL;
	tiles->dir_fd = dir_fd;
	tiles->size = size;
	for (unsigned level = 0; level < TILE_LEVELS; level++)
		tiles->above[level].level = level;
	return tiles;
}

struct tiles *tiles_free(struct tiles *tiles)
{
	free(tiles);
	return NULL;
}

/* tile/L/x001/x234/067 */
static size_t write_path(unsigned level, uint64_t index, char ret_path[static PATH_SIZE])
{
	uint64_t groups[8];
	size_t n = 0, used;

	do {
		groups[n++] = index % 1000;
		index /= 1000;
	} while (index > 0);
	used = (size_t)snprintf(ret_path, PATH_SIZE, "tile/%u", level);
	while (n-- > 0)
		used += (size_t)snprintf(ret_path + used, PATH_SIZE - used,
			n > 0 ? "/x%03" PRIu64 : "/%03" PRIu64, groups[n]);
	return used;
}

static enum verdict bad_tile(struct fault *fault, const char *path, const char *what)
{
	fault_set(fault, FAULT_TILE, "%s", what);
	fault_at(fault, path, 0, 0);
	return VERDICT_INVALID;
}

/* All partial forms of a tile that are still there hold its first hashes. */
static enum verdict check_partials(
	const struct tiles *tiles, const struct tile *tile, char *path, struct fault *fault)
{
	struct hash hashes[TILE_WIDTH];
	size_t used = strlen(path);
	struct dirent *entry;
	int fd;
	DIR *opened;

	snprintf(path + used, PATH_SIZE - used, ".p");
	fd = openat(tiles->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	opened = fd < 0 ? NULL : fdopendir(fd);
	if (!opened) {
		if (fd >= 0)
			close(fd);
		return VERDICT_VALID;
	}
	while ((entry = readdir(opened))) {
		unsigned long width = strtoul(entry->d_name, NULL, 10);

		if (width == 0 || width >= TILE_WIDTH || width > tile->n)
			continue;
		snprintf(path + used, PATH_SIZE - used, ".p/%lu", width);
		if (file_read(tiles->dir_fd, path, hashes, sizeof(hashes)) !=
				(ssize_t)(width * HASH_SIZE) ||
			memcmp(hashes, tile->hashes, width * HASH_SIZE) != 0) {
			closedir(opened);
			return bad_tile(fault, path, "it is not the beginning of the fuller tile");
		}
	}
	closedir(opened);
	return VERDICT_VALID;
}

/* Of the partial forms of a tile the widest, if it is wide enough: a log that grew has more than
 * the checkpoint asks for. 0: none. */
static unsigned widest(const struct tiles *tiles, const char *tile_path, unsigned needed)
{
	char path[PATH_SIZE + 2];
	struct dirent *entry;
	unsigned found = 0;
	DIR *opened;
	int fd;

	snprintf(path, sizeof(path), "%s.p", tile_path);
	fd = openat(tiles->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	opened = fd < 0 ? NULL : fdopendir(fd);
	if (!opened) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((entry = readdir(opened))) {
		unsigned long width = strtoul(entry->d_name, NULL, 10);

		if (width >= needed && width < TILE_WIDTH && width > found)
			found = (unsigned)width;
	}
	closedir(opened);
	return found;
}

/* At least the hashes that a tree of `size` leaves has in this tile. */
static enum verdict read_tile(const struct tiles *tiles, unsigned level, uint64_t index,
	struct tile *ret_tile, struct fault *fault)
{
	uint64_t left = (tiles->size >> (8 * level)) - index * TILE_WIDTH;
	unsigned needed = left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH, n = TILE_WIDTH;
	char path[PATH_SIZE];
	size_t used = write_path(level, index, path);
	ssize_t size = -ENOENT;

	ret_tile->n = 0;
	/* Of a log that is being written, a tile may be replaced by a wider one meanwhile. */
	for (int attempt = 0; attempt < 3 && size == -ENOENT; attempt++) {
		n = attempt == 1 ? widest(tiles, path, needed) : TILE_WIDTH;
		if (needed == TILE_WIDTH && attempt > 0)
			break;
		if (n == 0)
			continue;
		if (n < TILE_WIDTH)
			snprintf(path + used, PATH_SIZE - used, ".p/%u", n);
		size = file_read(tiles->dir_fd, path, ret_tile->hashes, sizeof(ret_tile->hashes));
		path[used] = '\0';
	}
	if (size == -ENOENT)
		return bad_tile(fault, path, "the tile is missing");
	if (size < 0 && size != -EFBIG && size != -EINVAL)
		return fault_set(fault, FAULT_FAILED, "%s: %s", path, strerror((int)-size));
	if (size != (ssize_t)n * HASH_SIZE) {
		bad_tile(fault, path, "the tile has not the size of its hashes");
		fault_expected(fault, "%u bytes", n * HASH_SIZE);
		if (size >= 0)
			fault_found(fault, "%zd bytes", size);
		return VERDICT_INVALID;
	}
	ret_tile->level = level;
	ret_tile->index = index;
	ret_tile->n = n;
	return check_partials(tiles, ret_tile, path, fault);
}

enum verdict tiles_leaf(
	struct tiles *tiles, uint64_t index, const struct hash **ret_hash, struct fault *fault)
{
	struct tile *tile = &tiles->leaves;

	*ret_hash = NULL;
	if (index >= tiles->size)
		return VERDICT_VALID;
	if (tile->n == 0 || tile->index != index / TILE_WIDTH) {
		enum verdict verdict = read_tile(tiles, 0, index / TILE_WIDTH, tile, fault);

		if (verdict)
			return verdict;
	}
	*ret_hash = &tile->hashes[index % TILE_WIDTH];
	return VERDICT_VALID;
}

static enum verdict compare(struct tiles *tiles, const struct tile *computed, struct fault *fault)
{
	enum verdict verdict =
		read_tile(tiles, computed->level, computed->index, &tiles->stored, fault);
	char path[PATH_SIZE], text[HASH_TEXT_SIZE];

	if (verdict)
		return verdict;
	for (unsigned i = 0; i < computed->n; i++) {
		if (hash_equal(&computed->hashes[i], &tiles->stored.hashes[i]))
			continue;
		write_path(computed->level, computed->index, path);
		fault_set(fault, FAULT_TILE,
			"hash %u of the tile is not that of the records below it", i);
		fault_at(fault, path, 0, 0);
		fault_expected(fault, "%s", hash_text(&computed->hashes[i], text));
		fault_found(fault, "%s", hash_text(&tiles->stored.hashes[i], text));
		return VERDICT_INVALID;
	}
	return VERDICT_VALID;
}

/* The tree has all its leaves: the tiles at its right edge. */
static enum verdict compare_edge(struct tiles *tiles, struct fault *fault)
{
	enum verdict verdict = VERDICT_VALID;

	for (unsigned level = 1; level < TILE_LEVELS && !verdict; level++)
		if (tiles->above[level].n > 0)
			verdict = compare(tiles, &tiles->above[level], fault);
	return verdict;
}

enum verdict tiles_take(struct tiles *tiles, uint64_t index, const struct hash *path,
	unsigned highest, struct fault *fault)
{
	enum verdict verdict = VERDICT_VALID;

	if (index >= tiles->size)
		return VERDICT_VALID;
	for (unsigned level = 1; level < TILE_LEVELS && level * 8 <= highest && !verdict; level++) {
		struct tile *tile = &tiles->above[level];

		tile->hashes[tile->n++] = path[level * 8];
		if (tile->n < TILE_WIDTH)
			continue;
		verdict = compare(tiles, tile, fault);
		tile->n = 0;
		tile->index++;
	}
	return verdict || index + 1 < tiles->size ? verdict : compare_edge(tiles, fault);
}

enum verdict tiles_node(struct tiles *tiles, unsigned level, uint64_t index, struct hash *ret_hash,
	struct fault *fault)
{
	unsigned width = 1u << (level % 8);
	uint64_t first = index << (level % 8);
	struct tile *tile = level / 8 == 0 ? &tiles->leaves : &tiles->above[level / 8];
	struct hash hashes[TILE_WIDTH];

	if (tile->n == 0 || tile->index != first / TILE_WIDTH) {
		enum verdict verdict = read_tile(tiles, level / 8, first / TILE_WIDTH, tile, fault);

		if (verdict)
			return verdict;
	}
	memcpy(hashes, &tile->hashes[first % TILE_WIDTH], width * sizeof(*hashes));
	for (; width > 1; width /= 2)
		for (unsigned i = 0; i < width / 2; i++)
			hash_node(&hashes[2 * i], &hashes[2 * i + 1], &hashes[i]);
	*ret_hash = hashes[0];
	return VERDICT_VALID;
}
