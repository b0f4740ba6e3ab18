/* The common part: the trees are found, the v2 directory made, read, killed and removed. */
#include "supervisor/launch/cgroup/cgroup.h"

#include <dirent.h>
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

#define NS_PER_US 1000u
#define CPU_STAT_MAX 4096

void cgroup_name(uint64_t sandbox, char ret_name[CGROUP_NAME_SIZE])
{
	snprintf(ret_name, CGROUP_NAME_SIZE, "sb-%016" PRIx64, sandbox);
}

int cgroup_tree_open(const char *base, struct cgroup_tree **ret_tree, struct failure *why)
{
	_cleanup_free_ struct cgroup_tree *tree = calloc(1, sizeof(*tree));
	int r;

	if (!tree)
		return failure_set(why, -ENOMEM, "cgroups", "out of memory");
	tree->sandboxes_fd = -1;
	for (int i = 0; i < CGROUP_V1_N; i++)
		tree->v1_fds[i] = -1;
	if (base[0] != '/' || base[1] == '\0' || strlen(base) >= sizeof(tree->base) ||
		strstr(base, ".."))
		return failure_set(why, -EINVAL, "cgroups",
			"\"%.200s\" is no cgroup path: it must begin with / and name a directory",
			base);
	snprintf(tree->base, sizeof(tree->base), "%s", base);
	r = cgroup_find_mounts(tree, why);
	if (r < 0)
		return r;
	tree->backend = tree->kind == CGROUP_UNIFIED ? &cgroup_unified : &cgroup_hybrid;
	r = tree->backend->open(tree, why);
	if (r < 0) {
		cgroup_tree_free(steal_ptr(&tree));
		return r;
	}
	snprintf(tree->sandboxes_dir, sizeof(tree->sandboxes_dir), "%s%s/sandboxes", tree->v2_mount,
		tree->base);
	*ret_tree = steal_ptr(&tree);
	return 0;
}

struct cgroup_tree *cgroup_tree_free(struct cgroup_tree *tree)
{
	if (!tree)
		return NULL;
	tree->backend->close(tree);
	if (tree->sandboxes_fd >= 0)
		close(tree->sandboxes_fd);
	free(tree);
	return NULL;
}

enum cgroup_kind cgroup_tree_kind(const struct cgroup_tree *tree)
{
	return tree->kind;
}

const char *cgroup_tree_sandboxes_dir(const struct cgroup_tree *tree)
{
	return tree->sandboxes_dir;
}

const char *cgroup_tree_base(const struct cgroup_tree *tree)
{
	return tree->base;
}

