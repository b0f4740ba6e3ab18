#include "supervisor/tlog/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tree_waiting {
	unsigned int level;
	uint64_t number;
	uint8_t hashes[TILE_HASHES][SHA256_BYTES];
};

int tree_init(struct tree *tree, int dir_fd)
{
	int r;

	*tree = (struct tree){.dir_fd = dir_fd};
	tree->edge = calloc(TILE_LEVELS, sizeof(*tree->edge));
	if (!tree->edge)
		return -ENOMEM;
	r = sha256_engine_new(&tree->engine);
	if (r < 0)
		tree_fini(tree);
	return r;
}

void tree_fini(struct tree *tree)
{
	tree->engine = sha256_engine_free(tree->engine);
	free(tree->edge);
	free(tree->waiting);
	tree->edge = NULL;
	tree->waiting = NULL;
}

static int hash_parts(struct tree *tree, uint8_t prefix, const void *first, size_t first_bytes,
	const void *second, size_t second_bytes, uint8_t ret_hash[SHA256_BYTES])
{
	int r = sha256_begin(tree->engine);

	if (r == 0)
		r = sha256_add(tree->engine, &prefix, 1);
	if (r == 0)
		r = sha256_add(tree->engine, first, first_bytes);
	if (r == 0 && second)
		r = sha256_add(tree->engine, second, second_bytes);
	return r == 0 ? sha256_end(tree->engine, ret_hash) : r;
}

int tree_hash_leaf(
	struct tree *tree, const void *line, size_t size_bytes, uint8_t ret_hash[SHA256_BYTES])
{
	return hash_parts(tree, 0x00, line, size_bytes, NULL, 0, ret_hash);
}

int tree_hash_node(struct tree *tree, const uint8_t left[SHA256_BYTES],
	const uint8_t right[SHA256_BYTES], uint8_t ret_hash[SHA256_BYTES])
{
	uint8_t both[1 + 2 * SHA256_BYTES];
	int r = sha256_begin(tree->engine);

	both[0] = 0x01;
	memcpy(both + 1, left, SHA256_BYTES);
	memcpy(both + 1 + SHA256_BYTES, right, SHA256_BYTES);
	if (r == 0)
		r = sha256_add(tree->engine, both, sizeof(both));
	return r == 0 ? sha256_end(tree->engine, ret_hash) : r;
}

int tree_hash_perfect(struct tree *tree, const uint8_t hashes[][SHA256_BYTES], unsigned int n,
	uint8_t ret_hash[SHA256_BYTES])
{
	uint8_t nodes[TILE_HASHES / 2][SHA256_BYTES];
	int r = 0;

	if (n == 1) {
		memcpy(ret_hash, hashes[0], SHA256_BYTES);
		return 0;
	}
	for (unsigned int i = 0; i < n / 2 && r == 0; i++)
		r = tree_hash_node(tree, hashes[2 * i], hashes[2 * i + 1], nodes[i]);
	for (n /= 2; n > 1; n /= 2)
		for (unsigned int i = 0; i < n / 2 && r == 0; i++)
			r = tree_hash_node(tree, nodes[2 * i], nodes[2 * i + 1], nodes[i]);
	if (r == 0)
		memcpy(ret_hash, nodes[0], SHA256_BYTES);
	return r;
}

static int write_waiting(struct tree *tree)
{
	while (tree->n_waiting > 0) {
		const struct tree_waiting *first = &tree->waiting[0];
		int r = tile_write(
			tree->dir_fd, first->level, first->number, TILE_HASHES, first->hashes);

		if (r < 0)
			return r;
		tree->n_waiting--;
		memmove(tree->waiting, tree->waiting + 1, tree->n_waiting * sizeof(*first));
	}
	return 0;
}

static void let_wait(struct tree *tree, unsigned int level, uint64_t number)
{
	struct tree_waiting *place;

	if (!tree->waiting)
		tree->waiting = calloc(TREE_WAITING_MAX, sizeof(*tree->waiting));
	if (!tree->waiting || tree->n_waiting == TREE_WAITING_MAX) {
		tree->has_holes = true;
		return;
	}
	place = &tree->waiting[tree->n_waiting++];
	place->level = level;
	place->number = number;
	memcpy(place->hashes, tree->edge[level], TILE_BYTES);
}

