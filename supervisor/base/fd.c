#include "supervisor/base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"

#define FD_MAX (1 << 20)

int fd_write_all(int fd, const void *data, size_t size_bytes)
{
	const char *next = data;

	while (size_bytes > 0) {
		ssize_t written = write(fd, next, size_bytes);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		next += written;
		size_bytes -= (size_t)written;
	}
	return 0;
}

int fd_read_to_end(int fd, size_t max_bytes, char **ret_text, size_t *ret_size_bytes)
{
	_cleanup_free_ char *text = NULL;
	size_t used = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (room - used < 2) {
			char *larger;

			if (used >= max_bytes)
				return -EFBIG;
			room = room ? room * 2 : 4096;
			larger = realloc(text, room);
			if (!larger)
				return -ENOMEM;
			text = larger;
		}
		got = read(fd, text + used, room - used - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > max_bytes)
			return -EFBIG;
	}
	text[used] = '\0';
	if (ret_size_bytes)
		*ret_size_bytes = used;
	*ret_text = steal_ptr(&text);
	return 0;
}

int fd_read_file_at(
	int dir_fd, const char *path, size_t max_bytes, char **ret_text, size_t *ret_size_bytes)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd_read_to_end(fd, max_bytes, ret_text, ret_size_bytes);
}

/* A FIFO is opened without waiting for who writes to it. */
int fd_read_plain_at(
	int dir_fd, const char *path, size_t max_bytes, char **ret_text, size_t *ret_size_bytes)
{
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	_cleanup_close_ int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	struct stat info;

	if (fd < 0 || fstat(fd, &info) < 0)
		return -errno;
	return S_ISREG(info.st_mode) ? fd_read_to_end(fd, max_bytes, ret_text, ret_size_bytes)
				     : -EINVAL;
}

int fd_write_file_at(int dir_fd, const char *path, const char *text)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
	size_t size = strlen(text);
	ssize_t written;

	if (fd < 0)
		return -errno;
	written = write(fd, text, size);
	if (written < 0)
		return -errno;
	return (size_t)written == size ? 0 : -EIO;
}

int fd_read_number_at(int dir_fd, const char *path, uint64_t *ret_value)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	char text[32], *end;
	ssize_t got;
	uint64_t value;

	if (fd < 0)
		return -errno;
	got = read(fd, text, sizeof(text) - 1);
	if (got < 0)
		return -errno;
	text[got] = '\0';
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno || end == text || text[0] == '-')
		return -EINVAL;
	*ret_value = value;
	return 0;
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	flags = on ? flags | flag : flags & ~flag;
	return fcntl(fd, set, flags) < 0 ? -errno : 0;
}

bool fd_parse(const char *text, int *ret_fd)
{
	char *end;
	long value;

	if (!text || !isdigit((unsigned char)text[0]))
		return false;
	value = strtol(text, &end, 10);
	if (*end || value > FD_MAX)
		return false;
	*ret_fd = (int)value;
	return true;
}

int fd_set_nonblocking(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_make_dir_at(int dir_fd, const char *path, mode_t mode)
{
	struct stat info;

	if (mkdirat(dir_fd, path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (fstatat(dir_fd, path, &info, 0) < 0)
		return -errno;
	return S_ISDIR(info.st_mode) ? 0 : -ENOTDIR;
}