int cgroup_tree_each(struct cgroup_tree *tree, void (*callback)(uint64_t sandbox, void *userdata),
	void *userdata)
{
	int fd = openat(tree->sandboxes_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *directory;

	if (fd < 0)
		return -errno;
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	while ((entry = readdir(directory))) {
		uint64_t sandbox;
		char name[CGROUP_NAME_SIZE];

		if (sscanf(entry->d_name, "sb-%" SCNx64, &sandbox) != 1)
			continue;
		cgroup_name(sandbox, name);
		if (strcmp(name, entry->d_name) == 0)
			callback(sandbox, userdata);
	}
	closedir(directory);
	return 0;
}

static void remove_left(uint64_t sandbox, void *userdata)
{
	struct cgroup_tree *tree = userdata;
	char name[CGROUP_NAME_SIZE];

	cgroup_name(sandbox, name);
	if (unlinkat(tree->sandboxes_fd, name, AT_REMOVEDIR) == 0)
		tree->backend->remove(tree, name);
}

int cgroup_tree_remove(struct cgroup_tree *tree)
{
	int r = cgroup_tree_each(tree, remove_left, tree);

	if (r == 0 || r == -ENOENT) /* an earlier try may have come further */
		r = tree->backend->remove_tree(tree);
	if (r == 0)
		r = cgroup_remove_path(tree->v2_mount, tree->base);
	return r;
}

/* Opens the v2 directory and fills everything but the back end's part. */
static int open_v2(struct cgroup_tree *tree, uint64_t sandbox, struct cgroup *ret_cgroup)
{
	char name[CGROUP_NAME_SIZE];
	struct stat status;
	int fd;

	cgroup_name(sandbox, name);
	fd = openat(tree->sandboxes_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		close(fd);
		return -errno;
	}
	*ret_cgroup = (struct cgroup){.tree = tree,
		.sandbox = sandbox,
		.dir_fd = fd,
		.memory_fd = -1,
		.id = status.st_ino};
	return 0;
}

int cgroup_create(
	struct cgroup_tree *tree, uint64_t sandbox, struct cgroup *ret_cgroup, struct failure *why)
{
	struct cgroup cgroup;
	char name[CGROUP_NAME_SIZE];
	int r;

	cgroup_name(sandbox, name);
	if (mkdirat(tree->sandboxes_fd, name, 0755) < 0)
		return failure_set(why, -errno, "cgroup v2", "cannot make %s/%s: %s", tree->base,
			name, strerror(errno));
	r = open_v2(tree, sandbox, &cgroup);
	if (r < 0) {
		failure_set(why, r, "cgroup v2", "cannot open %s/%s: %s", tree->base, name,
			strerror(-r));
		goto undo_directory;
	}
	r = tree->backend->create(&cgroup, name, why);
	if (r < 0)
		goto undo_open;
	*ret_cgroup = cgroup;
	return 0;

undo_open:
	cgroup_fini(&cgroup);
	tree->backend->remove(tree, name);
undo_directory:
	unlinkat(tree->sandboxes_fd, name, AT_REMOVEDIR);
	return r;
}

int cgroup_adopt(struct cgroup_tree *tree, uint64_t sandbox, struct cgroup *ret_cgroup)
{
	char name[CGROUP_NAME_SIZE];
	struct cgroup cgroup;
	int r = open_v2(tree, sandbox, &cgroup);

	if (r < 0)
		return r;
	cgroup_name(sandbox, name);
	r = tree->backend->adopt(&cgroup, name);
	if (r < 0) {
		cgroup_fini(&cgroup);
		return r;
	}
	*ret_cgroup = cgroup;
	return 0;
}

int cgroup_open_tasks(const struct cgroup *cgroup, int ret_fds[2], int *ret_n)
{
	char name[CGROUP_NAME_SIZE];

	cgroup_name(cgroup->sandbox, name);
	return cgroup->tree->backend->open_tasks(cgroup, name, ret_fds, ret_n);
}

int cgroup_claim(struct cgroup *cgroup, const struct cgroup_limits *limits, int *ret_join_fd,
	struct failure *why)
{
	char name[CGROUP_NAME_SIZE];

	cgroup_name(cgroup->sandbox, name);
	return cgroup->tree->backend->claim(cgroup, name, limits, ret_join_fd, why);
}

void cgroup_stock_refill(struct cgroup_tree *tree)
{
	if (tree->backend->refill)
		tree->backend->refill(tree);
}

static int read_cpu(const struct cgroup *cgroup, struct cgroup_usage *usage)
{
	static const char file[] = "cpu.stat"; /* there even without the cpu controller */
	_cleanup_free_ char *text = NULL;
	int r = fd_read_file_at(cgroup->dir_fd, file, CPU_STAT_MAX, &text, NULL);

	if (r < 0)
		return r;
	/* The first three lines, in this order since Linux 4.15; read at once, they agree. */
	if (sscanf(text, "usage_usec %" SCNu64 " user_usec %" SCNu64 " system_usec %" SCNu64,
		    &usage->cpu_ns, &usage->cpu_user_ns, &usage->cpu_system_ns) != 3)
		return -EBADMSG;
	usage->cpu_ns *= NS_PER_US;
	usage->cpu_user_ns *= NS_PER_US;
	usage->cpu_system_ns *= NS_PER_US;
	return 0;
}

int cgroup_read_cpu(const struct cgroup *cgroup, struct cgroup_usage *ret_usage)
{
	return read_cpu(cgroup, ret_usage);
}

int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret_usage)
{
	struct cgroup_usage usage = {0};
	char name[CGROUP_NAME_SIZE];
	int r = read_cpu(cgroup, &usage);

	cgroup_name(cgroup->sandbox, name);
	if (r == 0)
		r = cgroup->tree->backend->read_memory(cgroup, &usage);
	if (r == 0)
		r = cgroup->tree->backend->read_pids(cgroup, name, &usage);
	if (r == 0)
		r = cgroup->tree->backend->read_hits(cgroup, name, &usage);
	if (r == 0)
		*ret_usage = usage;
	return r;
}

int cgroup_read_memory(const struct cgroup *cgroup, uint64_t *ret_bytes)
{
	return cgroup->tree->backend->read_memory_now(cgroup, ret_bytes);
}

int cgroup_read_limit_hits(
	const struct cgroup *cgroup, uint64_t *ret_oom_kills, uint64_t *ret_pids_limit_hits)
{
	struct cgroup_usage usage = {0};
	char name[CGROUP_NAME_SIZE];
	int r;

	cgroup_name(cgroup->sandbox, name);
	r = cgroup->tree->backend->read_hits(cgroup, name, &usage);
	if (r < 0)
		return r;
	*ret_oom_kills = usage.oom_kills;
	*ret_pids_limit_hits = usage.pids_limit_hits;
	return 0;
}

int cgroup_kill(const struct cgroup *cgroup)
{
	return fd_write_file_at(cgroup->dir_fd, "cgroup.kill", "1");
}

int cgroup_freeze(const struct cgroup *cgroup, bool on)
{
	return fd_write_file_at(cgroup->dir_fd, "cgroup.freeze", on ? "1" : "0");
}

bool cgroup_is_frozen(const struct cgroup *cgroup)
{
	_cleanup_close_ int fd = openat(cgroup->dir_fd, "cgroup.freeze", O_RDONLY | O_CLOEXEC);
	char text = '0';

	return fd >= 0 && read(fd, &text, 1) == 1 && text == '1';
}

int cgroup_remove(struct cgroup *cgroup)
{
	char name[CGROUP_NAME_SIZE];
	int r;

	cgroup_name(cgroup->sandbox, name);
	/* v2 first: while it is busy, nothing is touched and the call can be repeated. */
	if (unlinkat(cgroup->tree->sandboxes_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	r = cgroup->tree->backend->remove(cgroup->tree, name);
	if (r < 0)
		return r;
	cgroup_fini(cgroup);
	return 0;
}

void cgroup_fini(struct cgroup *cgroup)
{
	if (cgroup->dir_fd >= 0)
		close(cgroup->dir_fd);
	if (cgroup->memory_fd >= 0)
		close(cgroup->memory_fd);
	cgroup->dir_fd = cgroup->memory_fd = -1;
}
