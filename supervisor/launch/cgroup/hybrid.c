/* Limits by v1 controllers, beside a v2 directory that carries BPF, freeze, kill and cpu.stat.
 *
 * A v1 memory cgroup is dear: it costs 1 KiB for every 64 superblocks alive on the machine and up
 * to 0.8 ms to make. So only claimed sandboxes have one. A few wait in a stock, "stock-<n>"; a
 * claim takes one, sets its limit and renames it to the sandbox's name (v1 can rename), so that a
 * restarted supervisor finds it again. PID 1 joins it through its `tasks` file.
 *
 * A removed memory cgroup lives on, unseen and as dear as before, until the last page of files that
 * it has read into the page cache goes. So an ended sandbox's is first renamed to "gone-<n>", and
 * emptied when there is time for it (a millisecond each).
 *
 * v1 does not charge socket buffers to memory; TCP's are limited by memory.kmem.tcp, UDP's cannot
 * be (research/isolation.md F4). */
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

#define TCP_BYTES_MAX (16u * 1024 * 1024) /* socket buffers of one sandbox */

static void stock_name(uint32_t index, char ret_name[CGROUP_NAME_SIZE])
{
	snprintf(ret_name, CGROUP_NAME_SIZE, "stock-%" PRIu32, index);
}

static void gone_name(uint32_t index, char ret_name[CGROUP_NAME_SIZE])
{
	snprintf(ret_name, CGROUP_NAME_SIZE, "gone-%" PRIu32, index);
}

static void take_over(struct cgroup_tree *tree, const char *name)
{
	bool stocked = false;
	uint32_t index;

	if (sscanf(name, "stock-%" SCNu32, &index) == 1)
		stocked = true;
	else if (sscanf(name, "gone-%" SCNu32, &index) != 1)
		return;
	if (index >= tree->next_index)
		tree->next_index = index + 1;
	if (stocked && tree->n_stock < CGROUP_STOCK_TARGET)
		tree->stock[tree->n_stock++] = index;
	else if (!stocked && tree->n_gone < CGROUP_GONE_MAX)
		tree->gone[tree->n_gone++] = index;
	else
		unlinkat(tree->v1_fds[CGROUP_V1_MEMORY], name, AT_REMOVEDIR);
}

/* Takes over what an earlier process left in stock, and what it had no time to empty. */
static void find_leftovers(struct cgroup_tree *tree)
{
	int fd = openat(tree->v1_fds[CGROUP_V1_MEMORY], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!directory) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(directory)))
		take_over(tree, entry->d_name);
	closedir(directory);
}

static int hybrid_open(struct cgroup_tree *tree, struct failure *why)
{
	int r = cgroup_make_path(tree->v2_mount, tree->base, NULL, &tree->sandboxes_fd, why);

	for (int i = 0; r == 0 && i < CGROUP_V1_N; i++)
		r = cgroup_make_path(tree->v1_mounts[i], tree->base, NULL, &tree->v1_fds[i], why);
	if (r == 0)
		find_leftovers(tree);
	return r;
}

static void hybrid_close(struct cgroup_tree *tree)
{
	for (int i = 0; i < CGROUP_V1_N; i++)
		if (tree->v1_fds[i] >= 0)
			close(tree->v1_fds[i]);
}

static int stock_add(struct cgroup_tree *tree)
{
	int memory_fd = tree->v1_fds[CGROUP_V1_MEMORY];
	char path[CGROUP_NAME_SIZE + 48], name[CGROUP_NAME_SIZE];
	uint32_t index = tree->next_index;
	int r;

	stock_name(index, name);
	if (mkdirat(memory_fd, name, 0755) < 0)
		return -errno;
	tree->next_index++;
	snprintf(path, sizeof(path), "%s/memory.kmem.tcp.limit_in_bytes", name);
	r = cgroup_write_number(memory_fd, path, TCP_BYTES_MAX);
	if (r < 0 && r != -ENOENT) {
		unlinkat(memory_fd, name, AT_REMOVEDIR);
		return r;
	}
	tree->stock[tree->n_stock++] = index;
	return 0;
}

/* Gives the page cache of one ended sandbox back, so that the kernel can free its memory cgroup. */
static void empty_gone(struct cgroup_tree *tree)
{
	int memory_fd = tree->v1_fds[CGROUP_V1_MEMORY];
	char name[CGROUP_NAME_SIZE], path[CGROUP_NAME_SIZE + 24];

	if (tree->n_gone == 0)
		return;
	gone_name(tree->gone[--tree->n_gone], name);
	snprintf(path, sizeof(path), "%s/memory.force_empty", name);
	fd_write_file_at(memory_fd, path, "0");
	unlinkat(memory_fd, name, AT_REMOVEDIR);
}