static void write_full(struct tree *tree, unsigned int level, uint64_t number)
{
	if (write_waiting(tree) < 0 ||
		tile_write(tree->dir_fd, level, number, TILE_HASHES, tree->edge[level]) < 0) {
		let_wait(tree, level, number);
		return;
	}
	if (tree->partial[level].width > 0 && tree->partial[level].number == number) {
		tile_remove_partial(tree->dir_fd, level, number, tree->partial[level].width);
		tree->partial[level].width = 0;
	}
}

void tree_append(struct tree *tree, const uint8_t leaf_hash[SHA256_BYTES])
{
	uint8_t hash[SHA256_BYTES];
	uint64_t number = tree->size;

	memcpy(hash, leaf_hash, sizeof(hash));
	for (unsigned int level = 0; level < TILE_LEVELS; level++) {
		unsigned int place = (unsigned int)(number % TILE_HASHES);

		memcpy(tree->edge[level][place], hash, sizeof(hash));
		if (place + 1 < TILE_HASHES)
			break;
		number /= TILE_HASHES;
		write_full(tree, level, number);
		if (tree_hash_perfect(tree, tree->edge[level], TILE_HASHES, hash) < 0)
			tree->failed = true;
	}
	tree->size++;
}

/* Goes over the perfect subtrees of one level from the right, smallest first; each stands to the
 * left of what came before (`*any`). */
static int fold_level(struct tree *tree, unsigned int level, uint8_t root[SHA256_BYTES], bool *any)
{
	unsigned int width = tree_edge_width(tree->size, level);
	uint8_t hash[SHA256_BYTES];
	int r = 0;

	for (unsigned int n = 1; n <= width && r == 0; n *= 2) {
		if (!(width & n))
			continue;
		r = tree_hash_perfect(tree, tree->edge[level] + (width & ~(2 * n - 1)), n, hash);
		if (r == 0 && *any)
			r = tree_hash_node(tree, hash, root, root);
		else if (r == 0)
			memcpy(root, hash, sizeof(hash));
		*any = true;
	}
	return r;
}

int tree_root(struct tree *tree, uint8_t ret_root[SHA256_BYTES])
{
	uint8_t root[SHA256_BYTES];
	bool any = false;
	int r = tree->failed ? -EIO : 0;

	for (unsigned int level = 0; level < TILE_LEVELS && r == 0; level++)
		r = fold_level(tree, level, root, &any);
	if (r < 0)
		return r;
	if (!any)
		return sha256("", 0, ret_root);
	memcpy(ret_root, root, sizeof(root));
	return 0;
}

int tree_write_partial(struct tree *tree)
{
	int r = write_waiting(tree);

	for (unsigned int level = 0; level < TILE_LEVELS && r == 0; level++) {
		unsigned int width = tree_edge_width(tree->size, level);
		uint64_t number = tree->size >> (8 * level) >> 8;
		unsigned int before = tree->partial[level].width;

		if (width == 0 || (before == width && tree->partial[level].number == number))
			continue;
		r = tile_write(tree->dir_fd, level, number, width, tree->edge[level]);
		if (r < 0)
			break;
		if (before > 0)
			tile_remove_partial(
				tree->dir_fd, level, tree->partial[level].number, before);
		tree->partial[level].number = number;
		tree->partial[level].width = width;
	}
	return r;
}

int tree_read_tile(const struct tree *tree, unsigned int level, uint64_t number, unsigned int width,
	uint8_t ret_hashes[TILE_HASHES][SHA256_BYTES])
{
	if (number == tree->size >> (8 * level) >> 8) {
		memcpy(ret_hashes, tree->edge[level], width * SHA256_BYTES);
		return 0;
	}
	for (size_t i = 0; i < tree->n_waiting; i++) {
		const struct tree_waiting *waiting = &tree->waiting[i];

		if (waiting->level != level || waiting->number != number)
			continue;
		memcpy(ret_hashes, waiting->hashes, width * SHA256_BYTES);
		return 0;
	}
	return tile_read(tree->dir_fd, level, number, width, ret_hashes);
}
