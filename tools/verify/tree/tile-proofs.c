/* Proofs out of tiles: each hash of a proof is the root of a stretch [start, end) of leaves, where
 * start is a multiple of the power of two that is not below its length. */
#include "tools/verify/tree/tiles.h"

/* The largest power of two below `n`, for n > 1, as its exponent. */
static unsigned split(uint64_t n)
{
	return 63 - (unsigned)__builtin_clzll(n - 1);
}

/* The root of a stretch: its whole subtrees, from right to left. */
static enum verdict stretch_root(struct tiles *tiles, uint64_t start, uint64_t end,
	struct hash *ret_root, struct fault *fault)
{
	enum verdict verdict = VERDICT_VALID;
	struct hash root, node;
	bool any = false;

	while (start < end && !verdict) {
		unsigned level = (unsigned)__builtin_ctzll(end - start);

		verdict = tiles_node(tiles, level, (end - 1) >> level, &node, fault);
		if (verdict)
			return verdict;
		if (any)
			hash_node(&node, &root, &root);
		else
			root = node;
		any = true;
		end -= 1ull << level;
	}
	*ret_root = root;
	return verdict;
}

enum verdict tiles_root(
	struct tiles *tiles, uint64_t size, struct hash *ret_root, struct fault *fault)
{
	if (size == 0) {
		hash_bytes("", 0, ret_root);
		return VERDICT_VALID;
	}
	return stretch_root(tiles, 0, size, ret_root, fault);
}

/* Proofs go from the leaf up, the walk goes down. */
static void reverse(struct hash *hashes, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct hash kept = hashes[i];

		hashes[i] = hashes[n - 1 - i];
		hashes[n - 1 - i] = kept;
	}
}

enum verdict tiles_prove_leaf(struct tiles *tiles, uint64_t index, uint64_t size,
	struct hash *ret_proof, size_t *ret_n, struct fault *fault)
{
	uint64_t start = 0, end = size;
	enum verdict verdict = VERDICT_VALID;
	size_t n = 0;

	while (end - start > 1 && !verdict) {
		uint64_t middle = start + (1ull << split(end - start));

		if (index < middle) {
			verdict = stretch_root(tiles, middle, end, &ret_proof[n++], fault);
			end = middle;
		} else {
			verdict = stretch_root(tiles, start, middle, &ret_proof[n++], fault);
			start = middle;
		}
	}
	reverse(ret_proof, n);
	*ret_n = n;
	return verdict;
}
