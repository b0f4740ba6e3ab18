#include "tools/verify/log/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 20

int file_open(int dir_fd, const char *path)
{
	/* A FIFO in place of a file must not make this wait. */
	int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

ssize_t file_read(int dir_fd, const char *path, void *ret_bytes, size_t room)
{
	int fd = file_open(dir_fd, path);
	size_t used = 0;
	ssize_t n = 1;
	char more;

	if (fd < 0)
		return fd;
	while (n > 0 && used < room) {
		n = read(fd, (char *)ret_bytes + used, room - used);
		if (n > 0)
			used += (size_t)n;
	}
	if (n > 0)
		n = read(fd, &more, 1) > 0 ? -1 : 0;
	else if (n < 0)
		n = -errno;
	close(fd);
	if (n < 0)
		return n == -1 ? -EFBIG : n;
	return (ssize_t)used;
}

static bool name_read(const char *name, const char *suffix, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (strlen(name) != DIGITS + strlen(suffix) || strcmp(name + DIGITS, suffix) != 0)
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		uint64_t digit = (uint64_t)name[i] - '0';

		if (digit > 9 || number > (UINT64_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return true;
}

static int compare(const void *one, const void *other)
{
	uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

	return (a > b) - (a < b);
}

ssize_t files_list(int dir_fd, const char *directory, const char *suffix, uint64_t **ret_numbers)
{
	int fd = openat(dir_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *opened = fd < 0 ? NULL : fdopendir(fd);
	uint64_t *numbers = NULL, number;
	size_t n = 0, room = 0;
	struct dirent *entry;

	if (!opened) {
		int r = -errno;

		if (fd >= 0)
			close(fd);
		return r;
	}
	while ((entry = readdir(opened))) {
		if (!name_read(entry->d_name, suffix, &number))
			continue;
		if (n == room) {
			size_t more = room ? room * 2 : 64;
			uint64_t *larger =
				n < FILES_MAX ? realloc(numbers, more * sizeof(number)) : NULL;

			if (!larger) {
				free(numbers);
				closedir(opened);
				return n < FILES_MAX ? -ENOMEM : -E2BIG;
			}
			numbers = larger;
			room = more;
		}
		numbers[n++] = number;
	}
	closedir(opened);
	if (n > 0)
		qsort(numbers, n, sizeof(number), compare);
	*ret_numbers = numbers;
	return (ssize_t)n;
}

int lines_init(struct lines *lines, int fd, size_t line_max)
{
	*lines = (struct lines){.fd = fd, .room = line_max + 1};
	lines->buffer = malloc(lines->room);
	return lines->buffer ? 0 : -ENOMEM;
}

void lines_fini(struct lines *lines)
{
	free(lines->buffer);
	*lines = (struct lines){.fd = -1};
}

void lines_reset(struct lines *lines, int fd)
{
	lines->fd = fd;
	lines->start = lines->end = 0;
	lines->at_end = false;
	lines->number = 0;
}

static int fill(struct lines *lines)
{
	ssize_t n;

	if (lines->start > 0) {
		memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
		lines->end -= lines->start;
		lines->start = 0;
	}
	if (lines->end == lines->room)
		return -EMSGSIZE;
	do
		n = read(lines->fd, lines->buffer + lines->end, lines->room - lines->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	lines->at_end = n == 0;
	lines->end += (size_t)n;
	return 0;
}

int lines_next(struct lines *lines, const char **ret_line, size_t *ret_size)
{
	size_t looked = 0;

	for (;;) {
		char *line = lines->buffer + lines->start;
		size_t size = lines->end - lines->start;
		char *feed = size > looked ? memchr(line + looked, '\n', size - looked) : NULL;
		int r;

		if (feed || (lines->at_end && size > 0)) {
			*ret_line = line;
			*ret_size = feed ? (size_t)(feed - line) : size;
			lines->start += *ret_size + (feed ? 1 : 0);
			lines->number++;
			return feed ? 1 : -EBADMSG;
		}
		if (lines->at_end)
			return 0;
		looked = size;
		r = fill(lines);
		if (r < 0) {
			lines->number++;
			return r;
		}
	}
}
