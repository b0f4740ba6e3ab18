#include "tools/verify/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/verify/tree/walk.h"

enum verdict log_newest(int dir_fd, const struct keyring *keyring, char *ret_bytes,
	size_t *ret_size, struct checkpoint *ret_checkpoint, struct fault *fault)
{
	ssize_t size = file_read(dir_fd, "checkpoint", ret_bytes, NOTE_BYTES_MAX);
	enum verdict verdict;
	size_t epoch;
	struct note note;
	const char *error;

	if (size == -ENOENT) {
		fault_set(fault, FAULT_CHECKPOINT_MISSING, "there is no newest checkpoint");
		fault_at(fault, "checkpoint", 0, 0);
		return VERDICT_INVALID;
	}
	if (size < 0)
		return fault_set(fault, FAULT_FAILED, "checkpoint: %s", strerror((int)-size));
	error = note_read((struct span){ret_bytes, (size_t)size}, &note);
	verdict = error ? fault_set(fault, FAULT_CHECKPOINT_FORM, "%s", error)
			: keyring_check(keyring, &note, ret_checkpoint, &epoch, fault);
	if (verdict == VERDICT_INVALID)
		fault_at(fault, "checkpoint", 0, 0);
	*ret_size = (size_t)size;
	return verdict;
}

static enum verdict at_record(struct walk *walk, enum verdict verdict)
{
	if (verdict == VERDICT_INVALID)
		fault_at(walk->fault, walk->path, walk->lines.number, walk_expected(walk));
	return verdict;
}

/* The oldest segments go first, each told by a record before it goes. */
static enum verdict take_retention(struct walk *walk, const struct record *record)
{
	const char *wrong = NULL;

	if (record->first_sequence > record->last_sequence ||
		record->last_sequence >= record->sequence)
		wrong = "the range in it is none that could have been removed";
	else if (walk->retention_next && record->first_sequence != walk->retention_next &&
		 record->last_sequence != walk->retained_to) /* told again after a crash */
		wrong = "it does not follow the range that was removed before it";
	if (wrong) {
		fault_set(walk->fault, FAULT_RETENTION, "%s", wrong);
		fault_found(walk->fault, "%" PRIu64 " to %" PRIu64, record->first_sequence,
			record->last_sequence);
		return VERDICT_INVALID;
	}
	walk->retained_to = record->last_sequence;
	walk->retention_next = record->last_sequence + 1;
	walk->explained |= record->last_sequence + 1 == walk->summary->first_kept;
	return VERDICT_VALID;
}

static void take_sandbox(struct walk *walk, const struct record *record)
{
	struct log_summary *summary = walk->summary;

	if (!walk->options->has_sandbox || !record->has_sandbox || !record->sandbox_sequence ||
		record->sandbox != walk->options->sandbox)
		return;
	summary->sandbox_records++;
	summary->sandbox_started |= record_is_start(record);
	summary->sandbox_ended |= strcmp(record->type, "sandbox.end") == 0;
}

static enum verdict take_meaning(
	struct walk *walk, const struct record *record, const struct hash *leaf)
{
	enum verdict verdict = streams_take(&walk->streams, record, leaf, walk->fault);

	if (strcmp(record->type, "audit.lost") == 0) {
		walk->told_lost += record->lost;
		walk->summary->n_lost += record->lost;
	}
	if (!verdict && strcmp(record->type, "audit.retention") == 0)
		verdict = take_retention(walk, record);
	take_sandbox(walk, record);
	return verdict;
}

static enum verdict add_leaf(struct walk *walk, const struct hash *leaf)
{
	struct hash path[TREE_LEVELS + 1];
	uint64_t index = walk->range.size;
	unsigned highest = range_add(&walk->range, leaf, path);

	return tiles_take(walk->tiles, index, path, highest, walk->fault);
}

/* A record whose segment was removed: its hash is in the tiles. */
static enum verdict take_removed(struct walk *walk)
{
	const struct hash *leaf;
	enum verdict verdict = tiles_leaf(walk->tiles, walk->range.size, &leaf, walk->fault);

	if (verdict)
		return verdict;
	if (!leaf) {
		fault_set(walk->fault, FAULT_SEGMENT_MISSING,
			"records are missing that no checkpoint covers");
		fault_at(walk->fault, "log", 0, walk_expected(walk));
		return VERDICT_INVALID;
	}
	return add_leaf(walk, leaf);
}

/* `*ret_end` at the end of the log. */
static enum verdict take_line(struct walk *walk, bool *ret_end)
{
	const struct hash *stored;
	struct record record;
	const char *line, *error;
	enum verdict verdict;
	struct hash leaf;
	size_t size;

