/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reads and writes the address of a socket-address hook in the one 16-byte form. */
#pragma once

#include "bpf/lib/destination.h"
#include "bpf/lib/match.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* The verifier allows the address words at fixed offsets of the context only, one by one. */
MATCH_INLINE struct abi_address address_read_6(const struct bpf_sock_addr *context)
{
	struct abi_address address;
	__u32 words[4];

	words[0] = context->user_ip6[0];
	words[1] = context->user_ip6[1];
	words[2] = context->user_ip6[2];
	words[3] = context->user_ip6[3];
	__builtin_memcpy(address.bytes, words, sizeof(address.bytes));
	return address;
}

MATCH_INLINE void address_write_6(struct bpf_sock_addr *context, const struct abi_address *address)
{
	context->user_ip6[0] = match_word(address, 0);
	context->user_ip6[1] = match_word(address, 1);
	context->user_ip6[2] = match_word(address, 2);
	context->user_ip6[3] = match_word(address, 3);
}

MATCH_INLINE __u16 address_read_port(const struct bpf_sock_addr *context)
{
	return bpf_ntohs((__u16)context->user_port);
}

MATCH_INLINE void address_write_port(struct bpf_sock_addr *context, __u16 port)
{
	context->user_port = bpf_htons(port);
}

/* To the gate: the loopback of the family that was asked for. */
MATCH_INLINE void address_write_gate_4(struct bpf_sock_addr *context, __u16 port)
{
	context->user_ip4 = bpf_htonl(0x7f000001);
	address_write_port(context, port);
}

MATCH_INLINE void address_write_gate_6(
	struct bpf_sock_addr *context, const struct abi_address *asked, __u16 port)
{
	struct abi_address loopback = {};

	if (match_is_ipv4(asked))
		loopback = match_from_ipv4(bpf_htonl(0x7f000001));
	else
		loopback.bytes[15] = 1;
	address_write_6(context, &loopback);
	address_write_port(context, port);
}

/* To the gate's socket for datagrams, at the address that stands for the destination. */
MATCH_INLINE void address_write_row_4(struct bpf_sock_addr *context, __u32 index, __u16 port)
{
	context->user_ip4 = destination_ipv4(index);
	address_write_port(context, port);
}

MATCH_INLINE void address_write_row_6(
	struct bpf_sock_addr *context, const struct abi_address *asked, __u32 index, __u16 port)
{
	struct abi_address inside = match_is_ipv4(asked) ? match_from_ipv4(destination_ipv4(index))
							 : destination_ipv6(index);

	address_write_6(context, &inside);
	address_write_port(context, port);
}
