#include "supervisor/launch/files/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/launch/spawner/root.h"

#define PROBE_MAP "0 268435456 65536\n" /* LAUNCH_UID_FIRST_MIN; any range but the host's own */

int idmap_clone(const char *path, int userns_fd)
{
	struct mount_attr attributes = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
	_cleanup_close_ int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (userns_fd >= 0) {
		attributes.attr_set |= MOUNT_ATTR_IDMAP;
		attributes.userns_fd = (uint64_t)userns_fd;
	}
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* A user namespace lives as long as a descriptor of it: its one process ends at once. */
static int open_mapped_namespace(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	char path[64];
	int fd = -1;

	if (pid == 0)
		for (;;)
			pause();
	if (pid < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (fd_write_file_at(AT_FDCWD, path, PROBE_MAP) == 0) {
		snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
		if (fd_write_file_at(AT_FDCWD, path, PROBE_MAP) == 0) {
			snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
			fd = open(path, O_RDONLY | O_CLOEXEC);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

static bool overlay_takes(const char *lower)
{
	_cleanup_close_ int context = fsopen("overlay", FSOPEN_CLOEXEC);
	char layers[160];

	/* Without an upper layer it wants two lower ones. */
	snprintf(layers, sizeof(layers), "%s:%s", lower, SPAWNER_MASK);
	return context >= 0 && fsconfig(context, FSCONFIG_SET_STRING, "lowerdir", layers, 0) == 0 &&
	       fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0;
}

bool idmap_probe(const char *path, const char *scratch)
{
	_cleanup_close_ int userns_fd = open_mapped_namespace(), fd = -1;
	bool taken;

	if (userns_fd < 0)
		return false;
	fd = idmap_clone(path, userns_fd);
	if (fd < 0 || move_mount(fd, "", AT_FDCWD, scratch, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return false;
	taken = overlay_takes(scratch);
	umount2(scratch, MNT_DETACH);
	return taken;
}
