/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Block I/O of the tasks that live: those that ended added theirs to the counters (lifetime.bpf.c).
 * An iterator walks all tasks of the host once, for all sandboxes, and adds to rows that user space
 * has zeroed before. Only one process walks at a time, so plain additions will do. */
#include "bpf/lib/block.h"
#include "bpf/lib/sandbox.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PF_EXITING 0x00000004 /* include/linux/sched.h */
#define LEVELS_BELOW_MAX 8    /* of cgroups inside a sandbox's, which nothing there can make */

/* The slot of the sandbox that the task's cgroup, or one above it, is. */
MATCH_INLINE __u32 *slot_of_task(struct task_struct *task)
{
	struct cgroup *cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	__u64 id;

	for (int i = 0; i < LEVELS_BELOW_MAX; i++) {
		if (BPF_CORE_READ(cgroup, level) <= (int)sandbox_level)
			break;
		/* A cgroup begins with its css (`self`), and so does its parent. */
		cgroup = (struct cgroup *)BPF_CORE_READ(cgroup, self.parent);
	}
	if (BPF_CORE_READ(cgroup, level) != (int)sandbox_level)
		return NULL;
	id = BPF_CORE_READ(cgroup, kn, id);
	return bpf_map_lookup_elem(&id2slot, &id);
}

SEC("iter/task")
int cloche_block_living(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task;
	struct abi_ledger *row;
	struct block_bytes bytes;
	__u32 *slot, key;

	/* One that ends is counted, or about to be, by its end. */
	if (!task || BPF_CORE_READ(task, flags) & PF_EXITING)
		return 0;
	slot = slot_of_task(task);
	if (!slot)
		return 0;
	key = *slot;
	row = bpf_map_lookup_elem(&ledgers, &key);
	if (!row)
		return 0;
	block_of_task(task, &bytes);
	row->living_read_bytes += bytes.read;
	row->living_written_bytes += bytes.written;
	return 0;
}
