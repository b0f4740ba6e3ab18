/* A sandbox's place in the cgroup trees, on a unified (v2) or hybrid (v1 controllers) host.
 *
 * cgroup v2 always carries BPF, freeze, kill and cpu.stat. Limits come from v2 controllers where
 * the host has them there, else from v1 (cpu, pids, memory). Which one is found by probing, once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/base/failure.h"

struct cgroup_tree;

enum cgroup_kind { CGROUP_UNIFIED, CGROUP_HYBRID };

/* Opens (and makes) the subtree `base` ("/cloche-default") in every hierarchy that is used; the
 * sandboxes' directories lie in `base`/sandboxes. Never touches mounts. -ENODEV without cgroup v2;
 * `why` names a missing controller and what that means. */
int cgroup_tree_open(const char *base, struct cgroup_tree **ret_tree, struct failure *why);
struct cgroup_tree *cgroup_tree_free(struct cgroup_tree *tree);
/* Removes the whole subtree; -EBUSY when a process is left. */
int cgroup_tree_remove(struct cgroup_tree *tree);
enum cgroup_kind cgroup_tree_kind(const struct cgroup_tree *tree);
/* The v2 directory whose children are the sandboxes (for enforce). */
const char *cgroup_tree_sandboxes_dir(const struct cgroup_tree *tree);
/* As given to cgroup_tree_open(): what /proc/<pid>/cgroup shows begins so. */
const char *cgroup_tree_base(const struct cgroup_tree *tree);

struct cgroup_limits {
	uint64_t memory_bytes;
	uint32_t cpu_millis, pids;
};

struct cgroup {
	struct cgroup_tree *tree;
	uint64_t sandbox;      /* directory name: "sb-%016lx" */
	uint64_t id;           /* inode of the v2 directory: the kernel's cgroup id */
	int dir_fd;            /* v2 directory */
	int memory_fd;         /* v1 memory directory from the stock; -1: none yet, or unified */
	uint32_t memory_index; /* which one of the stock; its directory is named by it */
};

/* Makes the directories with a pids and CPU limit already in force. Memory on a hybrid host comes
 * with cgroup_claim(). */
int cgroup_create(
	struct cgroup_tree *tree, uint64_t sandbox, struct cgroup *ret_cgroup, struct failure *why);
/* After a restart. -ENOENT when it is gone. */
int cgroup_adopt(struct cgroup_tree *tree, uint64_t sandbox, struct cgroup *ret_cgroup);
/* v1 `tasks` files that the first process must write "0" to, open for writing, CLOEXEC; owned by
 * the caller. None on a unified host. Returns how many. */
int cgroup_open_tasks(const struct cgroup *cgroup, int ret_fds[2], int *ret_n);

/* At claim: sets the limits and, on a hybrid host, takes a memory cgroup from the stock and returns
 * its `tasks` file for WIRE_INIT_JOIN in `*ret_join_fd` (-1: nothing to join). */
int cgroup_claim(struct cgroup *cgroup, const struct cgroup_limits *limits, int *ret_join_fd,
	struct failure *why);
/* Refills the stock of v1 memory cgroups towards its target, and lets one of an ended sandbox go.
 * Takes up to 2 ms: call when idle, a few times a second. */
void cgroup_stock_refill(struct cgroup_tree *tree);

struct cgroup_usage {
	uint64_t cpu_ns, cpu_user_ns, cpu_system_ns;
	uint64_t memory_bytes, memory_peak_bytes;
	uint64_t oom_kills, pids_limit_hits, n_pids;
};

int cgroup_read_usage(const struct cgroup *cgroup, struct cgroup_usage *ret_usage);
/* The CPU time alone: fills those three. */
int cgroup_read_cpu(const struct cgroup *cgroup, struct cgroup_usage *ret_usage);
/* Memory charged now, alone and cheaply. */
int cgroup_read_memory(const struct cgroup *cgroup, uint64_t *ret_bytes);
/* The two counters that tell why a command ended, alone and cheaply. */
int cgroup_read_limit_hits(
	const struct cgroup *cgroup, uint64_t *ret_oom_kills, uint64_t *ret_pids_limit_hits);
/* SIGKILL to every process in it. */
int cgroup_kill(const struct cgroup *cgroup);
int cgroup_freeze(const struct cgroup *cgroup, bool on);
/* Whether it was asked to be; false when that cannot be read. */
bool cgroup_is_frozen(const struct cgroup *cgroup);
/* Removes the directories and closes the fds. -EBUSY while a process is left: call again. */
int cgroup_remove(struct cgroup *cgroup);
/* Closes the fds only. */
void cgroup_fini(struct cgroup *cgroup);

/* Calls back for each sandbox directory found in v2, for clean-up after a restart. */
int cgroup_tree_each(struct cgroup_tree *tree, void (*callback)(uint64_t sandbox, void *userdata),
	void *userdata);
