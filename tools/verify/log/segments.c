/* The segments of a log, one after the other. */
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/verify/tree/walk.h"

enum verdict walk_open_segments(struct walk *walk)
{
	ssize_t n = files_list(walk->dir_fd, "log", ".jsonl", &walk->segments);

	if (n < 0)
		return fault_set(walk->fault, FAULT_FAILED, "log/: %s", strerror((int)-n));
	walk->n_segments = (size_t)n;
	walk->summary->n_segments = (uint64_t)n;
	walk->summary->first_kept = n > 0 ? walk->segments[0] : 1;
	walk->streams.headless = walk->summary->first_kept > 1;
	walk->lost_known = !walk->streams.headless;
	if (walk->summary->first_kept == 0)
		return fault_set(
			walk->fault, FAULT_SEGMENT_MISPLACED, "a segment is named for seq 0");
	if (lines_init(&walk->lines, -1, 4 * RECORD_BYTES_MAX) < 0)
		return fault_set(walk->fault, FAULT_FAILED, "memory is out");
	return VERDICT_VALID;
}

static enum verdict missing(struct walk *walk, uint64_t next)
{
	uint64_t expected = walk_expected(walk);
	char path[WALK_PATH_SIZE];
	struct stat status;

	/* A segment's checkpoints stay when it goes: they tell that there was one. */
	snprintf(path, sizeof(path), "checkpoints/%020" PRIu64 ".notes", expected);
	if (walk->fd < 0 || fstatat(walk->dir_fd, path, &status, 0) == 0) {
		fault_set(walk->fault, FAULT_SEGMENT_MISSING,
			"the segment is not there, and no retention explains that");
		snprintf(path, sizeof(path), "log/%020" PRIu64 ".jsonl", expected);
		fault_at(walk->fault, path, 0, expected);
	} else {
		fault_set(walk->fault, FAULT_RECORD_DELETED,
			"the last records of the segment are missing");
		fault_at(walk->fault, walk->path, walk->lines.number, expected);
	}
	fault_expected(walk->fault, "seq %" PRIu64, expected);
	fault_found(walk->fault, "the next segment, which begins with seq %" PRIu64, next);
	return VERDICT_INVALID;
}

static enum verdict open_next(struct walk *walk)
{
	uint64_t first = walk->segments[walk->next_segment];
	char path[WALK_PATH_SIZE];
	struct stat status;
	int fd;

	if (first > walk_expected(walk))
		return missing(walk, first);
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = -1;
	snprintf(path, sizeof(path), "log/%020" PRIu64 ".jsonl", first);
	memcpy(walk->path, path, sizeof(path));
	if (first < walk_expected(walk)) {
		fault_set(walk->fault, FAULT_SEGMENT_MISPLACED,
			"the segment begins inside the one before it");
		fault_at(walk->fault, path, 0, first);
		return VERDICT_INVALID;
	}
	fd = file_open(walk->dir_fd, path);
	if (fd < 0)
		return fault_set(walk->fault, FAULT_FAILED, "%s: %s", path, strerror(-fd));
	walk->fd = fd;
	if (fstat(fd, &status) == 0)
		walk->summary->size_bytes += (uint64_t)status.st_size;
	lines_reset(&walk->lines, fd);
	walk->next_segment++;
	walk->segment_end =
		walk->next_segment < walk->n_segments ? walk->segments[walk->next_segment] : 0;
	return VERDICT_VALID;
}

static enum verdict half_a_line(struct walk *walk, size_t size)
{
	/* A crash leaves one at the very end; a checkpoint never covers it. */
	if (!walk->segment_end && walk->range.size >= walk->newest_checkpoint.size) {
		walk->summary->torn_bytes = size;
		return VERDICT_VALID;
	}
	fault_set(walk->fault, FAULT_TRUNCATED, "the line is cut off in the middle");
	fault_at(walk->fault, walk->path, walk->lines.number, walk_expected(walk));
	return VERDICT_INVALID;
}

/* Reads the end of the last segment: the last whole line in it. False if there is none that is a
 * record. */
static bool read_last(struct walk *walk, char *bytes, size_t room, uint64_t *ret_sequence)
{
	const char *end, *start;
	struct record record;
	struct stat status;
	off_t offset;
	ssize_t n;
	int fd = file_open(walk->dir_fd, walk->path);

	if (fd < 0 || fstat(fd, &status) < 0)
		return false;
	offset = status.st_size > (off_t)room ? status.st_size - (off_t)room : 0;
	n = pread(fd, bytes, room, offset);
	close(fd);
	end = n > 0 ? memrchr(bytes, '\n', (size_t)n) : NULL;
	if (!end)
		return false;
	start = memrchr(bytes, '\n', (size_t)(end - bytes));
	start = start ? start + 1 : bytes;
	if (record_read(start, (size_t)(end - start), &record))
		return false;
	*ret_sequence = record.sequence;
	return true;
}

enum verdict walk_ends_early(struct walk *walk)
{
	uint64_t covered = walk->newest_checkpoint.size, sequence;

	if (walk->n_segments == 0)
		return VERDICT_VALID; /* said when the end is reached */
	snprintf(walk->path, sizeof(walk->path), "log/%020" PRIu64 ".jsonl",
		walk->segments[walk->n_segments - 1]);
	if (!read_last(walk, walk->lines.buffer, walk->lines.room, &sequence) ||
		sequence >= covered)
		return VERDICT_VALID;
	fault_set(walk->fault, FAULT_TRUNCATED,
		"the log ends here, before what its newest checkpoint covers");
	fault_at(walk->fault, walk->path, 0, sequence + 1);
	fault_expected(walk->fault, "%" PRIu64 " records", covered);
	fault_found(walk->fault, "%" PRIu64, sequence);
	return VERDICT_INVALID;
}

enum verdict walk_line(struct walk *walk, const char **ret_line, size_t *ret_size)
{
	enum verdict verdict;

	*ret_line = NULL;
	for (;;) {
		int r = walk->fd < 0 ? 0 : lines_next(&walk->lines, ret_line, ret_size);

		if (r > 0 && *ret_size <= RECORD_BYTES_MAX)
			return VERDICT_VALID;
		if (r == -EBADMSG) {
			*ret_line = NULL;
			return half_a_line(walk, *ret_size);
		}
		if (r > 0 || r == -EMSGSIZE) {
			*ret_line = NULL;
			fault_set(walk->fault, FAULT_RECORD_MALFORMED,
				"the line is longer than any record, %d bytes", RECORD_BYTES_MAX);
			fault_at(walk->fault, walk->path, walk->lines.number, walk_expected(walk));
			return VERDICT_INVALID;
		}
		if (r < 0)
			return fault_set(
				walk->fault, FAULT_FAILED, "%s: %s", walk->path, strerror(-r));
		if (walk->next_segment == walk->n_segments)
			return VERDICT_VALID;
		verdict = open_next(walk);
		if (verdict)
			return verdict;
	}
}
