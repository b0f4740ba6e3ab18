/* A fresh set: load, attach at the parent cgroup, pin. */
#pragma once

#include "supervisor/enforce/state.h"

/* Names the object file that this program carries: sets made from another one are not adopted. */
uint64_t load_digest(void);
/* The program that is pinned but not attached: see audit.c. */
#define LOAD_AUDIT_PROGRAM "cloche_sys_exit"
/* Makes `set_dir` and everything in it; its `meta` says complete at the very end. On failure
 * nothing is left. Returns 0 or -errno with `why`. */
int load_set(const char *set_dir, const char *cgroup_dir, const struct abi_meta *meta,
	struct failure *why);
/* True if every link of a pinned set still holds its program on cgroup `cgroup_id`. */
bool load_links_alive(const char *set_dir, uint64_t cgroup_id);
