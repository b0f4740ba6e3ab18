/* Every controller in cgroup v2: one directory holds it all. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/launch/cgroup/backend.h"

static int enable_controllers(int dir_fd, const char *name, struct failure *why)
{
	int r = fd_write_file_at(dir_fd, "cgroup.subtree_control", "+cpu +memory +pids");

	if (r == -EBUSY)
		return failure_set(why, r, "cgroups",
			"the cgroup %s has processes of its own, so the kernel does not let it "
			"limit "
			"children: move them into a child of it (systemd: DelegateSubgroup=)",
			name);
	if (r < 0)
		return failure_set(why, r, "cgroups",
			"cannot enable the cpu, memory and pids controllers in %s: %s", name,
			strerror(-r));
	return 0;
}

static int unified_open(struct cgroup_tree *tree, struct failure *why)
{
	return cgroup_make_path(
		tree->v2_mount, tree->base, enable_controllers, &tree->sandboxes_fd, why);
}

static void unified_close(struct cgroup_tree *tree _unused_)
{
}

static int set_cpu(int dir_fd, uint32_t cpu_millis)
{
	char text[48];

	if (cpu_millis == 0)
		return fd_write_file_at(dir_fd, "cpu.max", "max");
	snprintf(text, sizeof(text), "%" PRIu64 " %u",
		(uint64_t)cpu_millis * CGROUP_CPU_PERIOD_US / 1000, CGROUP_CPU_PERIOD_US);
	return fd_write_file_at(dir_fd, "cpu.max", text);
}

static int set_pids_and_cpu(
	int dir_fd, const char *name, uint32_t pids, uint32_t cpu_millis, struct failure *why)
{
	int r = cgroup_write_number(dir_fd, "pids.max", pids);

	if (r < 0)
		return cgroup_fail_limit(why, r, "pids.max", name);
	r = set_cpu(dir_fd, cpu_millis);
	return r < 0 ? cgroup_fail_limit(why, r, "cpu.max", name) : 0;
}

static int unified_create(struct cgroup *cgroup, const char *name, struct failure *why)
{
	return set_pids_and_cpu(
		cgroup->dir_fd, name, CGROUP_PIDS_UNCLAIMED, CGROUP_CPU_MILLIS_UNCLAIMED, why);
}

static int unified_adopt(struct cgroup *cgroup _unused_, const char *name _unused_)
{
	return 0;
}

static int unified_open_tasks(
	const struct cgroup *cgroup _unused_, const char *name _unused_, int ret_fds[2], int *ret_n)
{
	ret_fds[0] = ret_fds[1] = -1;
	*ret_n = 0;
	return 0;
}

static int unified_claim(struct cgroup *cgroup, const char *name,
	const struct cgroup_limits *limits, int *ret_join_fd, struct failure *why)
{
	int r = cgroup_write_number(cgroup->dir_fd, "memory.max", limits->memory_bytes);

	if (r < 0)
		return cgroup_fail_limit(why, r, "memory.max", name);
	r = fd_write_file_at(cgroup->dir_fd, "memory.swap.max", "0");
	if (r < 0 && r != -ENOENT) /* absent on a machine without swap */
		return cgroup_fail_limit(why, r, "memory.swap.max", name);
	r = set_pids_and_cpu(cgroup->dir_fd, name, limits->pids, limits->cpu_millis, why);
	if (r == 0)
		*ret_join_fd = -1;
	return r;
}

static int unified_read_memory(const struct cgroup *cgroup, struct cgroup_usage *usage)
{
	int r = fd_read_number_at(cgroup->dir_fd, "memory.current", &usage->memory_bytes);

	if (r == 0)
		r = fd_read_number_at(cgroup->dir_fd, "memory.peak", &usage->memory_peak_bytes);
	if (r == -ENOENT) { /* before Linux 5.19 */
		usage->memory_peak_bytes = usage->memory_bytes;
		r = 0;
	}
	return r;
}

static int unified_read_memory_now(const struct cgroup *cgroup, uint64_t *ret_bytes)
{
	return fd_read_number_at(cgroup->dir_fd, "memory.current", ret_bytes);
}

static int unified_read_pids(
	const struct cgroup *cgroup, const char *name _unused_, struct cgroup_usage *usage)
{
	return fd_read_number_at(cgroup->dir_fd, "pids.current", &usage->n_pids);
}

static int unified_read_hits(
	const struct cgroup *cgroup, const char *name _unused_, struct cgroup_usage *usage)
{
	int r = cgroup_read_key(cgroup->dir_fd, "memory.events", "oom_kill", &usage->oom_kills);

	return r < 0 ? r
		     : cgroup_read_key(
			       cgroup->dir_fd, "pids.events", "max", &usage->pids_limit_hits);
}

static int unified_remove(struct cgroup_tree *tree _unused_, const char *name _unused_)
{
	return 0;
}

static int unified_remove_tree(struct cgroup_tree *tree _unused_)
{
	return 0;
}

const struct cgroup_backend cgroup_unified = {
	.open = unified_open,
	.close = unified_close,
	.create = unified_create,
	.adopt = unified_adopt,
	.open_tasks = unified_open_tasks,
	.claim = unified_claim,
	.read_memory = unified_read_memory,
	.read_memory_now = unified_read_memory_now,
	.read_pids = unified_read_pids,
	.read_hits = unified_read_hits,
	.remove = unified_remove,
	.remove_tree = unified_remove_tree,
};
