#include "supervisor/enforce/pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define SET_PREFIX "set-"
#define LINK_PREFIX "link-"

int pins_prepare(const char *pin_dir, struct failure *why)
{
	struct statfs info;

	/* bpffs keeps dots for itself (bpf_lookup() in kernel/bpf/inode.c). */
	if (mkdir(pin_dir, 0700) < 0 && errno == EPERM && strchr(basename(pin_dir), '.'))
		return failure_set(why, -EINVAL, "make pin directory",
			"cannot make %s: a name on a bpffs has no dot in it; choose another name",
			pin_dir);
	if (mkdir(pin_dir, 0700) < 0 && errno != EEXIST)
		return failure_set(why, -errno, "make pin directory", "cannot make %s: %s", pin_dir,
			strerror(errno));
	if (statfs(pin_dir, &info) < 0)
		return failure_set(why, -errno, "make pin directory", "cannot look at %s: %s",
			pin_dir, strerror(errno));
	if (info.f_type == BPF_FS_MAGIC)
		return 0;
	rmdir(pin_dir);
	return failure_set(why, -EINVAL, "make pin directory",
		"%s is not on a bpffs; mount one (mount -t bpf bpf DIR) and name a directory on it",
		pin_dir);
}

char *pins_path(const char *set_dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", set_dir, name) < 0 ? NULL : path;
}

int pins_open_map(const char *set_dir, const char *name, bool read_only)
{
	LIBBPF_OPTS(bpf_obj_get_opts, options, .file_flags = read_only ? BPF_F_RDONLY : 0);
	_cleanup_free_ char *path = pins_path(set_dir, name);

	return path ? bpf_obj_get_opts(path, &options) : -ENOMEM;
}

/* Unlinks the pins whose name starts with `prefix`. */
static int unlink_all(const char *set_dir, const char *prefix)
{
	DIR *directory = opendir(set_dir);
	const struct dirent *entry;
	int r = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		if (unlinkat(dirfd(directory), entry->d_name, 0) < 0)
			r = -errno;
	}
	closedir(directory);
	return r;
}

int pins_remove_set(const char *set_dir)
{
	int r = unlink_all(set_dir, LINK_PREFIX);

	if (r == 0)
		r = unlink_all(set_dir, "");
	if (r == 0 && rmdir(set_dir) < 0 && errno != ENOENT)
		r = -errno;
	return r;
}

int pins_remove_others(const char *pin_dir, const char *keep)
{
	DIR *directory = opendir(pin_dir);
	const struct dirent *entry;
	int r = 0;

	if (!directory)
		return -errno;
	while ((entry = readdir(directory))) {
		_cleanup_free_ char *path = NULL;
		int removed;

		if (strncmp(entry->d_name, SET_PREFIX, strlen(SET_PREFIX)) != 0)
			continue;
		path = pins_path(pin_dir, entry->d_name);
		if (!path || (keep && strcmp(path, keep) == 0))
			continue;
		removed = pins_remove_set(path);
		if (removed < 0)
			r = removed;
	}
	closedir(directory);
	return r;
}
