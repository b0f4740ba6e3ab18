#include "supervisor/enforce/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define DEPTH_MAX 64
#define CGROUP_ROOT_ID 1 /* the root's inode: kernfs numbers from 1 (fs/kernfs/dir.c) */

static bool is_cgroup2(int fd)
{
	struct statfs info;

	return fstatfs(fd, &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

static int inode_of(int fd, uint64_t *ret_inode)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	*ret_inode = info.st_ino;
	return 0;
}

/* Steps up until the next step leaves the file system. Consumes `*fd`, leaves the top in it. */
static int climb(int *fd, uint32_t *ret_depth)
{
	for (uint32_t depth = 0; depth < DEPTH_MAX; depth++) {
		_cleanup_close_ int parent = openat(*fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (parent < 0)
			return -errno;
		if (!is_cgroup2(parent)) {
			*ret_depth = depth;
			return 0;
		}
		close(*fd);
		*fd = steal_fd(&parent);
	}
	return -ELOOP;
}

int place_find(const char *cgroup_dir, struct cgroup_place *ret_place, struct failure *why)
{
	_cleanup_close_ int fd = open(cgroup_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct cgroup_place place = {};
	uint64_t top = 0;
	uint32_t depth = 0;
	int r;

	if (fd < 0)
		return failure_set(why, -errno, "open cgroup", "cannot open %s: %s", cgroup_dir,
			strerror(errno));
	if (!is_cgroup2(fd))
		return failure_set(why, -EINVAL, "open cgroup",
			"%s is not on a cgroup v2 file system; name a directory that is",
			cgroup_dir);
	r = inode_of(fd, &place.id);
	if (r == 0)
		r = climb(&fd, &depth);
	if (r == 0)
		r = inode_of(fd, &top);
	if (r < 0)
		return failure_set(why, r, "find cgroup depth", "cannot walk up from %s: %s",
			cgroup_dir, strerror(-r));
	/* In a cgroup namespace or below a bind mount the true depth is hidden. */
	if (top != CGROUP_ROOT_ID)
		return failure_set(why, -EINVAL, "find cgroup depth",
			"%s lies in a cgroup namespace or a partial mount; run where the whole "
			"cgroup v2 hierarchy is mounted",
			cgroup_dir);
	place.level = depth + 1;
	*ret_place = place;
	return 0;
}
