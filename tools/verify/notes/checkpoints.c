/* The checkpoints of a log, each compared with the tree when it has the size that it tells of. */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/verify/tree/walk.h"

#define BATCH_NS 60000000000ull /* what a slow disk may keep a batch of checkpoints waiting */

static enum verdict at_note(struct walk *walk, const struct history *history)
{
	fault_at(walk->fault, history->path, history->line, 0);
	return VERDICT_INVALID;
}

static enum verdict compare_root(
	struct walk *walk, const struct history *history, enum fault_kind kind, const char *what)
{
	char text[HASH_TEXT_SIZE];
	struct hash root;

	range_root(&walk->range, &root);
	if (hash_equal(&root, &history->checkpoint.root))
		return VERDICT_VALID;
	fault_set(walk->fault, kind, "%s", what);
	if (kind == FAULT_HISTORY)
		fault_set(walk->fault, kind,
			"the records %" PRIu64 " to %" PRIu64 " are not those that were signed",
			walk->before.size + 1, walk->range.size);
	at_note(walk, history);
	fault_expected(walk->fault, "root %s at size %" PRIu64,
		hash_text(&history->checkpoint.root, text), walk->range.size);
	fault_found(walk->fault, "root %s", hash_text(&root, text));
	return VERDICT_INVALID;
}

/* Time passes by the machine's clock, which may be set back: that is no fault. */
static enum verdict check_gap(struct walk *walk)
{
	const struct checkpoint *now = &walk->history.checkpoint, *before = &walk->before;
	uint64_t gap_ns = now->time_ns > before->time_ns ? now->time_ns - before->time_ns : 0;

	if (walk->summary->n_checkpoints == 0)
		return VERDICT_VALID;
	if (strcmp(now->reason, "start") == 0) {
		walk->summary->n_stops++;
		return VERDICT_VALID;
	}
	if (gap_ns > walk->summary->longest_gap_ns)
		walk->summary->longest_gap_ns = gap_ns;
	if (!walk->options->max_gap_ns || gap_ns <= walk->options->max_gap_ns)
		return VERDICT_VALID;
	fault_set(walk->fault, FAULT_CHECKPOINT_GAP,
		"no checkpoint came for longer than allowed: some may be missing");
	at_note(walk, &walk->history);
	fault_expected(walk->fault, "at most %" PRIu64 " ms after the one before it",
		walk->options->max_gap_ns / 1000000);
	fault_found(walk->fault, "%" PRIu64 " ms", gap_ns / 1000000);
	return VERDICT_INVALID;
}

static enum verdict check_lost(struct walk *walk)
{
	const struct checkpoint *now = &walk->history.checkpoint;

	if (walk->range.size + 1 < walk->summary->first_kept)
		return VERDICT_VALID;
	if (!walk->lost_known) { /* what the removed records told is in the checkpoint */
		walk->lost_known = true;
		walk->told_lost = now->lost;
	}
	if (now->lost == walk->told_lost)
		return VERDICT_VALID;
	fault_set(walk->fault, FAULT_LOST,
		"the records of loss do not add up to what the checkpoint tells");
	at_note(walk, &walk->history);
	fault_expected(walk->fault, "%" PRIu64 " lost", now->lost);
	fault_found(walk->fault, "%" PRIu64 " told by audit.lost", walk->told_lost);
	return VERDICT_INVALID;
}

static enum verdict check_one(struct walk *walk)
{
	const struct history *history = &walk->history;
	enum verdict verdict = compare_root(walk, history, FAULT_HISTORY, "");

	if (!verdict)
		verdict = check_gap(walk);
	if (!verdict)
		verdict = check_lost(walk);
	if (verdict)
		return verdict;
	if (walk->newest_found)
		walk->n_after_newest++;
	if (history->size == walk->newest_size &&
		memcmp(history->bytes, walk->newest, history->size) == 0) {
		walk->newest_found = true;
		walk->n_after_newest = 0;
	}
	walk->before = history->checkpoint;
	walk->summary->n_checkpoints++;
	walk->summary->n_signed = history->checkpoint.size;
	return VERDICT_VALID;
}

/* Remembers a note for the witness's of the same size. */
static enum verdict remember(struct walk *walk)
{
	const struct history *history = &walk->history;
	struct walk_note *larger;

	if (!walk->options->witness || history->checkpoint.number == 0)
		return VERDICT_VALID;
	larger = walk->here;
	if ((walk->n_here & (walk->n_here - 1)) == 0) /* doubles */
		larger = realloc(larger, (walk->n_here ? 2 * walk->n_here : 1) * sizeof(*larger));
	if (!larger)
		return fault_set(walk->fault, FAULT_FAILED, "memory is out");
	walk->here = larger;
	larger += walk->n_here++;
	larger->number = history->checkpoint.number;
	hash_leaf(history->bytes, history->size, &larger->hash);
	return VERDICT_VALID;
}

/* A note that was handed out is in the history for ever, whatever its root. */
static enum verdict find_witnessed(struct walk *walk)
{
	const struct history *witness = &walk->witness;
	uint64_t number = witness->checkpoint.number;
	struct hash hash;

