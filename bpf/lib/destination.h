/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Destinations of datagrams and the addresses inside that stand for them. */
#pragma once

#include "bpf/abi/datagram.h"
#include "bpf/lib/match.h"

#include <bpf/bpf_endian.h>

#define DESTINATION_NONE (-1)

struct sandbox;

struct destination {
	struct abi_address address;
	__u16 port; /* host order */
	__u16 rule;
	__u8 refused;
	__u8 reserved[3];
	__u64 policy;
};

/* These are verified once, by themselves; in bpf/destination.bpf.c. */

/* The row of `where` if something passed there lately, marked as used now; DESTINATION_NONE
 * without. */
extern int destination_find(const struct sandbox *sandbox, const struct destination *where);
/* Gives it a row. DESTINATION_NONE when the sandbox has too many in use, or there is no memory. */
extern int destination_make(const struct sandbox *sandbox, const struct destination *where);
/* What row `index` is for, marked as used now. 0, or DESTINATION_NONE. */
extern int destination_read(
	const struct sandbox *sandbox, __u32 index, struct destination *ret_destination);
/* Writes down what the policy in force says of the row, if it is for `where` still. Returns whether
 * nobody else had. */
extern int destination_judged(
	const struct sandbox *sandbox, __u32 index, const struct destination *where);

MATCH_INLINE __u32 destination_ipv4(__u32 index)
{
	return bpf_htonl(ABI_DATAGRAM4_BASE + index);
}

MATCH_INLINE struct abi_address destination_ipv6(__u32 index)
{
	__u64 high = bpf_cpu_to_be64(ABI_DATAGRAM6_HIGH);
	__u64 low = bpf_cpu_to_be64(ABI_DATAGRAM6_LOW + index);
	struct abi_address address;

	__builtin_memcpy(&address.bytes[0], &high, sizeof(high));
	__builtin_memcpy(&address.bytes[8], &low, sizeof(low));
	return address;
}

MATCH_INLINE bool destination_is_probe(const struct abi_address *address)
{
	const struct abi_address ipv6 = destination_ipv6(ABI_DATAGRAM_PROBE);

	if (match_is_ipv4(address))
		return match_word(address, 3) == destination_ipv4(ABI_DATAGRAM_PROBE);
	return match_word(address, 0) == match_word(&ipv6, 0) &&
	       match_word(address, 1) == match_word(&ipv6, 1) &&
	       match_word(address, 2) == match_word(&ipv6, 2) &&
	       match_word(address, 3) == match_word(&ipv6, 3);
}

/* The row that `address` stands for, DESTINATION_NONE if for none. */
MATCH_INLINE int destination_index(const struct abi_address *address)
{
	__u64 high, low, index;

	if (match_is_ipv4(address)) {
		index = bpf_ntohl(match_word(address, 3)) - (__u64)ABI_DATAGRAM4_BASE;
	} else {
		__builtin_memcpy(&high, &address->bytes[0], sizeof(high));
		__builtin_memcpy(&low, &address->bytes[8], sizeof(low));
		if (bpf_be64_to_cpu(high) != ABI_DATAGRAM6_HIGH)
			return DESTINATION_NONE;
		index = bpf_be64_to_cpu(low) - ABI_DATAGRAM6_LOW;
	}
	return index < ABI_DATAGRAMS_PER_SANDBOX_MAX ? (int)index : DESTINATION_NONE;
}
