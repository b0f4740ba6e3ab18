#include "supervisor/launch/spawner/root.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "supervisor/base/fd.h"

#define STAGE "spawner's root"
#define ROOT_OPTIONS "mode=0755,size=64m,nr_inodes=16384"

struct node {
	const char *name;
	unsigned int major, minor;
};

/* Documentation/admin-guide/devices.txt; the only devices of a sandbox, beside its own devpts. */
static const struct node nodes[] = {
	{"null", 1, 3},
	{"zero", 1, 5},
	{"full", 1, 7},
	{"random", 1, 8},
	{"urandom", 1, 9},
	{"tty", 5, 0},
};

static const struct {
	const char *target, *name;
} dev_links[] = {
	{"/proc/self/fd", "fd"},
	{"/proc/self/fd/0", "stdin"},
	{"/proc/self/fd/1", "stdout"},
	{"/proc/self/fd/2", "stderr"},
	{"pts/ptmx", "ptmx"},
};

/* The same path, relative to the root before we live in it. */
static const char *below(const char *path)
{
	return path + 1;
}

static int fill_dev(int dev_fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (mknodat(dev_fd, nodes[i].name, S_IFCHR | 0666,
			    makedev(nodes[i].major, nodes[i].minor)) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++)
		if (symlinkat(dev_links[i].target, dev_fd, dev_links[i].name) < 0)
			return -errno;
	if (mkdirat(dev_fd, "pts", 0755) < 0 || mkdirat(dev_fd, "shm", 0755) < 0)
		return -errno;
	return 0;
}

/* Makes the directories and files, below the new root. */
static int fill_root(int root_fd, struct failure *why)
{
	static const char *const directories[] = {SPAWNER_USR, SPAWNER_SOCKETS, SPAWNER_PROC,
		SPAWNER_DEV, SPAWNER_EXTRA, SPAWNER_MASK, SPAWNER_EMPTY, SPAWNER_NEW,
		SPAWNER_EXTRA "/cloche", SPAWNER_EXTRA "/" SPAWNER_ETC_INSIDE};
	_cleanup_close_ int dev_fd = -1, etc_fd = -1, nothing_fd = -1;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (mkdirat(root_fd, below(directories[i]), 0755) < 0)
			return failure_set(why, -errno, STAGE, "cannot make %s: %s", directories[i],
				strerror(errno));
	nothing_fd = openat(root_fd, below(SPAWNER_NOTHING), O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	dev_fd = openat(root_fd, below(SPAWNER_DEV), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = nothing_fd < 0 || dev_fd < 0 ? -errno : fill_dev(dev_fd);
	if (r < 0)
		return failure_set(why, r, STAGE, "cannot make device nodes: %s", strerror(-r));
	etc_fd = openat(root_fd, below(SPAWNER_EXTRA), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (etc_fd >= 0) {
		int inner = openat(etc_fd, SPAWNER_ETC_INSIDE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		close(etc_fd);
		etc_fd = inner;
	}
	if (etc_fd < 0)
		return failure_set(
			why, -errno, STAGE, "cannot open %s: %s", SPAWNER_EXTRA, strerror(errno));
	return etc_fill(etc_fd, why);
}

static int mount_at(const char *source, int root_fd, const char *name, const char *type,
	unsigned long flags, struct failure *why)
{
	char target[64];

	snprintf(target, sizeof(target), "/proc/self/fd/%d%s", root_fd, name);
	if (mount(source, target, type, flags, NULL) < 0)
		return failure_set(why, -errno, STAGE, "cannot mount %s on %s: %s", source, name,
			strerror(errno));
	return 0;
}

/* A directory of ours as a mount with the attributes that its clones in sandboxes shall have. */
static int bind_read_only(int root_fd, const char *name, uint64_t attributes, struct failure *why)
{
	struct mount_attr change = {
		.attr_set = attributes | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC};
	_cleanup_close_ int fd =
		open_tree(root_fd, below(name), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &change, sizeof(change)) < 0 ||
		move_mount(fd, "", root_fd, below(name), MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return failure_set(why, -errno, STAGE, "cannot bind %s: %s", name, strerror(errno));
	return 0;
}

/* Takes the host's root away: only what was mounted below the new root stays. */
static int move_in(const char *work_dir, struct failure *why)
{
	if (chdir(work_dir) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
		umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return failure_set(
			why, -errno, STAGE, "cannot move into %s: %s", work_dir, strerror(errno));
	return 0;
}

int spawner_root_enter(const char *socket_dir, const char *work_dir, struct failure *why)
{
	_cleanup_close_ int root_fd = -1;
	int r;

	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return failure_set(why, -errno, STAGE,
			"cannot have a mount namespace of its own: %s", strerror(errno));
	umask(0);
	r = fd_make_dir_at(AT_FDCWD, work_dir, 0700);
	if (r == 0 && mount("cloche", work_dir, "tmpfs", MS_NOSUID, ROOT_OPTIONS) < 0)
		r = -errno;
	if (r < 0)
		return failure_set(
			why, r, STAGE, "cannot mount a tmpfs on %s: %s", work_dir, strerror(-r));
	root_fd = open(work_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return failure_set(
			why, -errno, STAGE, "cannot open %s: %s", work_dir, strerror(errno));
	r = fill_root(root_fd, why);
	if (r == 0)
		r = mount_at("/usr", root_fd, SPAWNER_USR, NULL, MS_BIND, why);
	if (r == 0)
		r = mount_at(socket_dir, root_fd, SPAWNER_SOCKETS, NULL, MS_BIND, why);
	if (r == 0)
		r = mount_at("proc", root_fd, SPAWNER_PROC, "proc",
			MS_NOSUID | MS_NODEV | MS_NOEXEC, why);
	if (r == 0)
		r = bind_read_only(root_fd, SPAWNER_DEV, 0, why);
	if (r == 0)
		r = bind_read_only(root_fd, SPAWNER_MASK, MOUNT_ATTR_NODEV, why);
	return r < 0 ? r : move_in(work_dir, why);
}
