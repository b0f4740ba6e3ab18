/* A compiled policy, as it lies in the maps and in `struct policy_image` on the host. */
#pragma once

#include "bpf/abi/types.h"

#define ABI_RULE_NONE 0xffff /* no rule: the default decided */

/* Key of the flat hash `exact`: one whole address and one port of one image. Value: __u32 rule. */
struct abi_exact_key {
	struct abi_address address;
	__u32 image;
	__u16 port;    /* host order */
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 reserved;
};

_Static_assert(sizeof(struct abi_exact_key) == 24, "no holes: hashed as bytes");

/* Key of an image's LPM trie: `prefix_bits` counts from the first of the 128 bits. */
struct abi_cidr_key {
	__u32 prefix_bits;
	struct abi_address address;
};

_Static_assert(sizeof(struct abi_cidr_key) == 20, "layout of BPF_MAP_TYPE_LPM_TRIE keys");

struct abi_port_range {
	__u16 first, last; /* host order, both inside */
	__u16 rule;        /* index of the rule in the policy, for the record */
	__u8 protocol;
	__u8 reserved;
};

/* Value of an image's LPM trie. The longest prefix alone decides, so the compiler copies into each
 * prefix what the shorter ones around it allow. No range at all denies: a hole in a wider rule. */
struct abi_cidr_value {
	__u32 n_ranges;
	__u32 reserved;
	struct abi_port_range ranges[ABI_PORT_RANGES_MAX];
};

_Static_assert(sizeof(struct abi_cidr_value) == 8 + 8 * ABI_PORT_RANGES_MAX, "layout");
