/* The mount tree of a sandbox, built by the stage inside its own user and mount namespace.
 *
 * One tmpfs holds all that a sandbox can write; its size is the disk limit. The tenant sees only
 * its directory "root", so the overlay's upper and work directories beside it stay out of reach.
 * /usr is an overlay of the host's /usr and a thin layer that carries /etc (SPAWNER_EXTRA), so that
 * both are writable and take one superblock; /etc is a bind of that layer. Superblocks in all:
 * tmpfs, overlay, proc, devpts and the IPC namespace's own.
 *
 * What the stage mounts belongs to its user namespace: the kernel itself then ignores device nodes
 * and set-uid there. Three things it cannot make, so they come from outside: the idmapped clones of
 * /usr and the extra layer (only the owner of a file system may map its ids; they arrive as
 * detached mounts), and device nodes (a shared read-only directory made by the spawner). The
 * overlay is mounted in here all the same, so that what it does, it does with the sandbox's ids. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "supervisor/launch/spawner/root.h"
#include "supervisor/launch/spawner/stage.h"

#define PTYS_MAX "64"
#define TTY_GID "5"

/* As runc has them (libcontainer/specconv), and what else tells of the host or of its neighbours.
 */
static const struct mask {
	const char *path;
	bool directory;
} masks[] = {
	{"/acpi", true},
	{"/asound", true},
	{"/bus", true},
	{"/config.gz", false},
	{"/diskstats", false},
	{"/driver", true},
	{"/dynamic_debug", true},
	{"/interrupts", false},
	{"/iomem", false},
	{"/ioports", false},
	{"/irq", true},
	{"/kallsyms", false},
	{"/kcore", false},
	{"/key-users", false},
	{"/keys", false},
	{"/latency_stats", false},
	{"/locks", false},
	{"/modules", false},
	{"/pressure", true},
	{"/sched_debug", false},
	{"/schedstat", false},
	{"/scsi", true},
	{"/slabinfo", false},
	{"/softirqs", false},
	{"/swaps", false},
	{"/sysrq-trigger", false},
	{"/timer_list", false},
	{"/timer_stats", false},
	{"/vmallocinfo", false},
	{"/zoneinfo", false},
};
static const char *const read_only[] = {"/fs", "/sys"};

_Static_assert(ARRAY_SIZE(masks) <= 64, "mounts_find_masks() returns a bit for each");

struct option {
	const char *key, *value; /* value NULL: a flag */
};

static int fail(struct failure *why, const char *what)
{
	return failure_set(why, -errno, "mounts", "cannot %s: %s", what, strerror(errno));
}

/* Returns a detached mount of a new file system, or -errno. */
static int make_file_system(const char *type, const struct option *options, unsigned int attributes,
	struct failure *why)
{
	_cleanup_close_ int context = fsopen(type, FSOPEN_CLOEXEC);
	char what[96];
	int fd;

	snprintf(what, sizeof(what), "open the file system %s", type);
	if (context < 0)
		return fail(why, what);
	for (; options->key; options++) {
		int command = options->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;

		snprintf(what, sizeof(what), "set %s of %s", options->key, type);
		if (fsconfig(context, (unsigned int)command, options->key, options->value, 0) < 0)
			return fail(why, what);
	}
	snprintf(what, sizeof(what), "make the file system %s", type);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fail(why, what);
	fd = fsmount(context, FSMOUNT_CLOEXEC, attributes);
	return fd < 0 ? fail(why, what) : fd;
}

