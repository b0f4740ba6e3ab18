/* A mount over a path is what a sandbox cannot take away: it has no CAP_SYS_ADMIN, its system call
 * filter has no mount(2), and the kernel does not rename or remove a mount point. Unlike Landlock
 * it also covers owners, modes and times, hides what it covers, and costs an open(2) nothing.
 *
 * /etc is a bind of a directory below /usr (mounts.c), so the same files have two paths: what is
 * said of one holds for the other. */
#include "supervisor/launch/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/log.h"
#include "supervisor/launch/spawner-root.h"

#define STAGE "files"
#define ETC "/etc"
#define ETC_TWIN "/usr/" SPAWNER_ETC_INSIDE

static int fail(struct failure *why, const char *what, const char *path)
{
	return failure_set(why, -errno, STAGE, "cannot %s %.128s: %s", what, path, strerror(errno));
}

static int open_target(const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* Lays a clone of `source_fd`, with other attributes, over `target_fd`. */
static int cover(int source_fd, const char *source, unsigned int recursive,
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

/* /sys is an empty directory (mounts.c), /dev/null a file that a nodev mount lets nobody open. */
static int hide(int target_fd)
{
	const struct mount_attr change = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV |
						      MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID};
	struct stat status;

	if (fstat(target_fd, &status) < 0)
		return -errno;
	return cover(
		AT_FDCWD, S_ISDIR(status.st_mode) ? "/sys" : "/dev/null", 0, &change, target_fd);
}

/* Nothing can be laid over the root: its mounts themselves change. /proc and /dev stay as they are.
 */
static int make_root_read_only(void)
{
	static const char *const mounts[] = {"/", "/usr", ETC, "/dev/shm"};
	struct mount_attr change = {.attr_set = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		if (mount_setattr(AT_FDCWD, mounts[i], 0, &change, sizeof(change)) < 0)
			return -errno;
	return 0;
}

static int apply(const char *path, enum launch_access access, bool best_effort, struct failure *why)
{
	static const char *const acts[] = {[LAUNCH_HIDDEN] = "hide",
		[LAUNCH_READ_ONLY] = "make read-only",
		[LAUNCH_WRITABLE] = "make writable"};
	const struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY},
				writable = {.attr_clr = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int target_fd = open_target(path);
	int r = 0;

	if (target_fd < 0 && best_effort && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (target_fd < 0)
		return fail(why, "find", path);
	if (access == LAUNCH_HIDDEN)
		r = hide(target_fd);
	else if (access == LAUNCH_WRITABLE)
		r = cover(target_fd, "", AT_RECURSIVE, &writable, target_fd);
	else if (path[1] == '\0')
		r = make_root_read_only();
	else
		r = cover(target_fd, "", AT_RECURSIVE, &read_only, target_fd);
	errno = -r;
	return r < 0 ? fail(why, acts[access], path) : 0;
}

/* The other path of the same file; false when it has none. */
static bool find_twin(const char *path, char *ret_twin, size_t size)
{
	static const char *const pairs[][2] = {{ETC, ETC_TWIN}, {ETC_TWIN, ETC}};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		size_t length = strlen(pairs[i][0]);

		if (strncmp(path, pairs[i][0], length) == 0 &&
			(path[length] == '/' || path[length] == '\0'))
			return (size_t)snprintf(
				       ret_twin, size, "%s%s", pairs[i][1], path + length) < size;
	}
	return false;
}

static int apply_all(
	const struct launch_path *paths, size_t n, bool best_effort, struct failure *why)
{
	char twin[PATH_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = apply(paths[i].path, paths[i].access, best_effort, why);
		if (r == 0 && find_twin(paths[i].path, twin, sizeof(twin)))
			r = apply(twin, paths[i].access, best_effort, why);
	}
	return r;
}

int launch_set_paths(
	int pidfd, const struct launch_path *paths, size_t n, bool best_effort, struct failure *why)
{
	_cleanup_close_ int home_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int cwd_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (home_fd < 0 || root_fd < 0 || cwd_fd < 0 || setns(pidfd, CLONE_NEWNS) < 0)
		return fail(why, "enter", "the sandbox's mounts");
	r = apply_all(paths, n, best_effort, why);
	if (setns(home_fd, CLONE_NEWNS) < 0 || fchdir(root_fd) < 0 || chroot(".") < 0 ||
		fchdir(cwd_fd) < 0) {
		/* Going on among a tenant's files would be worse than to be started again. */
		log_error("cannot come back from a sandbox's mount namespace: %s", strerror(errno));
		abort();
	}
	return r;
}