	verdict = walk_line(walk, &line, &size);
	*ret_end = !line;
	if (verdict || !line)
		return verdict;
	verdict = tiles_leaf(walk->tiles, walk->range.size, &stored, walk->fault);
	if (verdict)
		return verdict;
	error = record_read(line, size, &record);
	hash_leaf(line, size, &leaf);
	if (error || record.sequence != walk_expected(walk) ||
		(stored && !hash_equal(stored, &leaf)))
		return walk_blame(walk, line, size, error ? NULL : &record, error);
	verdict = at_record(walk, take_meaning(walk, &record, &leaf));
	return verdict ? verdict : add_leaf(walk, &leaf);
}

static enum verdict check_retention(struct walk *walk)
{
	if (walk->summary->first_kept == 1 || walk->explained)
		return VERDICT_VALID;
	fault_set(walk->fault, FAULT_SEGMENT_MISSING,
		"the records before seq %" PRIu64 " are gone, and no retention explains that",
		walk->summary->first_kept);
	fault_at(walk->fault, "log", 0, 1);
	fault_expected(walk->fault, "an audit.retention up to seq %" PRIu64,
		walk->summary->first_kept - 1);
	if (walk->retained_to)
		fault_found(walk->fault, "one up to seq %" PRIu64, walk->retained_to);
	return VERDICT_INVALID;
}

static enum verdict check_all(struct walk *walk)
{
	enum verdict verdict = walk_checkpoints(walk);
	bool end = false;

	while (!verdict && !end) {
		if (walk_expected(walk) < walk->summary->first_kept)
			verdict = take_removed(walk);
		else
			verdict = take_line(walk, &end);
		if (!verdict && !end)
			verdict = walk_checkpoints(walk);
	}
	if (!verdict)
		verdict = walk_checkpoints_end(walk);
	if (!verdict)
		verdict = check_retention(walk);
	if (!verdict && walk->options->sealed &&
		(walk->range.size > walk->summary->n_signed || walk->summary->torn_bytes)) {
		fault_set(walk->fault, FAULT_UNSIGNED,
			"the records from here on are covered by no checkpoint");
		fault_at(walk->fault, walk->path, 0, walk->summary->n_signed + 1);
		verdict = VERDICT_INVALID;
	}
	return verdict;
}

static enum verdict open_walk(struct walk *walk, const struct keyring *keyring)
{
	const char *witness = walk->options->witness;
	enum verdict verdict = log_newest(walk->dir_fd, keyring, walk->newest, &walk->newest_size,
		&walk->newest_checkpoint, walk->fault);

	if (!verdict)
		verdict = history_open(&walk->history, keyring, walk->dir_fd, walk->fault);
	if (!verdict)
		verdict = history_next(&walk->history, walk->fault);
	if (!verdict && witness)
		verdict =
			history_open_file(&walk->witness, keyring, AT_FDCWD, witness, walk->fault);
	if (!verdict && witness)
		verdict = history_next(&walk->witness, walk->fault);
	if (!verdict)
		verdict = walk_open_segments(walk);
	if (!verdict)
		verdict = walk_ends_early(walk);
	if (verdict)
		return verdict;
	walk->tiles = tiles_new(walk->dir_fd, walk->newest_checkpoint.size);
	return walk->tiles ? VERDICT_VALID : fault_set(walk->fault, FAULT_FAILED, "memory is out");
}

static void close_walk(struct walk *walk)
{
	if (walk->fd >= 0)
		close(walk->fd);
	lines_fini(&walk->lines);
	history_fini(&walk->history);
	history_fini(&walk->witness);
	tiles_free(walk->tiles);
	streams_fini(&walk->streams);
	free(walk->segments);
	free(walk->here);
	free(walk);
}

enum verdict log_check(int dir_fd, const struct keyring *keyring, const struct log_options *options,
	struct log_summary *ret_summary, struct fault *fault)
{
	struct walk *walk = calloc(1, sizeof(*walk));
	enum verdict verdict;

	*ret_summary = (struct log_summary){0};
	if (!walk)
		return fault_set(fault, FAULT_FAILED, "memory is out");
	walk->dir_fd = dir_fd;
	walk->options = options;
	walk->summary = ret_summary;
	walk->fault = fault;
	walk->fd = walk->history.fd = walk->witness.fd = -1;
	verdict = open_walk(walk, keyring);
	if (!verdict)
		verdict = check_all(walk);
	snprintf(ret_summary->origin, sizeof(ret_summary->origin), "%s",
		keyring->epochs[keyring->pinned].key.name);
	ret_summary->n_records = walk->range.size;
	ret_summary->n_epochs = keyring->n;
	ret_summary->n_started = walk->streams.n_started;
	ret_summary->n_ended = walk->streams.n_ended;
	ret_summary->n_alive = walk->streams.n_alive;
	ret_summary->n_headless = walk->streams.n_headless;
	close_walk(walk);
	return verdict;
}
