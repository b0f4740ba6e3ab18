/* Where relayed datagrams mean to go: one row for each destination that a sandbox sends to,
 * allotted by the programs in connect(2) and sendmsg(2), read by the gate. Each row has an address
 * inside the sandbox that stands for it, and the socket sends there instead; so every datagram says
 * by itself which destination it is for, however many one socket has, and so does every answer. */
#pragma once

#include "bpf/abi/types.h"

#ifndef __BPF__
#include <linux/bpf.h>
#endif

#define ABI_DATAGRAMS_MAX 262144           /* rows of all sandboxes together */
#define ABI_DATAGRAMS_PER_SANDBOX_MAX 512u /* a power of two */
/* A row that nothing was sent to and nothing came from for so long is given to another destination.
 * Longer than the gate keeps a flow, so the gate never takes one for the other. */
#define ABI_DATAGRAM_IDLE_NS 300000000000ull

/* Row i is 127.64.0.0 + i and fd43:6c6f:6368:6500:7564:7000:: + i: loopback, and the range of
 * tickets, which no rule for addresses opens. */
#define ABI_DATAGRAM4_BASE 0x7f400000u           /* host order */
#define ABI_DATAGRAM6_HIGH 0xfd436c6f63686500ull /* first eight bytes, as a big-endian number */
#define ABI_DATAGRAM6_LOW 0x7564700000000000ull  /* last eight bytes of row 0 */
#define ABI_DATAGRAM6_BITS 96                    /* of the prefix that all of them are in */
/* Behind the last row, at the resolver's port: where a datagram socket is connected to that a
 * program connects to a name. Nothing gets there. */
#define ABI_DATAGRAM_PROBE ABI_DATAGRAMS_PER_SANDBOX_MAX

/* Key of the hash `datagrams`. */
struct abi_datagram_key {
	__u64 sandbox; /* its identity: never used again */
	__u32 index;
	__u32 reserved;
};

_Static_assert(sizeof(struct abi_datagram_key) == 16, "no holes: hashed as bytes");

/* Read and written under its lock (BPF_F_LOCK), because a row can become another destination's. */
struct abi_datagram {
	struct bpf_spin_lock lock;
	__u16 port; /* host order */
	__u16 rule; /* the rule that allowed it last */
	struct abi_address address;
	__u64 policy;  /* ABI_SLOT_POLICY under which it was judged last */
	__u64 used_ns; /* boot time */
	__u8 refused;  /* that policy does not allow it */
	__u8 reserved[7];
};

_Static_assert(sizeof(struct abi_datagram) == 48, "read by the gate");

/* Key of the hash `destinations`. Value: __u32, the row that the destination was given last; what
 * the row says counts. */
struct abi_destination_key {
	__u64 sandbox;
	struct abi_address address;
	__u16 port; /* host order */
	__u16 reserved[3];
};

_Static_assert(sizeof(struct abi_destination_key) == 32, "no holes: hashed as bytes");
