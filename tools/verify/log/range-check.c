#include "tools/verify/log/range-check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/verify/tree/walk.h"

/* The proof of a tile's first leaf is made of hashes of all its other leaves: it binds them too. */
static enum verdict check_tile(struct walk *walk, uint64_t index)
{
	const struct checkpoint *newest = &walk->newest_checkpoint;
	uint64_t first = index - index % TILE_WIDTH;
	struct hash proof[TREE_PROOF_MAX];
	const struct hash *leaf;
	enum verdict verdict;
	size_t n;

	verdict = tiles_prove_leaf(walk->tiles, first, newest->size, proof, &n, walk->fault);
	if (!verdict)
		verdict = tiles_leaf(walk->tiles, first, &leaf, walk->fault);
	if (verdict || tree_includes(first, newest->size, leaf, proof, n, &newest->root))
		return verdict;
	fault_set(walk->fault, FAULT_TILE,
		"the tiles do not lead to the root of the newest checkpoint");
	fault_at(walk->fault, "tile", 0, first + 1);
	return VERDICT_INVALID;
}

/* Goes to the segment that holds the first record, and to its line. */
static enum verdict seek(struct walk *walk, uint64_t from, uint64_t to)
{
	const char *line;
	size_t size;
	enum verdict verdict = VERDICT_VALID;

	if (to > walk->newest_checkpoint.size) {
		fault_set(walk->fault, FAULT_UNSIGNED,
			"the newest checkpoint covers no more than %" PRIu64 " records",
			walk->newest_checkpoint.size);
		fault_at(walk->fault, "checkpoint", 0, walk->newest_checkpoint.size + 1);
		return VERDICT_INVALID;
	}
	while (walk->next_segment < walk->n_segments && walk->segments[walk->next_segment] <= from)
		walk->next_segment++;
	if (walk->next_segment == 0) {
		fault_set(walk->fault, FAULT_SEGMENT_MISSING,
			"the record was removed, or its segment is missing");
		fault_at(walk->fault, "log", 0, from);
		return VERDICT_INVALID;
	}
	walk->next_segment--;
	walk->range.size = walk->segments[walk->next_segment] - 1;
	while (!verdict && walk_expected(walk) < from) {
		verdict = walk_line(walk, &line, &size);
		if (!verdict && !line)
			return VERDICT_VALID; /* said when the record itself is not there */
		walk->range.size++;
	}
	return verdict;
}

static enum verdict check_line(struct walk *walk)
{
	uint64_t index = walk->range.size;
	const struct hash *stored;
	struct record record;
	const char *line, *error;
	struct hash leaf;
	size_t size;
	enum verdict verdict = walk_line(walk, &line, &size);

	if (verdict)
		return verdict;
	if (!line) {
		fault_set(walk->fault, FAULT_TRUNCATED, "the log ends before the range does");
		fault_at(walk->fault, walk->path, walk->lines.number, index + 1);
		return VERDICT_INVALID;
	}
	verdict = tiles_leaf(walk->tiles, index, &stored, walk->fault);
	if (verdict)
		return verdict;
	error = record_read(line, size, &record);
	hash_leaf(line, size, &leaf);
	if (error || record.sequence != index + 1 || !hash_equal(&leaf, stored))
		return walk_blame(walk, line, size, error ? NULL : &record, error);
	walk->range.size++;
	walk->summary->n_records++;
	return VERDICT_VALID;
}

static enum verdict check_range(
	struct walk *walk, const struct keyring *keyring, uint64_t from, uint64_t to)
{
	enum verdict verdict = log_newest(walk->dir_fd, keyring, walk->newest, &walk->newest_size,
		&walk->newest_checkpoint, walk->fault);

	if (!verdict)
		verdict = walk_open_segments(walk);
	if (verdict)
		return verdict;
	walk->tiles = tiles_new(walk->dir_fd, walk->newest_checkpoint.size);
	if (!walk->tiles)
		return fault_set(walk->fault, FAULT_FAILED, "memory is out");
	verdict = seek(walk, from, to);
	for (uint64_t sequence = from; !verdict && sequence <= to; sequence++) {
		if (sequence == from || (sequence - 1) % TILE_WIDTH == 0)
			verdict = check_tile(walk, sequence - 1);
		if (!verdict)
			verdict = check_line(walk);
	}
	return verdict;
}

enum verdict range_check(int dir_fd, const struct keyring *keyring, uint64_t from, uint64_t to,
	struct range_summary *ret_summary, struct fault *fault)
{
	struct log_summary summary = {0};
	struct walk *walk = calloc(1, sizeof(*walk));
	enum verdict verdict;

	if (!walk)
		return fault_set(fault, FAULT_FAILED, "memory is out");
	walk->dir_fd = dir_fd;
	walk->summary = &summary;
	walk->fault = fault;
	walk->fd = -1;
	verdict = check_range(walk, keyring, from, to);
	*ret_summary = (struct range_summary){summary.n_records, walk->newest_checkpoint.size};
	if (walk->fd >= 0)
		close(walk->fd);
	lines_fini(&walk->lines);
	tiles_free(walk->tiles);
	free(walk->segments);
	free(walk);
	return verdict;
}
