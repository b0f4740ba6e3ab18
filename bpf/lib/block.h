/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A task's block I/O as the kernel accounts it (task_io_accounting): bytes that it had read from
 * block devices, read-ahead included, and bytes of the pages that it made dirty and that have a
 * block device behind them, or wrote past the cache. Of one thread, not of its dead ones. */
#pragma once

#include "bpf/lib/maps.h"
#include "bpf/lib/match.h"

#include <bpf/bpf_core_read.h>

struct block_bytes {
	__u64 read, written;
};

MATCH_INLINE void block_of_task(struct task_struct *task, struct block_bytes *ret_bytes)
{
	ret_bytes->read = ret_bytes->written = 0;
	/* A kernel without CONFIG_TASK_IO_ACCOUNTING counts nothing. */
	if (!bpf_core_field_exists(task->ioac.read_bytes))
		return;
	ret_bytes->read = BPF_CORE_READ(task, ioac.read_bytes);
	ret_bytes->written = BPF_CORE_READ(task, ioac.write_bytes);
}
