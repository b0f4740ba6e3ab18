#include "supervisor/core/policies/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/policy/model.h"

#define FILE_SIZE (POLICY_NAME_SIZE + 16)

/* No file that the loader would read: its name begins with a dot. */
static int write_new(int directory_fd, const char *name, const char *text, size_t size_bytes)
{
	_cleanup_close_ int fd = -1;
	int r;

	if (unlinkat(directory_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(directory_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, size_bytes);
	if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0))
		r = -errno;
	return r;
}

int policy_file_write(const char *directory, const char *name, const char *text, size_t size_bytes)
{
	_cleanup_close_ int directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char fresh[FILE_SIZE], file[FILE_SIZE];
	int r;

	if (directory_fd < 0)
		return -errno;
	snprintf(fresh, sizeof(fresh), ".%s.json.new", name);
	snprintf(file, sizeof(file), "%s.json", name);
	r = write_new(directory_fd, fresh, text, size_bytes);
	if (r == 0 && renameat(directory_fd, fresh, directory_fd, file) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(directory_fd, fresh, 0);
		return r;
	}
	/* The new file is there already; a failure here says only that a power cut may undo it. */
	fsync(directory_fd);
	return 0;
}
