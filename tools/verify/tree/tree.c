#include "tools/verify/tree/tree.h"

unsigned range_add(struct range *range, const struct hash *leaf, struct hash *ret_path)
{
	unsigned level = 0;

	ret_path[0] = *leaf;
	for (; range->size >> level & 1; level++)
		hash_node(&range->nodes[level], &ret_path[level], &ret_path[level + 1]);
	range->nodes[level] = ret_path[level];
	range->size++;
	return level;
}

void range_root(const struct range *range, struct hash *ret_root)
{
	struct hash root;
	bool any = false;

	if (range->size == 0) {
		hash_bytes("", 0, ret_root);
		return;
	}
	for (unsigned level = 0; level < TREE_LEVELS; level++) {
		if (!(range->size >> level & 1))
			continue;
		if (any)
			hash_node(&range->nodes[level], &root, &root);
		else
			root = range->nodes[level];
		any = true;
	}
	*ret_root = root;
}

bool tree_includes(uint64_t index, uint64_t size, const struct hash *leaf, const struct hash *proof,
	size_t n_proof, const struct hash *root)
{
	uint64_t at = index, last = size - 1;
	struct hash hash = *leaf;

	if (index >= size)
		return false;
	for (size_t i = 0; i < n_proof; i++) {
		if (last == 0)
			return false;
		if (at & 1 || at == last) {
			hash_node(&proof[i], &hash, &hash);
			while (!(at & 1) && at) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			hash_node(&hash, &proof[i], &hash);
		}
		at >>= 1;
		last >>= 1;
	}
	return last == 0 && hash_equal(&hash, root);
}

/* Both roots are rebuilt from the proof; `first` begins it, or is the old root itself. */
static bool rebuild(uint64_t from, uint64_t to, const struct hash *first, const struct hash *proof,
	size_t n_proof, const struct hash *from_root, const struct hash *to_root)
{
	uint64_t at = from - 1, last = to - 1;
	struct hash old = *first, new = *first;

	for (; at & 1; at >>= 1)
		last >>= 1;
	for (size_t i = 0; i < n_proof; i++) {
		if (last == 0)
			return false;
		if (at & 1 || at == last) {
			hash_node(&proof[i], &old, &old);
			hash_node(&proof[i], &new, &new);
			while (!(at & 1) && at) {
				at >>= 1;
				last >>= 1;
			}
		} else {
			hash_node(&new, &proof[i], &new);
		}
		at >>= 1;
		last >>= 1;
	}
	return last == 0 && hash_equal(&old, from_root) && hash_equal(&new, to_root);
}

bool tree_extends(uint64_t from, uint64_t to, const struct hash *from_root,
	const struct hash *to_root, const struct hash *proof, size_t n_proof)
{
	if (from > to)
		return false;
	if (from == to)
		return n_proof == 0 && hash_equal(from_root, to_root);
	if (from == 0) {
		struct hash empty;

		hash_bytes("", 0, &empty);
		return n_proof == 0 && hash_equal(from_root, &empty);
	}
	if ((from & (from - 1)) == 0)
		return rebuild(from, to, from_root, proof, n_proof, from_root, to_root);
	return n_proof > 0 &&
	       rebuild(from, to, &proof[0], proof + 1, n_proof - 1, from_root, to_root);
}
