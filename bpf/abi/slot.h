/* What the kernel knows of one sandbox: who it is and which policy image judges it. */
#pragma once

#include "bpf/abi/types.h"

#define ABI_SLOT_POLICY(generation, image) (((__u64)(generation) << 32) | (image))
#define ABI_SLOT_IMAGE(policy) ((__u32)(policy))
#define ABI_SLOT_GENERATION(policy) ((__u32)((policy) >> 32))

/* Value of the mmapable array `slots`. Everything but `policy` and `shadow` is written while the
 * slot is out of use or its policy names ABI_IMAGE_NONE; `policy` is one aligned word, and storing
 * it is the swap.
 */
struct abi_slot {
	__u64 sandbox; /* identity of the sandbox; 0: the slot is free, all is denied */
	__u64 policy;  /* ABI_SLOT_POLICY(generation, image) */
	__u32 tenant;
	__u16 gate_port;     /* host order; the relay's listening port inside; 0: no way out */
	__u16 dns_port;      /* host order; the resolver's port inside, UDP and TCP; 0: none */
	__u16 datagram_port; /* host order; the relay's port for datagrams; 0: none may leave */
	__u16 tenant_budget; /* row of the tenant's budgets; 0: it has none */
	__u16 reserved[2];
	/* A candidate that is asked for its opinion of each decision: as `policy`, with generations
	 * of its own (bpf/abi/shadow.h); 0: none. */
	__u64 shadow;
};

_Static_assert(sizeof(struct abi_slot) == 40, "slots are read by user space");

/* Value of the per-CPU array `counters`, by slot. Reset when a slot is taken into use. */
struct abi_counters {
	__u64 bytes_sent, bytes_received; /* IP bytes of relayed connections; queries are not */
	__u64 packets_sent, packets_received;
	/* Decisions: connect, and sending to a destination that nothing was sent to lately. What
	 * goes to the resolver is in neither. */
	__u64 connections_allowed, connections_denied;
	__u64 execs;
	__u64 dns_queries; /* to its resolver, answered or not; counted as budgets count them */
	__u64 n_forks;     /* processes that its processes made; threads are not counted */
	/* While it is audited: not counted here, but added up when user space reads the row. */
	__u64 n_syscalls, n_refused;
};

_Static_assert(sizeof(struct abi_counters) == 88, "counters are read by user space");
