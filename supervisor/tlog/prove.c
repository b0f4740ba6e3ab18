/* Each hash of a proof is the root of a stretch [start, end) of leaves, whose start is a multiple
 * of a power of two that is not below its length: so it falls into whole subtrees, and each of
 * those into a run of hashes of one tile. */
#include "supervisor/tlog/prove.h"

#include <errno.h>
#include <string.h>

/* The root over leaves [number << level, (number + 1) << level). */
static int subtree(
	struct tree *tree, unsigned int level, uint64_t number, uint8_t ret_hash[SHA256_BYTES])
{
	uint8_t hashes[TILE_HASHES][SHA256_BYTES];
	unsigned int n = 1u << (level % 8);
	uint64_t first = number << (level % 8);
	unsigned int place = (unsigned int)(first % TILE_HASHES);
	int r = tree_read_tile(tree, level / 8, first / TILE_HASHES, place + n, hashes);

	return r < 0 ? r : tree_hash_perfect(tree, hashes + place, n, ret_hash);
}

/* From right to left, smallest subtree first. */
static int stretch(struct tree *tree, uint64_t start, uint64_t end, uint8_t ret_hash[SHA256_BYTES])
{
	uint8_t root[SHA256_BYTES], hash[SHA256_BYTES];
	bool any = false;
	int r = 0;

	while (start < end && r == 0) {
		unsigned int level = (unsigned int)__builtin_ctzll(end - start);

		r = subtree(tree, level, (end - 1) >> level, hash);
		if (r == 0 && any)
			r = tree_hash_node(tree, hash, root, root);
		else if (r == 0)
			memcpy(root, hash, sizeof(root));
		any = true;
		end -= 1ull << level;
	}
	if (r == 0)
		memcpy(ret_hash, root, sizeof(root));
	return r;
}

/* The largest power of two below `n`; n > 1. */
static uint64_t split(uint64_t n)
{
	return 1ull << (63 - __builtin_clzll(n - 1));
}

static int add(struct tree *tree, struct prove *proof, uint64_t start, uint64_t end)
{
	return proof->n == PROVE_HASHES_MAX ? -EINVAL
					    : stretch(tree, start, end, proof->hashes[proof->n++]);
}

/* The walk goes down, proofs go up. */
static void reverse(struct prove *proof)
{
	for (unsigned int i = 0; i < proof->n / 2; i++) {
		uint8_t kept[SHA256_BYTES], *other = proof->hashes[proof->n - 1 - i];

		memcpy(kept, proof->hashes[i], sizeof(kept));
		memcpy(proof->hashes[i], other, sizeof(kept));
		memcpy(other, kept, sizeof(kept));
	}
}

int prove_inclusion(struct tree *tree, uint64_t index, uint64_t size, struct prove *ret_proof)
{
	uint64_t start = 0, end = size;
	int r = 0;

	ret_proof->n = 0;
	if (index >= size || size > tree->size)
		return -EINVAL;
	while (end - start > 1 && r == 0) {
		uint64_t middle = start + split(end - start);

		if (index < middle) {
			r = add(tree, ret_proof, middle, end);
			end = middle;
		} else {
			r = add(tree, ret_proof, start, middle);
			start = middle;
		}
	}
	reverse(ret_proof);
	return r;
}

int prove_consistency(struct tree *tree, uint64_t from, uint64_t to, struct prove *ret_proof)
{
	uint64_t start = 0, end = to;
	int r = 0;

	ret_proof->n = 0;
	if (from == 0 || from > to || to > tree->size)
		return -EINVAL;
	while (end != from && r == 0) {
		uint64_t middle = start + split(end - start);

		if (from <= middle) {
			r = add(tree, ret_proof, middle, end);
			end = middle;
		} else {
			r = add(tree, ret_proof, start, middle);
			start = middle;
		}
	}
	if (r == 0 && start > 0) /* else it is the root of the smaller tree, which is known */
		r = add(tree, ret_proof, start, end);
	reverse(ret_proof);
	return r;
}

int prove_leaf(struct tree *tree, uint64_t index, uint8_t ret_hash[SHA256_BYTES])
{
	return index < tree->size ? subtree(tree, 0, index, ret_hash) : -EINVAL;
}
