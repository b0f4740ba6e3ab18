/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose this process or socket is, and by which image it is judged. */
#pragma once

#include "bpf/lib/maps.h"
#include "bpf/lib/match.h"

struct sandbox {
	__u64 id; /* 0: nobody's, all is denied */
	__u64 policy;
	__u64 shadow; /* 0: none */
	__u32 slot;
	__u32 tenant;
	__u16 gate_port;
	__u16 dns_port;
	__u16 datagram_port;
	__u16 tenant_budget;
};

MATCH_INLINE bool sandbox_from_slot(__u32 slot, struct sandbox *ret_sandbox)
{
	/* User space writes through an mmap: read each word once. */
	const volatile struct abi_slot *row = bpf_map_lookup_elem(&slots, &slot);

	if (!row)
		return false;
	ret_sandbox->slot = slot;
	ret_sandbox->id = row->sandbox;
	ret_sandbox->policy = row->policy;
	ret_sandbox->tenant = row->tenant;
	ret_sandbox->gate_port = row->gate_port;
	ret_sandbox->dns_port = row->dns_port;
	ret_sandbox->datagram_port = row->datagram_port;
	ret_sandbox->tenant_budget = row->tenant_budget;
	ret_sandbox->shadow = row->shadow;
	return ret_sandbox->id != 0;
}

/* By the cgroup that the running process lives in, or any below it: children cannot escape. */
MATCH_INLINE bool sandbox_of_current(struct sandbox *ret_sandbox)
{
	__u64 cgroup = bpf_get_current_ancestor_cgroup_id(sandbox_level);
	__u32 *slot;

	if (!cgroup)
		return false;
	slot = bpf_map_lookup_elem(&id2slot, &cgroup);
	return slot && sandbox_from_slot(*slot, ret_sandbox);
}

/* By what the socket was born with, whoever holds it now. */
MATCH_INLINE bool sandbox_of_socket(const struct socket_state *state, struct sandbox *ret_sandbox)
{
	if (!state || !sandbox_from_slot(state->slot, ret_sandbox))
		return false;
	return ret_sandbox->id == state->sandbox;
}

/* Counters are shared with interrupts on the same CPU (a packet may be received in the middle of an
 * addition), hence the atomic addition on a per-CPU row. */
MATCH_INLINE void sandbox_count(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

MATCH_INLINE struct abi_counters *sandbox_counters(__u32 slot)
{
	return bpf_map_lookup_elem(&counters, &slot);
}
