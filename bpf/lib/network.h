/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of a network decision. */
#pragma once

#include "bpf/lib/emit.h"
#include "bpf/lib/judge.h"

struct emit_network_facts {
	struct decide_facts facts;
	struct decide_verdict verdict;
	__u8 family;
	__u8 operation;
	__u8 socket_type;
	__u8 protocol;
	__u16 datagram_index; /* an allowed datagram: the row of its destination */
};

/* Each verified once, by itself, in bpf/network.bpf.c; the 0 that they return says nothing. Of a
 * packet there is no process to tell: it may arrive in anybody's time. Two functions, because
 * describing a process takes more stack than the hooks of packets have left (512 bytes for all
 * frames of a call, each rounded up to 32 before Linux 6.8). */
extern int emit_network(const struct sandbox *sandbox, const struct emit_network_facts *what);
extern int emit_packet(const struct sandbox *sandbox, const struct emit_network_facts *what);
