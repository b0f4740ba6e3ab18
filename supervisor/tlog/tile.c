#include "supervisor/tlog/tile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"

#define TEMPORARY "tile.tmp"

/* x001/x234/067: groups of three digits, all but the last marked. */
static size_t put_number(char *text, uint64_t number)
{
	size_t used = number >= 1000 ? put_number(text, number / 1000) : 0;

	if (used > 0) {
		memmove(text + used - 2, text + used - 3, 3);
		text[used - 3] = 'x';
		text[used + 1] = '/';
		used += 2;
	}
	snprintf(text + used, 4, "%03u", (unsigned int)(number % 1000));
	return used + 3;
}

void tile_path(
	unsigned int level, uint64_t number, unsigned int width, char ret_path[TILE_PATH_SIZE])
{
	size_t used = (size_t)snprintf(ret_path, TILE_PATH_SIZE, "tile/%u/", level);

	used += put_number(ret_path + used, number);
	if (width < TILE_HASHES)
		snprintf(ret_path + used, TILE_PATH_SIZE - used, ".p/%u", width);
}

static int make_directories(int dir_fd, const char *path)
{
	char part[TILE_PATH_SIZE];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		int r;

		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		r = fd_make_dir_at(dir_fd, part, 0700);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_temporary(int dir_fd, const void *data, size_t size_bytes)
{
	_cleanup_close_ int fd = openat(
		dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd_write_all(fd, data, size_bytes);
}

int tile_write(int dir_fd, unsigned int level, uint64_t number, unsigned int width,
	const uint8_t hashes[][SHA256_BYTES])
{
	char path[TILE_PATH_SIZE];
	int r = write_temporary(dir_fd, hashes, width * SHA256_BYTES);

	tile_path(level, number, width, path);
	if (r == 0 && renameat(dir_fd, TEMPORARY, dir_fd, path) < 0)
		r = -errno;
	if (r != -ENOENT)
		return r;
	r = make_directories(dir_fd, path);
	if (r == 0 && renameat(dir_fd, TEMPORARY, dir_fd, path) < 0)
		r = -errno;
	return r;
}

static int read_file(int dir_fd, const char *path, size_t file_bytes, void *buffer, size_t wanted)
{
	_cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;
	ssize_t n;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &info) < 0)
		return -errno;
	if ((size_t)info.st_size != file_bytes)
		return -EBADMSG;
	n = pread(fd, buffer, wanted, 0);
	if (n < 0)
		return -errno;
	return (size_t)n == wanted ? 0 : -EBADMSG;
}

int tile_read(int dir_fd, unsigned int level, uint64_t number, unsigned int width,
	uint8_t ret_hashes[][SHA256_BYTES])
{
	size_t wanted = width * SHA256_BYTES;
	char path[TILE_PATH_SIZE];
	int r;

	tile_path(level, number, TILE_HASHES, path);
	r = read_file(dir_fd, path, TILE_BYTES, ret_hashes, wanted);
	if (r != -ENOENT || width == TILE_HASHES)
		return r;
	tile_path(level, number, width, path);
	return read_file(dir_fd, path, wanted, ret_hashes, wanted);
}

void tile_remove_partial(int dir_fd, unsigned int level, uint64_t number, unsigned int width)
{
	char path[TILE_PATH_SIZE];

	tile_path(level, number, width, path);
	unlinkat(dir_fd, path, 0);
	*strrchr(path, '/') = '\0';
	unlinkat(dir_fd, path, AT_REMOVEDIR);
}
