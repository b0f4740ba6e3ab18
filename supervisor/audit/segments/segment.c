#include "supervisor/audit/segments/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit/segments/log-file.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"

#define STAGE "open audit log"
#define DIRECTORY "log"
#define NAME_DIGITS 20

void segment_name(uint64_t first, char ret_name[SEGMENT_NAME_SIZE])
{
	snprintf(ret_name, SEGMENT_NAME_SIZE, "%0*" PRIu64 ".jsonl", NAME_DIGITS, first);
}

int segment_name_parse(const char *name, uint64_t *ret_first)
{
	uint64_t first;

	if (strspn(name, "0123456789") != NAME_DIGITS || strcmp(name + NAME_DIGITS, ".jsonl") != 0)
		return -EINVAL;
	errno = 0;
	first = strtoull(name, NULL, 10);
	if (errno || first == 0)
		return -EINVAL;
	*ret_first = first;
	return 0;
}

int segment_read_at(int fd, void *buffer, size_t size_bytes, uint64_t offset_bytes)
{
	char *next = buffer;

	while (size_bytes > 0) {
		ssize_t n = pread(fd, next, size_bytes, (off_t)offset_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		next += n;
		offset_bytes += (uint64_t)n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

/* Finds the last line feed before `end_bytes`; `*ret_offset_bytes` is the byte after it, 0 if none.
 */
static int find_line_start(int fd, uint64_t end_bytes, uint64_t *ret_offset_bytes)
{
	char chunk[4096];

	while (end_bytes > 0) {
		size_t size_bytes = end_bytes < sizeof(chunk) ? (size_t)end_bytes : sizeof(chunk);
		const char *found;
		int r = segment_read_at(fd, chunk, size_bytes, end_bytes - size_bytes);

		if (r < 0)
			return r;
		found = memrchr(chunk, '\n', size_bytes);
		if (found) {
			*ret_offset_bytes = end_bytes - size_bytes + (uint64_t)(found - chunk) + 1;
			return 0;
		}
		end_bytes -= size_bytes;
	}
	*ret_offset_bytes = 0;
	return 0;
}

/* Reads the line that begins at `start_bytes`; it ends before `end_bytes`. -EBADMSG: none of ours.
 */
static int read_line(
	int fd, uint64_t start_bytes, uint64_t end_bytes, struct audit_facts *ret_facts)
{
	size_t size_bytes = end_bytes - start_bytes < AUDIT_LINE_MAX
				    ? (size_t)(end_bytes - start_bytes)
				    : AUDIT_LINE_MAX;
	_cleanup_free_ char *line = malloc(size_bytes);
	int r = line ? segment_read_at(fd, line, size_bytes, start_bytes) : -ENOMEM;

	if (r < 0)
		return r;
	if (!memchr(line, '\n', size_bytes) || !audit_line_parse(line, size_bytes, ret_facts))
		return -EBADMSG;
	return 0;
}

static int read_last_line(int fd, const struct segment *segment, struct audit_facts *ret_facts)
{
	uint64_t start_bytes;
	int r = find_line_start(fd, segment->size_bytes - 1, &start_bytes);

	return r < 0 ? r : read_line(fd, start_bytes, segment->size_bytes, ret_facts);
}

/* Its first record must follow the last one of the segment before; only the newest may be empty, or
 * end with half a line. */
static int look_at(struct segments *segments, size_t index)
{
	struct segment *segment = &segments->items[index];
	int fd = segments_read_fd(segments, index);
	struct audit_facts first = {}, last = {};
	struct stat info;
	int r;

	if (fd < 0)
		return fd;
	if (index > 0 && (segment->first != segments->last + 1 || segments->cut_bytes > 0))
		return -EBADMSG;
	if (fstat(fd, &info) < 0)
		return -errno;
	r = find_line_start(fd, (uint64_t)info.st_size, &segment->size_bytes);
	if (r < 0)
		return r;
	segments->total_bytes += segment->size_bytes;
	segments->cut_bytes = (uint64_t)info.st_size - segment->size_bytes;
	segments->last = segment->first - 1;
	if (segment->size_bytes == 0)
		return 0;
	r = read_line(fd, 0, segment->size_bytes, &first);
	if (r == 0)
		r = read_last_line(fd, segment, &last);
	if (r == 0 && (first.sequence != segment->first || last.sequence < first.sequence))
		r = -EBADMSG;
	if (r < 0)
		return r;
	segment->first_time_ns = first.time_ns;
	segments->last = last.sequence;
	return 0;
}

static int add(struct segments *segments, uint64_t first)
{
	struct segment *larger;

	if (segments->n >= SEGMENTS_MAX)
		return -ENOSPC;
	larger = reallocarray(segments->items, segments->n + 1, sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	segments->items = larger;
	segments->items[segments->n++] = (struct segment){.first = first};
	return 0;
}

static int compare(const void *left, const void *right)
{
	const struct segment *a = left, *b = right;

	return a->first < b->first ? -1 : a->first > b->first;
}

static int list(struct segments *segments)
{
	_cleanup_close_ int fd = openat(segments->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *directory;
	int r = 0;

	directory = fd >= 0 ? fdopendir(fd) : NULL;
	if (!directory)
		return -errno;
	steal_fd(&fd);
	while (r == 0 && (entry = readdir(directory))) {
		uint64_t first;

		if (segment_name_parse(entry->d_name, &first) == 0)
			r = add(segments, first);
	}
	closedir(directory);
	if (segments->n > 0)
		qsort(segments->items, segments->n, sizeof(*segments->items), compare);
	return r;
}

static int open_segment(const struct segments *segments, uint64_t first, int flags)
{
	char name[SEGMENT_NAME_SIZE];
	int fd;

	segment_name(first, name);
	fd = openat(segments->dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

static int open_all(struct segments *segments, struct failure *why)
{
	int r = list(segments);

	if (r == 0 && segments->n == 0)
		r = add(segments, 1);
	if (r < 0)
		return failure_set(why, r, STAGE, "the segments cannot be listed");
	segments->fd = open_segment(
		segments, segments_newest(segments)->first, O_RDWR | O_APPEND | O_CREAT);
	if (segments->fd < 0)
		return failure_set(why, segments->fd, STAGE,
			"the newest segment cannot be opened for writing");
	for (size_t i = 0; i < segments->n && r == 0; i++)
		r = look_at(segments, i);
	if (r == -EBADMSG)
		return failure_set(why, r, STAGE,
			"the segments are not what was written: their lines are no audit records, "
			"or out of order");
	if (r < 0)
		return failure_set(why, r, STAGE, "the segments cannot be read");
	segments->begun_ns = segments_newest(segments)->first_time_ns;
	if (!segments->begun_ns)
		segments->begun_ns = clock_realtime_ns();
	return 0;
}

int segments_open(int dir_fd, struct segments *ret_segments, struct failure *why)
{
	struct segments segments = {.dir_fd = -1, .fd = -1, .reading_fd = -1};
	int r = fd_make_dir_at(dir_fd, DIRECTORY, 0700);

	if (r == 0) {
		segments.dir_fd =
			openat(dir_fd, DIRECTORY, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		r = segments.dir_fd < 0 ? -errno : 0;
	}
	if (r < 0)
		return failure_set(why, r, STAGE, "the directory of the segments cannot be made");
	r = open_all(&segments, why);
	if (r < 0) {
		segments_fini(&segments);
		return r;
	}
	*ret_segments = segments;
	return 0;
}

void segments_fini(struct segments *segments)
{
	cleanup_close(&segments->fd);
	cleanup_close(&segments->reading_fd);
	cleanup_close(&segments->dir_fd);
	free(segments->items);
	*segments = (struct segments){.dir_fd = -1, .fd = -1, .reading_fd = -1};
}

int segments_rotate(struct segments *segments, uint64_t first, int *ret_old_fd)
{
	_cleanup_close_ int fd =
		open_segment(segments, first, O_RDWR | O_APPEND | O_CREAT | O_EXCL);
	int r = fd < 0 ? fd : add(segments, first);

	if (r < 0) {
		char name[SEGMENT_NAME_SIZE];

		segment_name(first, name);
		if (fd >= 0)
			unlinkat(segments->dir_fd, name, 0);
		return r;
	}
	*ret_old_fd = segments->fd;
	segments->fd = steal_fd(&fd);
	segments->begun_ns = clock_realtime_ns();
	return 0;
}

int segments_drop_oldest(struct segments *segments)
{
	char name[SEGMENT_NAME_SIZE];

	segment_name(segments->items[0].first, name);
	if (unlinkat(segments->dir_fd, name, 0) < 0)
		return -errno;
	if (segments->reading == segments->items[0].first) {
		cleanup_close(&segments->reading_fd);
		segments->reading_fd = -1;
		segments->reading = 0;
	}
	segments->total_bytes -= segments->items[0].size_bytes;
	segments->n--;
	memmove(segments->items, segments->items + 1, segments->n * sizeof(*segments->items));
	return 0;
}

size_t segments_find(const struct segments *segments, uint64_t sequence)
{
	size_t low = 0, high = segments->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (segments->items[middle].first <= sequence)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int segments_read_fd(struct segments *segments, size_t index)
{
	uint64_t first = segments->items[index].first;
	int fd;

	if (index == segments->n - 1)
		return segments->fd;
	if (segments->reading == first)
		return segments->reading_fd;
	fd = open_segment(segments, first, O_RDONLY);
	if (fd < 0)
		return fd;
	cleanup_close(&segments->reading_fd);
	segments->reading_fd = fd;
	segments->reading = first;
	return fd;
}