static void hybrid_refill(struct cgroup_tree *tree)
{
	empty_gone(tree);
	for (int i = 0; i < CGROUP_STOCK_STEP && tree->n_stock < CGROUP_STOCK_TARGET; i++)
		if (stock_add(tree) < 0)
			return; /* a claim that finds the stock empty says why */
}

static int set_pids(struct cgroup_tree *tree, const char *name, uint32_t pids)
{
	char path[CGROUP_NAME_SIZE + 32];

	snprintf(path, sizeof(path), "%s/pids.max", name);
	return cgroup_write_number(tree->v1_fds[CGROUP_V1_PIDS], path, pids);
}

static int set_cpu(struct cgroup_tree *tree, const char *name, uint32_t cpu_millis)
{
	char path[CGROUP_NAME_SIZE + 32];

	snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", name);
	if (cpu_millis == 0)
		return fd_write_file_at(tree->v1_fds[CGROUP_V1_CPU], path, "-1");
	return cgroup_write_number(tree->v1_fds[CGROUP_V1_CPU], path,
		(uint64_t)cpu_millis * CGROUP_CPU_PERIOD_US / 1000);
}

static int set_pids_and_cpu(struct cgroup_tree *tree, const char *name, uint32_t pids,
	uint32_t cpu_millis, struct failure *why)
{
	int r = set_pids(tree, name, pids);

	if (r < 0)
		return cgroup_fail_limit(why, r, "pids.max", name);
	r = set_cpu(tree, name, cpu_millis);
	return r < 0 ? cgroup_fail_limit(why, r, "cpu.cfs_quota_us", name) : 0;
}

static int hybrid_create(struct cgroup *cgroup, const char *name, struct failure *why)
{
	struct cgroup_tree *tree = cgroup->tree;

	for (int i = CGROUP_V1_PIDS; i <= CGROUP_V1_CPU; i++)
		if (mkdirat(tree->v1_fds[i], name, 0755) < 0)
			return failure_set(why, -errno, "cgroup v1", "cannot make %s%s/%s: %s",
				tree->v1_mounts[i], tree->base, name, strerror(errno));
	return set_pids_and_cpu(
		tree, name, CGROUP_PIDS_UNCLAIMED, CGROUP_CPU_MILLIS_UNCLAIMED, why);
}

