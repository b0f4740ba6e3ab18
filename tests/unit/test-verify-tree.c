/* Roots, inclusion and consistency: all sizes up to a few tiles' worth, against the definitions of
 * RFC 9162 as the harness wrote them down. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/harness/check.h"
#include "tests/harness/made-log.h"
#include "tools/verify/tree/proof.h"

#define N 70

static struct made_log *small_log(void)
{
	struct made_log *log = made_log_new(1);

	for (int i = 1; i < N; i++)
		made_log_add(log, "test", "");
	return log;
}

static void root_of(const struct made_log *log, uint64_t size, struct hash *ret_root)
{
	made_log_root(log, 0, size, ret_root->bytes);
}

TEST(verify_tree_root_is_that_of_the_definition)
{
	struct made_log *log = small_log();
	struct range range = {0};

	for (uint64_t size = 0; size <= N; size++) {
		struct hash path[TREE_LEVELS + 1], leaf, root, expected;

		range_root(&range, &root);
		root_of(log, size, &expected);
		CHECK(hash_equal(&root, &expected));
		if (size == N)
			break;
		hash_leaf(log->lines[size], strlen(log->lines[size]), &leaf);
		range_add(&range, &leaf, path);
	}
	made_log_free(log);
}

/* Every proof is right, and is wrong for another leaf, place, size, and without its last hash. */
TEST(verify_tree_takes_right_proofs_of_inclusion_only)
{
	struct made_log *log = small_log();
	struct proof *proof = malloc(sizeof(*proof));
	char text[16384];

	for (uint64_t size = 1; size <= N; size++)
		for (uint64_t index = 0; index < size; index++) {
			struct made_note note = {.size = size, .reason = "records"};
			struct hash root, other = {{1}};

			made_log_proof(log, index + 1, &note, text, sizeof(text));
			CHECK(!proof_read(text, strlen(text), proof));
			root_of(log, size, &root);
			CHECK(tree_includes(
				index, size, &proof->leaf, proof->hashes, proof->n_hashes, &root));
			CHECK(!tree_includes(
				index, size, &other, proof->hashes, proof->n_hashes, &root));
			CHECK(!tree_includes(index, size, &proof->leaf, proof->hashes,
				proof->n_hashes + 1, &root));
			CHECK(size == 1 || !tree_includes((index + 1) % size, size, &proof->leaf,
						   proof->hashes, proof->n_hashes, &root));
			CHECK(!proof->n_hashes ||
				!tree_includes(index, size, &proof->leaf, proof->hashes,
					proof->n_hashes - 1, &root));
		}
	CHECK(!tree_includes(0, 0, &proof->leaf, proof->hashes, 0, &proof->leaf));
	free(proof);
	made_log_free(log);
}

TEST(verify_tree_takes_right_proofs_of_consistency_only)
{
	struct made_log *log = small_log();
	struct proof *proof = malloc(sizeof(*proof));
	char text[16384];

	for (uint64_t to = 0; to <= N; to++)
		for (uint64_t from = 0; from <= to; from++) {
			struct hash older, newer, other = {{1}};

			made_log_consistency(log, from, to, text, sizeof(text));
			CHECK(!proof_read(text, strlen(text), proof));
			root_of(log, from, &older);
			root_of(log, to, &newer);
			CHECK(tree_extends(
				from, to, &older, &newer, proof->hashes, proof->n_hashes));
			CHECK(!tree_extends(
				from, to, &other, &newer, proof->hashes, proof->n_hashes));
			CHECK(from == 0 || !tree_extends(from, to, &older, &other, proof->hashes,
						   proof->n_hashes));
			CHECK(!tree_extends(
				from, to, &older, &newer, proof->hashes, proof->n_hashes + 1));
			CHECK(!proof->n_hashes || !tree_extends(from, to, &older, &newer,
							  proof->hashes, proof->n_hashes - 1));
		}
	CHECK(!tree_extends(2, 1, &proof->leaf, &proof->leaf, proof->hashes, 0));
	free(proof);
	made_log_free(log);
}
