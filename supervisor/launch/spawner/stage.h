/* The stage: what a sandbox's first process does between clone3(2) and becoming cloche-init. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/failure.h"
#include "supervisor/wire/spawn.h"

#define STAGE_SANDBOX_ID 1000u /* uid and gid of the user `sandbox` inside */

/* What the stage is given; all descriptors are the spawner's and inherited. */
struct stage {
	const char *socket_name; /* below SPAWNER_SOCKETS */
	int init_fd, report_fd;
	int tasks_fds[WIRE_SPAWN_TASKS_MAX];
	uint32_t n_tasks;
	uint64_t disk_bytes;
	uint64_t masks;  /* mounts_find_masks() */
	bool etc_mapped; /* the extra layer is shown with its real owners */
	const struct sock_filter *filter;
	size_t n_filter;
};

/* What arrives on `report_fd` once the ids are mapped: the mounts that only host root can make. */
struct stage_mounts {
	int usr_fd, extra_fd; /* detached: /usr, and the files beside it (spawner/root.h) */
	uint64_t masks;
	bool etc_mapped;
};

/* Runs as PID 1 of the new namespaces. Becomes cloche-init, or sends a struct wire_spawn_failed on
 * `report_fd` and ends. */
_Noreturn void stage_run(const struct stage *stage);

/* How many inodes a disk of that size may hold: each costs about 1 KiB of kernel memory. */
static inline uint64_t stage_disk_inodes(uint64_t disk_bytes)
{
	uint64_t n = disk_bytes / 8192;

	return n < 4096 ? 4096 : n > 1048576 ? 1048576 : n;
}

/* mounts.c: which files of /proc need a mask on this kernel; asked once, by the spawner. */
uint64_t mounts_find_masks(void);
/* mounts.c: builds the mount tree and moves into it. 0 or -errno with `why`. */
int mounts_enter(const struct stage_mounts *mounts, uint64_t disk_bytes, struct failure *why);