static int hybrid_adopt(struct cgroup *cgroup, const char *name)
{
	cgroup->memory_fd = openat(cgroup->tree->v1_fds[CGROUP_V1_MEMORY], name,
		O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return cgroup->memory_fd < 0 && errno != ENOENT ? -errno : 0;
}

static int open_tasks(int dir_fd, const char *name)
{
	char path[CGROUP_NAME_SIZE + 8];
	int fd;

	snprintf(path, sizeof(path), "%s/tasks", name);
	fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

static int hybrid_open_tasks(
	const struct cgroup *cgroup, const char *name, int ret_fds[2], int *ret_n)
{
	_cleanup_close_ int pids_fd = open_tasks(cgroup->tree->v1_fds[CGROUP_V1_PIDS], name);
	int cpu_fd;

	if (pids_fd < 0)
		return pids_fd;
	cpu_fd = open_tasks(cgroup->tree->v1_fds[CGROUP_V1_CPU], name);
	if (cpu_fd < 0)
		return cpu_fd;
	ret_fds[0] = steal_fd(&pids_fd);
	ret_fds[1] = cpu_fd;
	*ret_n = 2;
	return 0;
}

/* Takes a memory cgroup from the stock, or makes one on the spot. */
static int stock_take(struct cgroup_tree *tree, uint32_t *ret_index)
{
	if (tree->n_stock == 0) {
		int r = stock_add(tree);

		if (r < 0)
			return r;
	}
	*ret_index = tree->stock[--tree->n_stock];
	return 0;
}

static int set_memory(int memory_fd, uint64_t bytes)
{
	int r = cgroup_write_number(memory_fd, "memory.limit_in_bytes", bytes);

	if (r == 0) {
		r = cgroup_write_number(memory_fd, "memory.memsw.limit_in_bytes", bytes);
		if (r == -ENOENT) /* swap is not accounted on this machine */
			r = 0;
	}
	return r;
}

static int claim_memory(struct cgroup *cgroup, const char *name, uint64_t bytes, int *ret_join_fd)
{
	int stock_fd = cgroup->tree->v1_fds[CGROUP_V1_MEMORY];
	_cleanup_close_ int fd = -1, join_fd = -1;
	char from[CGROUP_NAME_SIZE];
	uint32_t index;
	int r = stock_take(cgroup->tree, &index);

	if (r < 0)
		return r;
	stock_name(index, from);
	fd = openat(stock_fd, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = set_memory(fd, bytes);
	if (r < 0)
		return r;
	join_fd = open_tasks(stock_fd, from);
	if (join_fd < 0)
		return join_fd;
	if (renameat(stock_fd, from, stock_fd, name) < 0)
		return -errno;
	cgroup->memory_fd = steal_fd(&fd);
	cgroup->memory_index = index;
	*ret_join_fd = steal_fd(&join_fd);
	return 0;
}

static int hybrid_claim(struct cgroup *cgroup, const char *name, const struct cgroup_limits *limits,
	int *ret_join_fd, struct failure *why)
{
	int r = set_pids_and_cpu(cgroup->tree, name, limits->pids, limits->cpu_millis, why);

	if (r < 0)
		return r;
	if (cgroup->memory_fd >= 0) { /* claimed already: only the limit changes */
		*ret_join_fd = -1;
		r = set_memory(cgroup->memory_fd, limits->memory_bytes);
	} else {
		r = claim_memory(cgroup, name, limits->memory_bytes, ret_join_fd);
	}
	return r < 0 ? cgroup_fail_limit(why, r, "memory.limit_in_bytes", name) : 0;
}

static int hybrid_read_memory(const struct cgroup *cgroup, struct cgroup_usage *usage)
{
	int fd = cgroup->memory_fd, r;

	if (fd < 0)
		return 0; /* not claimed yet */
	r = fd_read_number_at(fd, "memory.usage_in_bytes", &usage->memory_bytes);
	return r < 0 ? r
		     : fd_read_number_at(
			       fd, "memory.max_usage_in_bytes", &usage->memory_peak_bytes);
}

static int hybrid_read_memory_now(const struct cgroup *cgroup, uint64_t *ret_bytes)
{
	if (cgroup->memory_fd < 0)
		return -ENOENT; /* not claimed yet */
	return fd_read_number_at(cgroup->memory_fd, "memory.usage_in_bytes", ret_bytes);
}

static int hybrid_read_pids(
	const struct cgroup *cgroup, const char *name, struct cgroup_usage *usage)
{
	char path[CGROUP_NAME_SIZE + 16];

	snprintf(path, sizeof(path), "%s/pids.current", name);
	return fd_read_number_at(cgroup->tree->v1_fds[CGROUP_V1_PIDS], path, &usage->n_pids);
}

static int hybrid_read_hits(
	const struct cgroup *cgroup, const char *name, struct cgroup_usage *usage)
{
	char path[CGROUP_NAME_SIZE + 16];
	int r = 0;

	if (cgroup->memory_fd >= 0)
		r = cgroup_read_key(
			cgroup->memory_fd, "memory.oom_control", "oom_kill", &usage->oom_kills);
	snprintf(path, sizeof(path), "%s/pids.events", name);
	return r < 0 ? r
		     : cgroup_read_key(cgroup->tree->v1_fds[CGROUP_V1_PIDS], path, "max",
			       &usage->pids_limit_hits);
}

/* The v2 directory is gone, so no process is left in this one either. When too many wait to be
 * emptied, it goes as it is: a slow leak, until the pages are wanted elsewhere, instead of a queue.
 */
static void retire_memory(struct cgroup_tree *tree, const char *name)
{
	int memory_fd = tree->v1_fds[CGROUP_V1_MEMORY];
	char gone[CGROUP_NAME_SIZE];

	gone_name(tree->next_index, gone);
	if (tree->n_gone == CGROUP_GONE_MAX || renameat(memory_fd, name, memory_fd, gone) < 0)
		return;
	tree->gone[tree->n_gone++] = tree->next_index++;
}

static int hybrid_remove(struct cgroup_tree *tree, const char *name)
{
	int r = 0;

	retire_memory(tree, name);
	for (int i = 0; i < CGROUP_V1_N; i++)
		if (unlinkat(tree->v1_fds[i], name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = -errno;
	return r;
}

static int hybrid_remove_tree(struct cgroup_tree *tree)
{
	char name[CGROUP_NAME_SIZE];
	int r = 0;

	while (tree->n_gone > 0)
		empty_gone(tree);
	while (tree->n_stock > 0) {
		stock_name(tree->stock[--tree->n_stock], name);
		unlinkat(tree->v1_fds[CGROUP_V1_MEMORY], name, AT_REMOVEDIR);
	}
	for (int i = 0; i < CGROUP_V1_N && r == 0; i++)
		r = cgroup_remove_path(tree->v1_mounts[i], tree->base);
	return r;
}

const struct cgroup_backend cgroup_hybrid = {
	.open = hybrid_open,
	.close = hybrid_close,
	.create = hybrid_create,
	.adopt = hybrid_adopt,
	.open_tasks = hybrid_open_tasks,
	.claim = hybrid_claim,
	.refill = hybrid_refill,
	.read_memory = hybrid_read_memory,
	.read_memory_now = hybrid_read_memory_now,
	.read_pids = hybrid_read_pids,
	.read_hits = hybrid_read_hits,
	.remove = hybrid_remove,
	.remove_tree = hybrid_remove_tree,
};
