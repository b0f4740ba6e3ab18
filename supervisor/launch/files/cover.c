#include "supervisor/launch/files/cover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"

int cover_find(const char *path, bool follow)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
			   (follow ? 0 : RESOLVE_NO_SYMLINKS)};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

int cover_lay(int source_fd, const char *source, unsigned int recursive,
	const struct mount_attr *change, int target_fd)
{
	_cleanup_close_ int fd = open_tree(source_fd, source,
		OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (source[0] ? 0 : AT_EMPTY_PATH) | recursive);

	if (fd < 0 ||
		mount_setattr(fd, "", AT_EMPTY_PATH | recursive, (struct mount_attr *)change,
			sizeof(*change)) < 0 ||
		move_mount(fd, "", target_fd, "",
			MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}
