/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The share of each sandbox in the rings, and the counts of what became of its events. */
#include "bpf/lib/emit.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* How much less may come at once while a ring is more than half full: who floods is cut down to its
 * rate, and the other half stays for those who were quiet. */
#define CROWDED_DIVISOR 16

/* User space writes these through an mmap. */
#define EMIT_READ(word) (*(const volatile __u64 *)&(word))

/* Indexes are masked for the verifier, which forgets a comparison that clang has moved. */
_Static_assert((ABI_CLASSES & (ABI_CLASSES - 1)) == 0, "masked");

MATCH_INLINE struct abi_emission_class *row_of(const struct sandbox *sandbox, __u32 class)
{
	__u32 index = sandbox->id ? sandbox->slot : ABI_EMISSION_NOBODY;
	struct abi_emission *row = bpf_map_lookup_elem(&emissions, &index);

	return row ? &row->classes[class & (ABI_CLASSES - 1)] : NULL;
}

MATCH_INLINE struct abi_emitted_class *counts_of(__u32 class)
{
	__u32 zero = 0;
	struct abi_emitted *state = bpf_map_lookup_elem(&emitted, &zero);

	return state ? &state->classes[class & (ABI_CLASSES - 1)] : NULL;
}

MATCH_INLINE bool is_crowded(__u32 class)
{
	if (class == ABI_CLASS_SECURITY)
		return bpf_ringbuf_query(&security, BPF_RB_AVAIL_DATA) > SECURITY_RING_BYTES / 2;
	return bpf_ringbuf_query(&bulk, BPF_RB_AVAIL_DATA) > BULK_RING_BYTES / 2;
}

/* Any number of CPUs take at once. One that takes and gives back may refuse another meanwhile:
 * that is counted like any other loss. */
MATCH_INLINE bool take_share(struct abi_emission_class *row, __u32 class)
{
	__u64 interval = EMIT_READ(row->interval_ns), burst = EMIT_READ(row->burst_ns);
	__u64 now = bpf_ktime_get_boot_ns(), until = EMIT_READ(row->paid_until_ns);

	if (is_crowded(class))
		burst /= CROWDED_DIVISOR;
	if ((__s64)(now - until) > 0)
		__sync_val_compare_and_swap(&row->paid_until_ns, until, now);
	until = __sync_fetch_and_add(&row->paid_until_ns, interval) + interval;
	if ((__s64)(until - now) <= (__s64)burst)
		return true;
	__sync_fetch_and_add(&row->paid_until_ns, -interval);
	return false;
}

/* The number is taken before anything can go wrong, so that a gap in a CPU's numbers is a loss. */
__noinline int emit_admit(const struct sandbox *sandbox, __u32 class, __u64 *ret_sequence)
{
	struct abi_emitted_class *counts = counts_of(class);
	struct abi_emission_class *row;

	if (!sandbox || !ret_sequence || !counts)
		return 0;
	*ret_sequence = __sync_fetch_and_add(&counts->seen, 1);
	row = row_of(sandbox, class);
	if (row) {
		sandbox_count(&row->seen, 1);
		if (take_share(row, class))
			return 1;
		sandbox_count(&row->dropped[ABI_LOSS_RATE_LIMITED], 1);
	}
	sandbox_count(&counts->dropped[ABI_LOSS_RATE_LIMITED], 1);
	return 0;
}

__noinline int emit_count_emitted(__u32 class)
{
	struct abi_emitted_class *counts = counts_of(class);

	if (counts)
		sandbox_count(&counts->emitted, 1);
	return 0;
}

__noinline int emit_count_full(const struct sandbox *sandbox, __u32 class)
{
	struct abi_emitted_class *counts = counts_of(class);
	struct abi_emission_class *row;

	if (!sandbox || !counts)
		return 0;
	row = row_of(sandbox, class);
	if (row)
		sandbox_count(&row->dropped[ABI_LOSS_RING_FULL], 1);
	sandbox_count(&counts->dropped[ABI_LOSS_RING_FULL], 1);
	return 0;
}
