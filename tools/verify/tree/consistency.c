#include "tools/verify/tree/consistency.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tools/verify/log/files.h"
#include "tools/verify/log/history.h"
#include "tools/verify/tree/proof.h"
#include "tools/verify/tree/tiles.h"

static enum verdict find_in_history(const struct keyring *keyring, int dir_fd, uint64_t size,
	struct checkpoint *ret_checkpoint, struct fault *fault)
{
	struct history *history = calloc(1, sizeof(*history));
	enum verdict verdict;

	if (!history)
		return fault_set(fault, FAULT_FAILED, "memory is out");
	verdict = history_open(history, keyring, dir_fd, fault);
	if (!verdict)
		verdict = history_next(history, fault);
	while (!verdict && history->there && history->checkpoint.size != size)
		verdict = history_next(history, fault);
	if (!verdict && !history->there)
		verdict = fault_set(fault, FAULT_FAILED,
			"the history holds no checkpoint of size %" PRIu64, size);
	*ret_checkpoint = history->checkpoint;
	history_fini(history);
	free(history);
	return verdict;
}

enum verdict consistency_read(const struct keyring *keyring, const char *name,
	const struct consistency_source *source, struct checkpoint *ret_checkpoint,
	struct fault *fault)
{
	char bytes[NOTE_BYTES_MAX];
	enum verdict verdict;
	uint64_t number;
	ssize_t size;

	if (source->dir_fd >= 0 && span_number((struct span){name, strlen(name)}, &number))
		return find_in_history(keyring, source->dir_fd, number, ret_checkpoint, fault);
	size = file_read(AT_FDCWD, name, bytes, sizeof(bytes));
	if (size < 0)
		return fault_set(fault, FAULT_FAILED, "%s: %s", name, strerror((int)-size));
	verdict = keyring_check_alone(
		keyring, (struct span){bytes, (size_t)size}, ret_checkpoint, fault);
	if (verdict == VERDICT_INVALID)
		fault_at(fault, name, 0, 0);
	return verdict;
}

static enum verdict forked(const struct checkpoint *older, const struct checkpoint *newer,
	const char *what, struct fault *fault)
{
	char text[HASH_TEXT_SIZE];

	fault_set(fault, FAULT_FORKED, "%s", what);
	fault_expected(fault, "size %" PRIu64 ", root %s, to be the beginning", older->size,
		hash_text(&older->root, text));
	fault_found(fault, "size %" PRIu64 ", root %s", newer->size, hash_text(&newer->root, text));
	return VERDICT_INVALID;
}

static enum verdict check_tiles(const struct checkpoint *older, const struct checkpoint *newer,
	int dir_fd, struct fault *fault)
{
	struct tiles *tiles = tiles_new(dir_fd, newer->size);
	struct hash older_root, newer_root;
	enum verdict verdict;

	if (!tiles)
		return fault_set(fault, FAULT_FAILED, "memory is out");
	verdict = tiles_root(tiles, newer->size, &newer_root, fault);
	if (!verdict)
		verdict = tiles_root(tiles, older->size, &older_root, fault);
	tiles_free(tiles);
	if (verdict)
		return verdict;
	if (!hash_equal(&newer_root, &newer->root))
		return forked(
			older, newer, "the tiles are not those of the newer checkpoint", fault);
	if (!hash_equal(&older_root, &older->root))
		return forked(older, newer, "the newer tree does not begin with the older", fault);
	return VERDICT_VALID;
}

static enum verdict check_proof(const struct checkpoint *older, const struct checkpoint *newer,
	const char *path, struct fault *fault)
{
	char *bytes = malloc(PROOF_BYTES_MAX);
	struct proof *proof = malloc(sizeof(*proof));
	enum verdict verdict = VERDICT_VALID;
	const char *error = NULL;
	ssize_t size = -1;

	if (!bytes || !proof)
		verdict = fault_set(fault, FAULT_FAILED, "memory is out");
	else if ((size = file_read(AT_FDCWD, path, bytes, PROOF_BYTES_MAX)) < 0)
		verdict = fault_set(fault, FAULT_FAILED, "%s: %s", path, strerror((int)-size));
	else
		error = proof_read(bytes, (size_t)size, proof);
	if (!verdict && !error && !proof->is_consistency)
		error = "it is no proof of consistency";
	if (!verdict && !error && (proof->from != older->size || proof->to != newer->size))
		error = "it is between other sizes than those of the checkpoints";
	if (error)
		verdict = fault_set(fault, FAULT_PROOF, "%s", error);
	if (error)
		fault_at(fault, path, 0, 0);
	if (!verdict && !tree_extends(older->size, newer->size, &older->root, &newer->root,
				proof->hashes, proof->n_hashes))
		verdict = forked(older, newer,
			"the proof does not lead from the older tree to the newer", fault);
	free(bytes);
	free(proof);
	return verdict;
}

enum verdict consistency_check(const struct checkpoint *older, const struct checkpoint *newer,
	const struct consistency_source *source, struct fault *fault)
{
	if (older->size > newer->size)
		return fault_set(fault, FAULT_FAILED, "the older checkpoint comes first");
	if (older->size == newer->size && !hash_equal(&older->root, &newer->root))
		return forked(
			older, newer, "two checkpoints of one size have different roots", fault);
	if (older->size == newer->size)
		return VERDICT_VALID;
	return source->dir_fd >= 0 ? check_tiles(older, newer, source->dir_fd, fault)
				   : check_proof(older, newer, source->proof, fault);
}
