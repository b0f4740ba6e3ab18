/* What user space, and an iterator that it runs, note of a sandbox beside the counters. It lies in
 * the kernel so that it lives exactly as long as the slot: over any end of a process of ours. */
#pragma once

#include "bpf/abi/types.h"

/* Value of the mmapable array `ledgers`, by slot. Zero when a slot is taken into use; `dead_…`
 * are added to by the program at a thread's end, `living_…` by the iterator `cloche_block_living`,
 * and all else is user space's. */
struct abi_ledger {
	/* Block I/O (bpf/lib/block.h) of threads that have ended, and of those that lived when the
	 * iterator last walked. */
	__u64 dead_read_bytes, dead_written_bytes;
	__u64 living_read_bytes, living_written_bytes;
	/* The most that was ever told, of the dead and the living together. */
	__u64 block_read_bytes, block_written_bytes;
	/* CPU time that the cgroup had used when its sandbox was claimed: nobody's. */
	__u64 cpu_base_ns, cpu_user_base_ns, cpu_system_base_ns;
	/* Integral of memory over time up to the last sample, and that sample. */
	__u64 memory_kib_ms, sampled_boottime_ms, sampled_kib;
};

_Static_assert(sizeof(struct abi_ledger) == 96, "read by later versions");
