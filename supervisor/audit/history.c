#include "supervisor/audit/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit/segments/segment.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/tlog/note.h"

#define DIRECTORY "checkpoints"
#define NAME_DIGITS 20
#define PATH_SIZE 48
#define TAIL_BYTES 65536

static int open_file(int dir_fd, uint64_t segment, int flags)
{
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), DIRECTORY "/%0*" PRIu64 ".notes", NAME_DIGITS, segment);
	fd = openat(dir_fd, path, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* The byte after the last whole note, 0 if there is none. A note ends with its signature line and
 * an empty one. */
static size_t whole_notes(const char *text, size_t size_bytes)
{
	for (size_t end = size_bytes; end >= 2; end--) {
		const char *line;

		if (text[end - 1] != '\n' || text[end - 2] != '\n')
			continue;
		line = memrchr(text, '\n', end - 2);
		line = line ? line + 1 : text;
		if ((size_t)(text + end - line) > strlen(NOTE_DASH) &&
			memcmp(line, NOTE_DASH, strlen(NOTE_DASH)) == 0)
			return end;
	}
	return 0;
}

/* The end of a file, which has more whole notes than the last one unless it is all of it. */
struct tail {
	char *text;
	off_t start_bytes; /* in the file */
	size_t whole_bytes;
};

static int read_tail(int fd, struct tail *ret_tail)
{
	_cleanup_free_ char *text = malloc(TAIL_BYTES);
	struct stat info;
	off_t start_bytes;
	size_t size_bytes;
	int r;

	if (!text || fstat(fd, &info) < 0)
		return text ? -errno : -ENOMEM;
	start_bytes = info.st_size > TAIL_BYTES ? info.st_size - TAIL_BYTES : 0;
	size_bytes = (size_t)(info.st_size - start_bytes);
	r = segment_read_at(fd, text, size_bytes, (uint64_t)start_bytes);
	if (r < 0)
		return r;
	ret_tail->whole_bytes = whole_notes(text, size_bytes);
	if (ret_tail->whole_bytes == 0 && start_bytes > 0)
		return -EBADMSG;
	ret_tail->start_bytes = start_bytes;
	ret_tail->text = steal_ptr(&text);
	return 0;
}

static int end_of(int fd, off_t *ret_end_bytes)
{
	struct tail tail;
	int r = read_tail(fd, &tail);

	if (r < 0)
		return r;
	*ret_end_bytes = tail.start_bytes + (off_t)tail.whole_bytes;
	free(tail.text);
	return 0;
}

int history_append(int dir_fd, uint64_t segment, off_t again_bytes, const char *text,
	size_t size_bytes, int64_t *ret_start_bytes, int ret_fds[2])
{
	_cleanup_close_ int fd = -1, names_fd = -1;
	off_t start_bytes = again_bytes;
	int r = fd_make_dir_at(dir_fd, DIRECTORY, 0700);

	if (r < 0)
		return r;
	fd = open_file(dir_fd, segment, O_RDWR | O_APPEND | O_CREAT);
	if (fd < 0)
		return fd;
	r = again_bytes < 0 ? end_of(fd, &start_bytes) : 0;
	if (r < 0)
		return r;
	if (ftruncate(fd, start_bytes) < 0)
		return -errno;
	if (start_bytes == 0) { /* its name is new, and must be there with it */
		names_fd = openat(dir_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (names_fd < 0)
			return -errno;
	}
	r = fd_write_all(fd, text, size_bytes);
	if (r < 0)
		return ftruncate(fd, start_bytes) < 0 ? -EIO : r;
	*ret_start_bytes = start_bytes;
	ret_fds[0] = steal_fd(&fd);
	if (names_fd < 0)
		return 1;
	ret_fds[1] = steal_fd(&names_fd);
	return 2;
}

static bool is_name(const char *name)
{
	return strspn(name, "0123456789") == NAME_DIGITS &&
	       strcmp(name + NAME_DIGITS, ".notes") == 0;
}

/* The newest file that is older than `*segment`. False: none. */
static bool file_before(int names_fd, uint64_t *segment)
{
	_cleanup_close_ int fd = openat(names_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	uint64_t found = 0;

	if (!directory)
		return false;
	steal_fd(&fd);
	while ((entry = readdir(directory))) {
		uint64_t first = is_name(entry->d_name) ? strtoull(entry->d_name, NULL, 10) : 0;

		if (first > found && first < *segment)
			found = first;
	}
	closedir(directory);
	*segment = found;
	return found > 0;
}

static int last_note(int fd, char **ret_note)
{
	struct tail tail;
	size_t start_bytes;
	int r = read_tail(fd, &tail);

	if (r < 0)
		return r;
	if (tail.whole_bytes == 0) {
		free(tail.text);
		return -ENOENT;
	}
	start_bytes = whole_notes(tail.text, tail.whole_bytes - 1);
	*ret_note = strndup(tail.text + start_bytes, tail.whole_bytes - 1 - start_bytes);
	free(tail.text);
	return *ret_note ? 0 : -ENOMEM;
}

int history_newest(int dir_fd, char **ret_note)
{
	_cleanup_close_ int names_fd =
		openat(dir_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t segment = UINT64_MAX;
	int r = -ENOENT;

	if (names_fd < 0)
		return -errno;
	while (r == -ENOENT && file_before(names_fd, &segment)) {
		_cleanup_close_ int fd = open_file(dir_fd, segment, O_RDONLY);

		r = fd < 0 ? fd : last_note(fd, ret_note);
	}
	return r;
}
