/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Matching without maps: addresses in their one 16-byte form, port ranges of a prefix. Pure;
 * compiled for the kernel and for the host, so that both judge by the same code. */
#pragma once

#include "bpf/abi/rule.h"
#include "bpf/abi/ticket.h"

#ifdef __BPF__
#define MATCH_AF_INET 2
#define MATCH_AF_INET6 10
#define MATCH_TCP 6
#define MATCH_UDP 17
#else
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#define MATCH_AF_INET AF_INET
#define MATCH_AF_INET6 AF_INET6
#define MATCH_TCP IPPROTO_TCP
#define MATCH_UDP IPPROTO_UDP
#endif

#define MATCH_INLINE static inline __attribute__((always_inline))

/* `address` in network order, as in struct sockaddr_in: becomes ::ffff:a.b.c.d. */
MATCH_INLINE struct abi_address match_from_ipv4(__u32 address)
{
	struct abi_address whole = {};

	whole.bytes[10] = 0xff;
	whole.bytes[11] = 0xff;
	__builtin_memcpy(&whole.bytes[12], &address, sizeof(address));
	return whole;
}

MATCH_INLINE __u32 match_word(const struct abi_address *address, unsigned int index)
{
	__u32 word;

	__builtin_memcpy(&word, &address->bytes[4 * index], sizeof(word));
	return word;
}

/* True for ::ffff:0:0/96, which IPv4 lies in. */
MATCH_INLINE bool match_is_ipv4(const struct abi_address *address)
{
	return !match_word(address, 0) && !match_word(address, 1) && !address->bytes[8] &&
	       !address->bytes[9] && address->bytes[10] == 0xff && address->bytes[11] == 0xff;
}

/* The sandbox itself: 127.0.0.0/8 and ::1, and the unspecified addresses, which Linux connects and
 * sends to loopback (ip_route_connect() in include/net/route.h, tcp_v6_connect()). */
MATCH_INLINE bool match_is_loopback(const struct abi_address *address)
{
	if (match_is_ipv4(address))
		return address->bytes[12] == 127 || !match_word(address, 3);
	return !match_word(address, 0) && !match_word(address, 1) && !match_word(address, 2) &&
	       !address->bytes[12] && !address->bytes[13] && !address->bytes[14] &&
	       address->bytes[15] <= 1;
}

/* Addresses that stand for names, and those beside them that stand for none. */
MATCH_INLINE bool match_is_synthetic(const struct abi_address *address)
{
	__u64 high = 0, ipv4 = 0;

	if (match_is_ipv4(address)) {
		for (unsigned int i = 12; i < 16; i++)
			ipv4 = ipv4 << 8 | address->bytes[i];
		return (ipv4 & ABI_SYNTHETIC4_MASK) == ABI_SYNTHETIC4_FIRST;
	}
	for (unsigned int i = 0; i < 8; i++)
		high = high << 8 | address->bytes[i];
	return high == ABI_SYNTHETIC6_HIGH;
}

/* The rule of the first of `n` ranges, at most `n_max`, that has `port`; ABI_RULE_NONE without. */
MATCH_INLINE __u16 match_ranges(const struct abi_port_range *ranges, unsigned int n,
	unsigned int n_max, __u8 protocol, __u16 port)
{
	for (unsigned int i = 0; i < n_max; i++) {
		const struct abi_port_range *range = &ranges[i];

		if (i >= n)
			break;
		if (range->protocol == protocol && port >= range->first && port <= range->last)
			return range->rule;
	}
	return ABI_RULE_NONE;
}