	if (number == 0)
		return VERDICT_VALID;
	hash_leaf(witness->bytes, witness->size, &hash);
	for (size_t i = 0; i < walk->n_here; i++) {
		if (walk->here[i].number != number)
			continue;
		if (hash_equal(&walk->here[i].hash, &hash))
			return VERDICT_VALID;
		fault_set(walk->fault, FAULT_FORKED,
			"the witness holds another checkpoint of this number by the same key");
		return at_note(walk, witness);
	}
	fault_set(walk->fault, walk->history.there ? FAULT_CHECKPOINT_MISSING : FAULT_ROLLED_BACK,
		"the witness holds a checkpoint that is not in the history");
	at_note(walk, witness);
	fault_expected(walk->fault, "number %" PRIu64 " of size %" PRIu64, number,
		witness->checkpoint.size);
	return VERDICT_INVALID;
}

enum verdict walk_checkpoints(struct walk *walk)
{
	enum verdict verdict = VERDICT_VALID;

	walk->n_here = 0;
	while (!verdict && walk->history.there &&
		walk->history.checkpoint.size == walk->range.size) {
		verdict = check_one(walk);
		if (!verdict)
			verdict = remember(walk);
		if (!verdict)
			verdict = history_next(&walk->history, walk->fault);
	}
	while (!verdict && walk->witness.there &&
		walk->witness.checkpoint.size == walk->range.size) {
		verdict = compare_root(walk, &walk->witness, FAULT_FORKED,
			"the witness holds a checkpoint of another history by the same key");
		if (!verdict)
			verdict = find_witnessed(walk);
		walk->summary->n_witnessed++;
		if (!verdict)
			verdict = history_next(&walk->witness, walk->fault);
		if (!verdict && walk->witness.there &&
			walk->witness.checkpoint.size < walk->range.size)
			verdict = fault_set(walk->fault, FAULT_FAILED,
				"%s: the checkpoints of a witness must be sorted by size",
				walk->witness.path);
	}
	return verdict;
}

static enum verdict truncated(struct walk *walk, const char *path, uint64_t line, uint64_t size)
{
	fault_set(walk->fault, FAULT_TRUNCATED,
		"the log ends with seq %" PRIu64 ", before what this checkpoint covers",
		walk->range.size);
	fault_at(walk->fault, path, line, walk_expected(walk));
	fault_expected(walk->fault, "%" PRIu64 " records", size);
	fault_found(walk->fault, "%" PRIu64, walk->range.size);
	return VERDICT_INVALID;
}

static enum verdict check_newest(struct walk *walk)
{
	char bytes[NOTE_BYTES_MAX];
	ssize_t size;

	if (!walk->newest_found) {
		fault_set(walk->fault, FAULT_CHECKPOINT_MISSING,
			"the newest checkpoint is not in the history");
		fault_at(walk->fault, "checkpoint", 0, 0);
		return VERDICT_INVALID;
	}
	/* A crash may leave the history one batch ahead of the file; a log that is being written
	 * has moved on meanwhile. */
	if (walk->n_after_newest <= 1 ||
		walk->before.time_ns < walk->newest_checkpoint.time_ns + BATCH_NS)
		return VERDICT_VALID;
	size = file_read(walk->dir_fd, "checkpoint", bytes, sizeof(bytes));
	if (size != (ssize_t)walk->newest_size ||
		memcmp(bytes, walk->newest, walk->newest_size) != 0)
		return VERDICT_VALID;
	fault_set(walk->fault, FAULT_ROLLED_BACK,
		"the newest checkpoint is older than what the history ends with");
	fault_at(walk->fault, "checkpoint", 0, 0);
	fault_expected(walk->fault, "size %" PRIu64, walk->before.size);
	fault_found(walk->fault, "size %" PRIu64, walk->newest_checkpoint.size);
	return VERDICT_INVALID;
}

enum verdict walk_checkpoints_end(struct walk *walk)
{
	if (walk->history.there)
		return truncated(walk, walk->history.path, walk->history.line,
			walk->history.checkpoint.size);
	if (walk->newest_checkpoint.size > walk->range.size)
		return truncated(walk, "checkpoint", 0, walk->newest_checkpoint.size);
	if (walk->witness.there) {
		fault_set(walk->fault, FAULT_ROLLED_BACK,
			"the witness holds a checkpoint of a log that was longer");
		at_note(walk, &walk->witness);
		fault_expected(
			walk->fault, "%" PRIu64 " records or more", walk->witness.checkpoint.size);
		fault_found(walk->fault, "%" PRIu64, walk->range.size);
		return VERDICT_INVALID;
	}
	if (walk->summary->n_checkpoints == 0) {
		fault_set(walk->fault, FAULT_CHECKPOINT_MISSING,
			"the history holds no checkpoint: nothing of this log is signed");
		fault_at(walk->fault, "checkpoints", 0, 0);
		return VERDICT_INVALID;
	}
	if (walk->history.epoch < walk->history.keyring->pinned) {
		fault_set(walk->fault, FAULT_SIGNATURE,
			"no checkpoint is signed by the key that was given, or a later one");
		fault_at(walk->fault, walk->history.path, walk->history.line, 0);
		return VERDICT_INVALID;
	}
	return check_newest(walk);
}
