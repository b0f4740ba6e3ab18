/* Finding the hierarchies, walking to our subtree, and the small reads and writes in it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/launch/cgroup/backend.h"

#define STAGE "cgroups"
#define KEYED_FILE_MAX 16384

static const char *const v1_controllers[CGROUP_V1_N] = {"pids", "cpu", "memory"};

/* True if `word` is one of the comma- or blank-separated words of `list`. */
static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += length) {
		bool begins = at == list || strchr(", \n", at[-1]);
		bool ends = !at[length] || strchr(", \n", at[length]);

		if (begins && ends)
			return true;
	}
	return false;
}

/* One line of /proc/self/mountinfo, proc_pid_mountinfo(5):
 * "36 35 98:0 /root /mount/point options [tags] - type source super-options". Mount points with
 * octal escapes are no cgroup mounts of this world. */
static void look_at_mount(struct cgroup_tree *tree, char *line)
{
	char point[256], root[256], type[32], options[256];
	char *rest = strstr(line, " - ");

	if (!rest || sscanf(line, "%*d %*d %*s %255s %255s", root, point) != 2 ||
		sscanf(rest, " - %31s %*s %255s", type, options) != 2 || strcmp(root, "/") != 0)
		return;
	if (strcmp(type, "cgroup2") == 0 && !tree->v2_mount[0])
		snprintf(tree->v2_mount, sizeof(tree->v2_mount), "%s", point);
	if (strcmp(type, "cgroup") != 0)
		return;
	for (int i = 0; i < CGROUP_V1_N; i++)
		if (!tree->v1_mounts[i][0] && has_word(options, v1_controllers[i]))
			snprintf(tree->v1_mounts[i], sizeof(tree->v1_mounts[i]), "%s", point);
}

static int choose_kind(struct cgroup_tree *tree, struct failure *why)
{
	_cleanup_free_ char *controllers = NULL;
	char path[sizeof(tree->v2_mount) + 32];
	bool unified = true;
	int r;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", tree->v2_mount);
	r = fd_read_file_at(AT_FDCWD, path, KEYED_FILE_MAX, &controllers, NULL);
	if (r < 0)
		return failure_set(why, r, STAGE, "cannot read %s: %s", path, strerror(-r));
	for (int i = 0; i < CGROUP_V1_N; i++)
		unified = unified && has_word(controllers, v1_controllers[i]);
	tree->kind = unified ? CGROUP_UNIFIED : CGROUP_HYBRID;
	for (int i = 0; !unified && i < CGROUP_V1_N; i++)
		if (!tree->v1_mounts[i][0])
			return failure_set(why, -ENODEV, STAGE,
				"the %s controller is neither with the others in cgroup v2 nor "
				"mounted as v1: sandboxes could not be limited, so none is made",
				v1_controllers[i]);
	return 0;
}

int cgroup_find_mounts(struct cgroup_tree *tree, struct failure *why)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	if (!file)
		return failure_set(why, -errno, STAGE, "cannot read /proc/self/mountinfo: %s",
			strerror(errno));
	while (getline(&line, &room, file) > 0)
		look_at_mount(tree, line);
	fclose(file);
	if (!tree->v2_mount[0])
		return failure_set(why, -ENODEV, STAGE,
			"cgroup v2 is not mounted: BPF needs it to know sandboxes apart; mount it "
			"on /sys/fs/cgroup or /sys/fs/cgroup/unified");
	return choose_kind(tree, why);
}

int cgroup_make_path(const char *mount, const char *base,
	int (*enter)(int dir_fd, const char *name, struct failure *why), int *ret_fd,
	struct failure *why)
{
	_cleanup_close_ int fd = open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[512];
	char *cursor = NULL;
	int r;

	snprintf(path, sizeof(path), "%s/sandboxes", base);
	if (fd < 0)
		return failure_set(
			why, -errno, STAGE, "cannot open %s: %s", mount, strerror(errno));
	r = enter ? enter(fd, "/", why) : 0;
	for (char *name = strtok_r(path, "/", &cursor); name && r == 0;
		name = strtok_r(NULL, "/", &cursor)) {
		int next;

		r = fd_make_dir_at(fd, name, 0755);
		next = r < 0 ? -1 : openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0) {
			r = r < 0 ? r : -errno;
			return failure_set(why, r, STAGE, "cannot make %s of %s in %s: %s", name,
				base, mount, strerror(-r));
		}
		close(fd);
		fd = next;
		r = enter ? enter(fd, name, why) : 0;
	}
	if (r == 0)
		*ret_fd = steal_fd(&fd);
	return r;
}

int cgroup_remove_path(const char *mount, const char *base)
{
	char path[1024];

	snprintf(path, sizeof(path), "%s%s/sandboxes", mount, base);
	if (rmdir(path) < 0 && errno != ENOENT)
		return errno == ENOTEMPTY ? -EBUSY : -errno;
	snprintf(path, sizeof(path), "%s%s", mount, base);
	if (rmdir(path) < 0 && errno != ENOENT && errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	return 0;
}

int cgroup_write_number(int dir_fd, const char *file, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return fd_write_file_at(dir_fd, file, text);
}

int cgroup_read_key(int dir_fd, const char *file, const char *key, uint64_t *ret_value)
{
	_cleanup_free_ char *text = NULL;
	char *cursor = NULL;
	size_t length = strlen(key);
	int r = fd_read_file_at(dir_fd, file, KEYED_FILE_MAX, &text, NULL);

	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &cursor); line;
		line = strtok_r(NULL, "\n", &cursor)) {
		if (strncmp(line, key, length) != 0 || line[length] != ' ')
			continue;
		*ret_value = strtoull(line + length + 1, NULL, 10);
		return 0;
	}
	return -ENOENT;
}

int cgroup_fail_limit(struct failure *why, int error, const char *file, const char *name)
{
	return failure_set(why, error, "cgroup limits", "the kernel refuses %s of %s: %s", file,
		name, strerror(-error));
}
