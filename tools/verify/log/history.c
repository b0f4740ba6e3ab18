#include "tools/verify/log/history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum verdict history_open(
	struct history *history, const struct keyring *keyring, int dir_fd, struct fault *fault)
{
	ssize_t n;

	memset(history, 0, sizeof(*history));
	history->keyring = keyring;
	history->dir_fd = dir_fd;
	history->fd = -1;
	if (lines_init(&history->lines, -1, NOTE_BYTES_MAX) < 0)
		return fault_set(fault, FAULT_FAILED, "memory is out");
	n = files_list(dir_fd, "checkpoints", ".notes", &history->files);
	if (n < 0)
		return fault_set(fault, FAULT_FAILED, "checkpoints/: %s", strerror((int)-n));
	history->n_files = (size_t)n;
	return VERDICT_VALID;
}

static enum verdict open_path(struct history *history, const char *path, struct fault *fault)
{
	history->fd = file_open(history->dir_fd, path);
	if (history->fd < 0)
		return fault_set(fault, FAULT_FAILED, "%s: %s", path, strerror(-history->fd));
	snprintf(history->path, sizeof(history->path), "%s", path);
	lines_reset(&history->lines, history->fd);
	return VERDICT_VALID;
}

enum verdict history_open_file(struct history *history, const struct keyring *keyring, int dir_fd,
	const char *path, struct fault *fault)
{
	memset(history, 0, sizeof(*history));
	history->keyring = keyring;
	history->dir_fd = dir_fd;
	history->fd = -1;
	history->alone = true;
	if (lines_init(&history->lines, -1, NOTE_BYTES_MAX) < 0)
		return fault_set(fault, FAULT_FAILED, "memory is out");
	return open_path(history, path, fault);
}

void history_fini(struct history *history)
{
	if (history->fd >= 0)
		close(history->fd);
	lines_fini(&history->lines);
	free(history->files);
	history->fd = -1;
	history->files = NULL;
}

static enum verdict misplaced(
	struct history *history, enum fault_kind kind, const char *what, struct fault *fault)
{
	fault_set(fault, kind, "%s", what);
	fault_at(fault, history->path, history->line, 0);
	return VERDICT_INVALID;
}

/* One note into `bytes`: text, an empty line, signatures; the empty line after those is dropped.
 * `*ret_whole` is false at the end of the file; a note that it cuts off is `torn`. */
static enum verdict read_note(struct history *history, bool *ret_whole, struct fault *fault)
{
	bool in_signatures = false;
	const char *line;
	size_t size;
	int r;

	history->size = 0;
	history->line = history->lines.number + 1;
	while ((r = lines_next(&history->lines, &line, &size)) > 0) {
		if (size == 0 && (in_signatures || history->size == 0)) {
			*ret_whole = true;
			return VERDICT_VALID;
		}
		in_signatures |= size == 0;
		if (history->size + size + 1 > sizeof(history->bytes))
			return misplaced(history, FAULT_CHECKPOINT_FORM,
				"it is longer than any checkpoint", fault);
		memcpy(history->bytes + history->size, line, size);
		history->bytes[history->size + size] = '\n';
		history->size += size + 1;
	}
	if (r == -EMSGSIZE)
		return misplaced(history, FAULT_CHECKPOINT_FORM, "the line is too long", fault);
	if (r < 0 && r != -EBADMSG)
		return fault_set(fault, FAULT_FAILED, "%s: %s", history->path, strerror(-r));
	/* The file of one note need not end with an empty line. */
	*ret_whole = r == 0 && in_signatures && history->alone;
	history->torn = !*ret_whole && (history->size > 0 || r == -EBADMSG);
	if (history->torn && history->alone)
		return misplaced(history, FAULT_CHECKPOINT_FORM, "the note is cut off", fault);
	return VERDICT_VALID;
}

/* Opens the next file. False when there is none. */
static enum verdict open_next(struct history *history, bool *ret_open, struct fault *fault)
{
	char path[HISTORY_PATH_SIZE];

	if (history->fd >= 0)
		close(history->fd);
	history->fd = -1;
	*ret_open = history->next_file < history->n_files;
	if (!*ret_open)
		return VERDICT_VALID;
	if (history->torn)
		return misplaced(history, FAULT_CHECKPOINT_FORM,
			"the last note of the file is cut off", fault);
	snprintf(path, sizeof(path), "checkpoints/%020" PRIu64 ".notes",
		history->files[history->next_file++]);
	return open_path(history, path, fault);
}

/* After what came before it. */
static enum verdict check_order(struct history *history, const struct checkpoint *before,
	size_t epoch_before, bool is_first, struct fault *fault)
{
	const struct checkpoint *now = &history->checkpoint;

	if (history->alone)
		return history->epoch < history->keyring->pinned
			       ? misplaced(history, FAULT_SIGNATURE,
					 "the checkpoint is signed by a key older than the one "
					 "that "
					 "was given",
					 fault)
			       : VERDICT_VALID;
	if (is_first)
		return now->number > 1 ? misplaced(history, FAULT_CHECKPOINT_MISSING,
						 "the history does not begin with number 1", fault)
				       : VERDICT_VALID;
	if (now->size < before->size || now->lost < before->lost || history->epoch < epoch_before) {
		misplaced(history, FAULT_CHECKPOINT_ORDER,
			"the checkpoint is older than the one before it", fault);
		fault_expected(fault, "size %" PRIu64 " or more", before->size);
		fault_found(fault, "size %" PRIu64, now->size);
		return VERDICT_INVALID;
	}
	/* Those that an older version wrote have none; the first one that has is 1. */
	if (now->number == before->number + 1 || (before->number == 0 && now->number == 0))
		return VERDICT_VALID;
	misplaced(history,
		now->number <= before->number ? FAULT_CHECKPOINT_ORDER : FAULT_CHECKPOINT_MISSING,
		"the checkpoints are not numbered one by one", fault);
	fault_expected(fault, "number %" PRIu64, before->number + 1);
	fault_found(fault, "number %" PRIu64, now->number);
	return VERDICT_INVALID;
}

enum verdict history_next(struct history *history, struct fault *fault)
{
	struct checkpoint before = history->checkpoint;
	size_t epoch_before = history->epoch;
	bool is_first = !history->there, whole = false;
	enum verdict verdict = VERDICT_VALID;
	struct note note;
	const char *error;

	history->there = false;
	while (!whole && !verdict) {
		bool open = history->fd >= 0;

		if (open)
			verdict = read_note(history, &whole, fault);
		if (!whole && !verdict)
			verdict = open_next(history, &open, fault);
		if (!open && !verdict)
			return VERDICT_VALID;
		if (whole && history->size == 0)
			whole = false; /* an empty line more */
	}
	if (verdict)
		return verdict;
	error = note_read((struct span){history->bytes, history->size}, &note);
	if (error)
		return misplaced(history, FAULT_CHECKPOINT_FORM, error, fault);
	verdict = keyring_check(
		history->keyring, &note, &history->checkpoint, &history->epoch, fault);
	if (verdict == VERDICT_INVALID)
		fault_at(fault, history->path, history->line, 0);
	if (!verdict)
		verdict = check_order(history, &before, epoch_before, is_first, fault);
	history->there = verdict == VERDICT_VALID;
	return verdict;
}