static int attach(int mount_fd, const char *target, struct failure *why)
{
	char what[96];

	if (move_mount(mount_fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return 0;
	snprintf(what, sizeof(what), "attach a mount to %s", target);
	return fail(why, what);
}

/* Binds `path` below `dir_fd` to `target`. `attributes` are added to those of the source. */
static int bind(
	int dir_fd, const char *path, const char *target, uint64_t attributes, struct failure *why)
{
	struct mount_attr change = {.attr_set = attributes};
	_cleanup_close_ int fd =
		open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	char what[96];

	snprintf(what, sizeof(what), "clone %s", path);
	if (fd < 0)
		return fail(why, what);
	if (attributes && mount_setattr(fd, "", AT_EMPTY_PATH, &change, sizeof(change)) < 0)
		return fail(why, what);
	return attach(fd, target, why);
}

struct entry {
	const char *path;
	mode_t mode;
	uint32_t id; /* owner and group */
};

static const struct entry directories[] = {
	{"upper", 0755, 0},
	{"work", 0700, 0},
	{"lower", 0755, 0},
	{"extra", 0755, 0},
	{"shm", 01777, 0},
	{"root", 0755, 0},
	{"root/dev", 0755, 0},
	{"root/etc", 0755, 0},
	{"root/home", 0755, 0},
	{"root/home/sandbox", 0750, STAGE_SANDBOX_ID},
	{"root/mnt", 0755, 0},
	{"root/opt", 0755, 0},
	{"root/proc", 0555, 0},
	{"root/root", 0700, 0},
	{"root/run", 0755, 0},
	{"root/sys", 0555, 0},
	{"root/tmp", 01777, 0},
	{"root/usr", 0755, 0},
	{"root/var", 0755, 0},
	{"root/var/cache", 0755, 0},
	{"root/var/lib", 0755, 0},
	{"root/var/log", 0755, 0},
	{"root/var/tmp", 01777, 0},
	{"root/workspace", 0755, STAGE_SANDBOX_ID},
};

static const struct {
	const char *target, *name;
} links[] = {
	{"usr/bin", "root/bin"},
	{"usr/lib", "root/lib"},
	{"usr/lib32", "root/lib32"},
	{"usr/lib64", "root/lib64"},
	{"usr/sbin", "root/sbin"},
	{"/run", "root/var/run"},
};

static int populate(int root_fd, struct failure *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		const struct entry *entry = &directories[i];

		if (mkdirat(root_fd, entry->path, entry->mode) < 0)
			return fail(why, "populate the root");
		if (entry->id && fchownat(root_fd, entry->path, entry->id, entry->id, 0) < 0)
			return fail(why, "give a directory to the sandbox's user");
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		if (symlinkat(links[i].target, root_fd, links[i].name) < 0)
			return fail(why, "populate the root");
	return 0;
}

/* The tmpfs, attached to SPAWNER_NEW. */
static int make_disk(uint64_t bytes, int *ret_fd, struct failure *why)
{
	char size[24], inodes[24];
	const struct option options[] = {
		{"size", size}, {"nr_inodes", inodes}, {"mode", "0755"}, {NULL, NULL}};
	_cleanup_close_ int fd = -1;
	int r;

	snprintf(size, sizeof(size), "%" PRIu64, bytes);
	snprintf(inodes, sizeof(inodes), "%" PRIu64, stage_disk_inodes(bytes));
	fd = make_file_system("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, why);
	if (fd < 0)
		return fd;
	r = populate(fd, why);
	if (r == 0)
		r = attach(fd, SPAWNER_NEW, why);
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

/* Where the layer that carries /etc cannot be mapped (a tmpfs before Linux 6.3), /etc and the files
 * in it would be nobody's; so the sandbox gets copies of them in its own layer, about thirty. What
 * is in directories there stays nobody's. */
static int own_etc(int disk_fd, struct failure *why)
{
	_cleanup_close_ int from_fd = -1, to_fd = -1;
	int r;

	if (mkdirat(disk_fd, "upper/cloche", 0755) < 0 ||
		mkdirat(disk_fd, "upper/" SPAWNER_ETC_INSIDE, 0755) < 0)
		return fail(why, "make an own /etc");
	from_fd = open(SPAWNER_EXTRA "/" SPAWNER_ETC_INSIDE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	to_fd = openat(disk_fd, "upper/" SPAWNER_ETC_INSIDE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from_fd < 0 || to_fd < 0)
		return fail(why, "open an own /etc");
	r = etc_copy_files(from_fd, to_fd);
	return r < 0 ? failure_set(why, r, "mounts", "cannot copy /etc: %s", strerror(-r)) : 0;
}

static int make_usr(const struct stage_mounts *mounts, int *ret_fd, struct failure *why)
{
	static const struct option options[] = {
		{"lowerdir", SPAWNER_NEW "/extra:" SPAWNER_NEW "/lower"},
		{"upperdir", SPAWNER_NEW "/upper"}, {"workdir", SPAWNER_NEW "/work"},
		/* Two names of one file are two files once one is written: else what lies in a
		 * read-only mount could be changed through the other name. */
		{"index", "off"}, {"userxattr", NULL}, {NULL, NULL}};
	int r = attach(mounts->usr_fd, SPAWNER_NEW "/lower", why);

	if (r == 0)
		r = attach(mounts->extra_fd, SPAWNER_NEW "/extra", why);
	if (r < 0)
		return r;
	r = make_file_system("overlay", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, why);
	if (r < 0)
		return r;
	*ret_fd = r;
	return 0;
}

/* Processes of another user are not shown; group 0 sees all, as PID 1 must to end a session. */
static int make_proc(struct failure *why)
{
	static const struct option options[] = {{"hidepid", "2"}, {"gid", "0"}, {NULL, NULL}};
	_cleanup_close_ int fd = make_file_system(
		"proc", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, why);

	return fd < 0 ? fd : attach(fd, SPAWNER_NEW "/proc", why);
}

/* Each mask costs 4 to 8 µs of every start, so only what needs one gets one: a file that exists on
 * this kernel and that uid 0 of a sandbox, who is nobody on the host, could open. */
uint64_t mounts_find_masks(void)
{
	uint64_t found = 0;

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		char path[64];
		struct stat status;

		snprintf(path, sizeof(path), SPAWNER_PROC "%s", masks[i].path);
		if (lstat(path, &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) &&
			S_ISDIR(status.st_mode) == masks[i].directory)
			found |= 1ULL << i;
	}
	return found;
}

/* What masks is the spawner's own empty file and directory, never something from the sandbox
 * (CVE-2025-31133). */
static int mask_proc(uint64_t wanted, struct failure *why)
{
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		int r;

		if (!(wanted & 1ULL << i))
			continue;
		snprintf(path, sizeof(path), SPAWNER_NEW "/proc%s", masks[i].path);
		r = bind(AT_FDCWD, masks[i].directory ? SPAWNER_EMPTY : SPAWNER_NOTHING, path, 0,
			why);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(read_only); i++) {
		int r;

		snprintf(path, sizeof(path), SPAWNER_NEW "/proc%s", read_only[i]);
		r = bind(AT_FDCWD, path, path,
			MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				MOUNT_ATTR_NOEXEC,
			why);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_dev(int disk_fd, struct failure *why)
{
	static const struct option options[] = {{"ptmxmode", "0666"}, {"mode", "0620"},
		{"gid", TTY_GID}, {"max", PTYS_MAX}, {NULL, NULL}};
	_cleanup_close_ int pts_fd = -1;
	int r = bind(AT_FDCWD, SPAWNER_DEV, SPAWNER_NEW "/dev", 0, why);

	if (r < 0)
		return r;
	pts_fd = make_file_system("devpts", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, why);
	if (pts_fd < 0)
		return pts_fd;
	r = attach(pts_fd, SPAWNER_NEW "/dev/pts", why);
	return r < 0 ? r : bind(disk_fd, "shm", SPAWNER_NEW "/dev/shm", MOUNT_ATTR_NOEXEC, why);
}

/* pivot_root(2) with both arguments the same stacks the old root on the new one; detaching the top
 * then leaves nothing of the spawner's tree, nor the hidden parts of the tmpfs. */
static int move_in(struct failure *why)
{
	if (chdir(SPAWNER_NEW) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
		umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return fail(why, "move into the new root");
	return 0;
}

int mounts_enter(const struct stage_mounts *mounts, uint64_t disk_bytes, struct failure *why)
{
	_cleanup_close_ int disk_fd = -1, usr_fd = -1;
	int r = make_disk(disk_bytes, &disk_fd, why);

	if (r == 0 && !mounts->etc_mapped)
		r = own_etc(disk_fd, why);
	if (r == 0)
		r = make_usr(mounts, &usr_fd, why);
	if (r ==
		0) /* covers the tmpfs that it is a part of: from here on /new is the sandbox's / */
		r = bind(AT_FDCWD, SPAWNER_NEW "/root", SPAWNER_NEW, 0, why);
	if (r == 0)
		r = attach(usr_fd, SPAWNER_NEW "/usr", why);
	if (r == 0)
		r = bind(AT_FDCWD, SPAWNER_NEW "/usr/" SPAWNER_ETC_INSIDE, SPAWNER_NEW "/etc", 0,
			why);
	if (r == 0)
		r = make_dev(disk_fd, why);
	if (r == 0)
		r = bind(AT_FDCWD, SPAWNER_EMPTY, SPAWNER_NEW "/sys", 0, why);
	if (r == 0)
		r = make_proc(why);
	if (r == 0)
		r = mask_proc(mounts->masks, why);
	return r < 0 ? r : move_in(why);
}
