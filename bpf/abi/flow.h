/* Where a relayed connection meant to go: written by sockops, read by the gate. */
#pragma once

#include "bpf/abi/types.h"

/* The connecting end, as the gate sees it with getpeername(2). The address is part of the key
 * because a program inside may bind 127.0.0.2 as well as 127.0.0.1 to the same port. */
struct abi_flow_key {
	__u64 netns_cookie;
	struct abi_address local_address;
	__u16 local_port; /* host order */
	__u16 reserved[3];
};

_Static_assert(sizeof(struct abi_flow_key) == 32, "no holes: hashed as bytes");

struct abi_flow {
	struct abi_address address; /* what connect(2) asked for */
	__u16 port;                 /* host order */
	__u8 protocol;
	__u8 reserved;
	__u16 rule; /* the rule that allowed it */
	__u16 reserved2;
	__u64 policy; /* ABI_SLOT_POLICY at the time of the decision */
	__u64 sandbox;
};

_Static_assert(sizeof(struct abi_flow) == 40, "read by the gate");
