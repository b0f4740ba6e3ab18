/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reports. Nothing here returns anything that a verdict could depend on. */
#pragma once

#include "bpf/lib/process.h"
#include "bpf/lib/sandbox.h"

/* Taken before room is reserved, so that a gap in a CPU's numbers is a loss. */
MATCH_INLINE __u64 emit_sequence(void)
{
	__u32 zero = 0;
	struct abi_emitted *state = bpf_map_lookup_elem(&emitted, &zero);

	return state ? __sync_fetch_and_add(&state->sequence, 1) : 0;
}

MATCH_INLINE void emit_lost(__u32 slot)
{
	__u32 zero = 0;
	struct abi_emitted *state = bpf_map_lookup_elem(&emitted, &zero);
	struct abi_counters *row = sandbox_counters(slot);

	if (state)
		sandbox_count(&state->lost, 1);
	if (row)
		sandbox_count(&row->events_lost, 1);
}

/* The reader comes by on a timer. Waking it for each event would cost more than the event (550 ns
 * against 230), so it is woken only when much is waiting. */
MATCH_INLINE __u64 emit_flags(void)
{
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= EVENTS_WAKE_BYTES
		       ? BPF_RB_FORCE_WAKEUP
		       : BPF_RB_NO_WAKEUP;
}

/* Describes the running process if `in_process`: a packet may arrive in anybody's time. The record
 * was zeroed before. */
MATCH_INLINE void emit_header(struct abi_event_header *header, __u16 type, __u32 size,
	__u64 sequence, const struct sandbox *sandbox, bool in_process)
{
	header->version = ABI_VERSION;
	header->type = type;
	header->size = size;
	header->sequence = sequence;
	header->boottime_ns = bpf_ktime_get_boot_ns();
	header->sandbox = sandbox->id;
	header->policy = sandbox->policy;
	header->tenant = sandbox->tenant;
	header->slot = sandbox->slot;
	header->cpu = bpf_get_smp_processor_id();
	if (in_process)
		process_fill(&header->process, bpf_get_current_task());
}
