/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one way of an event to the reader: counted and numbered, then held against the sandbox's
 * share, then given room in the ring of its class. What falls off a rung is counted there, so that
 * for each class and each sandbox seen == emitted + dropped. No verdict depends on any of it. */
#pragma once

#include "bpf/lib/process.h"
#include "bpf/lib/sandbox.h"

/* Counts and numbers an event, and takes it from the sandbox's share. 0: there must be no record.
 * Verified once, by itself. In bpf/emit.bpf.c. */
extern int emit_admit(const struct sandbox *sandbox, __u32 class, __u64 *ret_sequence);
/* Count an event that was admitted: as emitted, or as lost because its ring was full. The same. Two
 * functions, because clang makes one test of a record's pointer out of two that only differ in an
 * argument, and Linux 6.1 does not follow it through a second one. */
extern int emit_count_emitted(__u32 class);
extern int emit_count_full(const struct sandbox *sandbox, __u32 class);
/* Describes the sandbox, and the running process if `in_process`: a packet may arrive in anybody's
 * time. */
MATCH_INLINE void emit_describe(
	struct abi_event_header *header, const struct sandbox *sandbox, bool in_process)
{
	header->version = ABI_VERSION;
	header->boottime_ns = bpf_ktime_get_boot_ns();
	header->sandbox = sandbox->id;
	header->policy = sandbox->policy;
	header->tenant = sandbox->tenant;
	header->slot = sandbox->slot;
	header->cpu = bpf_get_smp_processor_id();
	if (in_process)
		process_fill(&header->process, bpf_get_current_task());
}

#define CLEAR_MAX 1024 /* what clang writes zeros to without a function of C's library */

/* A record of `size` bytes (a constant), zeroed but for its header; NULL when there is none to be.
 */
MATCH_INLINE void *emit_begin(
	const struct sandbox *sandbox, __u32 class, __u16 type, __u64 size, bool in_process)
{
	struct abi_event_header *header;
	__u64 sequence = 0;

	if (!emit_admit(sandbox, class, &sequence))
		return NULL;
	if (class == ABI_CLASS_SECURITY)
		header = bpf_ringbuf_reserve(&security, size, 0);
	else
		header = bpf_ringbuf_reserve(&bulk, size, 0);
	if (!header) {
		emit_count_full(sandbox, class);
		return NULL;
	}
	emit_count_emitted(class);
	__builtin_memset(header, 0, size < CLEAR_MAX ? size : CLEAR_MAX);
	barrier(); /* or clang makes one of two */
	if (size > CLEAR_MAX)
		__builtin_memset((char *)header + CLEAR_MAX, 0, size - CLEAR_MAX);
	header->type = type;
	header->size = size;
	header->class = class;
	header->sequence = sequence;
	emit_describe(header, sandbox, in_process);
	return header;
}

/* The reader comes by on a timer. Waking it for each event would cost more than the event (550 ns
 * against 230), so it is woken only when a sixteenth of a ring is waiting. */
MATCH_INLINE void emit_end(void *event, __u32 class)
{
	__u64 waiting, most;

	if (class == ABI_CLASS_SECURITY) {
		waiting = bpf_ringbuf_query(&security, BPF_RB_AVAIL_DATA);
		most = SECURITY_RING_BYTES / 16;
	} else {
		waiting = bpf_ringbuf_query(&bulk, BPF_RB_AVAIL_DATA);
		most = BULK_RING_BYTES / 16;
	}
	bpf_ringbuf_submit(event, waiting >= most ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}
