/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Allots rows to the destinations of datagrams. A row is never another destination's while anything
 * passes: it must have been idle for longer than the gate remembers. What a row is for is changed
 * and compared under its lock only, so the hash that finds it need not be right. */
#include "bpf/lib/destination.h"
#include "bpf/lib/maps.h"
#include "bpf/lib/sandbox.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define TRIES_MAX 8

MATCH_INLINE bool is_for(const struct abi_datagram *row, const struct destination *where)
{
	return row->port == where->port &&
	       match_word(&row->address, 0) == match_word(&where->address, 0) &&
	       match_word(&row->address, 1) == match_word(&where->address, 1) &&
	       match_word(&row->address, 2) == match_word(&where->address, 2) &&
	       match_word(&row->address, 3) == match_word(&where->address, 3);
}

MATCH_INLINE bool is_idle(const struct abi_datagram *row, __u64 now)
{
	return (__s64)(now - row->used_ns) > (__s64)ABI_DATAGRAM_IDLE_NS;
}

MATCH_INLINE void fill(struct abi_datagram *row, const struct destination *where, __u64 now)
{
	row->address = where->address;
	row->port = where->port;
	row->rule = where->rule;
	row->policy = where->policy;
	row->used_ns = now;
	row->refused = 0;
}

MATCH_INLINE struct abi_datagram *row_of(const struct sandbox *sandbox, __u32 index)
{
	struct abi_datagram_key key = {.sandbox = sandbox->id, .index = index};

	return bpf_map_lookup_elem(&datagrams, &key);
}

MATCH_INLINE struct abi_destination_key key_of(
	const struct sandbox *sandbox, const struct abi_address *address, __u16 port)
{
	struct abi_destination_key key = {
		.sandbox = sandbox->id, .address = *address, .port = port};

	return key;
}

__noinline int destination_find(const struct sandbox *sandbox, const struct destination *where)
{
	struct abi_destination_key key;
	struct abi_datagram *row;
	__u64 now = bpf_ktime_get_boot_ns();
	bool found;
	__u32 *index;

	if (!sandbox || !where)
		return DESTINATION_NONE;
	key = key_of(sandbox, &where->address, where->port);
	index = bpf_map_lookup_elem(&destinations, &key);
	if (!index || *index >= ABI_DATAGRAMS_PER_SANDBOX_MAX)
		return DESTINATION_NONE;
	row = row_of(sandbox, *index);
	if (!row)
		return DESTINATION_NONE;
	bpf_spin_lock(&row->lock);
	found = is_for(row, where) && !is_idle(row, now);
	if (found)
		row->used_ns = now;
	bpf_spin_unlock(&row->lock);
	return found ? (int)*index : DESTINATION_NONE;
}

/* Takes row `index` if nobody has it, or nobody uses it any more. */
MATCH_INLINE bool take(const struct sandbox *sandbox, __u32 index, const struct destination *where)
{
	struct abi_datagram_key key = {.sandbox = sandbox->id, .index = index};
	struct abi_datagram *row = bpf_map_lookup_elem(&datagrams, &key), fresh = {};
	struct abi_destination_key old;
	__u64 now = bpf_ktime_get_boot_ns();
	bool taken;

	if (!row) {
		fill(&fresh, where, now);
		return bpf_map_update_elem(&datagrams, &key, &fresh, BPF_NOEXIST) == 0;
	}
	bpf_spin_lock(&row->lock);
	taken = is_idle(row, now);
	fresh.address = row->address;
	fresh.port = row->port;
	if (taken)
		fill(row, where, now);
	bpf_spin_unlock(&row->lock);
	if (!taken)
		return false;
	old = key_of(sandbox, &fresh.address, fresh.port);
	bpf_map_delete_elem(&destinations, &old);
	return true;
}

__noinline int destination_make(const struct sandbox *sandbox, const struct destination *where)
{
	struct abi_destination_key key;
	__u32 slot, index;
	__u64 *hand;

	if (!sandbox || !where)
		return DESTINATION_NONE;
	slot = sandbox->slot;
	hand = bpf_map_lookup_elem(&datagram_hands, &slot);
	if (!hand)
		return DESTINATION_NONE;
	for (int i = 0; i < TRIES_MAX; i++) {
		index = __sync_fetch_and_add(hand, 1) & (ABI_DATAGRAMS_PER_SANDBOX_MAX - 1);
		if (!take(sandbox, index, where))
			continue;
		key = key_of(sandbox, &where->address, where->port);
		bpf_map_update_elem(&destinations, &key, &index, BPF_ANY);
		return (int)index;
	}
	return DESTINATION_NONE;
}

__noinline int destination_read(
	const struct sandbox *sandbox, __u32 index, struct destination *ret_destination)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct abi_datagram *row;

	if (!sandbox || !ret_destination)
		return DESTINATION_NONE;
	row = row_of(sandbox, index);
	if (!row)
		return DESTINATION_NONE;
	bpf_spin_lock(&row->lock);
	ret_destination->address = row->address;
	ret_destination->port = row->port;
	ret_destination->rule = row->rule;
	ret_destination->refused = row->refused;
	ret_destination->policy = row->policy;
	row->used_ns = now;
	bpf_spin_unlock(&row->lock);
	return 0;
}

__noinline int destination_judged(
	const struct sandbox *sandbox, __u32 index, const struct destination *where)
{
	struct abi_datagram *row;
	bool changed;

	if (!sandbox || !where)
		return 0;
	row = row_of(sandbox, index);
	if (!row)
		return 0;
	bpf_spin_lock(&row->lock);
	changed = is_for(row, where) && row->policy != where->policy;
	if (changed) {
		row->policy = where->policy;
		row->rule = where->rule;
		row->refused = where->refused;
	}
	bpf_spin_unlock(&row->lock);
	return changed;
}
