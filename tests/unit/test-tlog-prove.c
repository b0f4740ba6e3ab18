/* supervisor/tlog/prove.c: proofs hash by hash as RFC 9162 defines them, for all sizes that a tree
 * had, whether their tiles are on the disk or in memory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/tlog/prove.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

#define N 70000

static struct tree tree;
static char directory[64];
static int dir_fd;
static uint8_t (*leaves)[SHA256_BYTES];

static void begin(uint64_t size)
{
	snprintf(directory, sizeof(directory), "/tmp/cloche-test-prove-XXXXXX");
	CHECK(mkdtemp(directory));
	dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(tree_init(&tree, dir_fd), 0);
	leaves = calloc(N, sizeof(*leaves));
	while (tree.size < size) {
		uint8_t *leaf = leaves[tree.size];

		CHECK_INT(tree_hash_leaf(&tree, &tree.size, sizeof(tree.size), leaf), 0);
		tree_append(&tree, leaf);
	}
}

static void end(void)
{
	tree_fini(&tree);
	close(dir_fd);
	free(leaves);
	audit_scene_remove_tree(directory);
}

static size_t split(size_t n)
{
	size_t k = 1;

	while (k * 2 < n)
		k *= 2;
	return k;
}

static void naive_root(size_t start, size_t end_, uint8_t *ret)
{
	uint8_t node[1 + 2 * SHA256_BYTES] = {0x01};
	size_t k = split(end_ - start);

	if (end_ - start == 1) {
		memcpy(ret, leaves[start], SHA256_BYTES);
		return;
	}
	naive_root(start, start + k, node + 1);
	naive_root(start + k, end_, node + 1 + SHA256_BYTES);
	sha256(node, sizeof(node), ret);
}

/* PATH(m, D[start:end]) of 2.1.3.1. */
static void naive_path(size_t m, size_t start, size_t end_, struct prove *proof)
{
	size_t k = split(end_ - start);

	if (end_ - start == 1)
		return;
	naive_path(m < k ? m : m - k, m < k ? start : start + k, m < k ? start + k : end_, proof);
	naive_root(m < k ? start + k : start, m < k ? end_ : start + k, proof->hashes[proof->n++]);
}

/* SUBPROOF(m, D[start:end], whole) of 2.1.4.1. */
static void naive_subproof(size_t m, size_t start, size_t end_, bool whole, struct prove *proof)
{
	size_t k = split(end_ - start);

	if (m == end_ - start) {
		if (!whole)
			naive_root(start, end_, proof->hashes[proof->n++]);
		return;
	}
	if (m <= k) {
		naive_subproof(m, start, start + k, whole, proof);
		naive_root(start + k, end_, proof->hashes[proof->n++]);
	} else {
		naive_subproof(m - k, start + k, end_, false, proof);
		naive_root(start, start + k, proof->hashes[proof->n++]);
	}
}

static void check_equal(const struct prove *one, const struct prove *other)
{
	CHECK_INT(one->n, other->n);
	CHECK(memcmp(one->hashes, other->hashes, one->n * SHA256_BYTES) == 0);
}

static void check_both(uint64_t a, uint64_t b)
{
	struct prove proof, expected = {.n = 0};

	CHECK_INT(prove_inclusion(&tree, a - 1, b, &proof), 0);
	naive_path(a - 1, 0, b, &expected);
	check_equal(&proof, &expected);
	expected.n = 0;
	CHECK_INT(prove_consistency(&tree, a, b, &proof), 0);
	naive_subproof(a, 0, b, true, &expected);
	check_equal(&proof, &expected);
}

TEST(proofs_are_those_of_the_definition_for_every_size)
{
	begin(600);
	for (uint64_t size = 1; size <= 80; size++)
		for (uint64_t from = 1; from <= size; from++)
			check_both(from, size);
	for (uint64_t size = 250; size <= 600; size += 7)
		for (uint64_t from = 1; from <= size; from += 11)
			check_both(from, size);
	end();
}

TEST(proofs_of_a_large_tree_go_over_levels_of_tiles)
{
	static const uint64_t sizes[] = {1, 255, 256, 257, 65535, 65536, 65537, 69999, 70000};

	begin(N);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t j = i; j < sizeof(sizes) / sizeof(sizes[0]); j++)
			check_both(sizes[i], sizes[j]);
	end();
}

TEST(a_leaf_is_the_one_that_was_added)
{
	uint8_t hash[SHA256_BYTES];

	begin(300);
	for (uint64_t index = 0; index < 300; index++) {
		CHECK_INT(prove_leaf(&tree, index, hash), 0);
		CHECK(memcmp(hash, leaves[index], sizeof(hash)) == 0);
	}
	CHECK_INT(prove_leaf(&tree, 300, hash), -EINVAL);
	end();
}

TEST(no_proof_is_made_of_what_the_tree_has_not)
{
	struct prove proof;

	begin(300);
	CHECK_INT(prove_inclusion(&tree, 300, 300, &proof), -EINVAL);
	CHECK_INT(prove_inclusion(&tree, 0, 301, &proof), -EINVAL);
	CHECK_INT(prove_consistency(&tree, 0, 300, &proof), -EINVAL);
	CHECK_INT(prove_consistency(&tree, 200, 199, &proof), -EINVAL);
	CHECK_INT(prove_consistency(&tree, 200, 301, &proof), -EINVAL);
	end();
}

TEST(a_tile_that_is_missing_is_said)
{
	struct prove proof;

	begin(600);
	CHECK_INT(unlinkat(dir_fd, "tile/0/000", 0), 0);
	CHECK_INT(prove_inclusion(&tree, 10, 600, &proof), -ENOENT);
	CHECK_INT(prove_inclusion(&tree, 590, 600, &proof), 0);
	end();
}
