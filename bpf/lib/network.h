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
	bool in_process;      /* false: a packet */
	__u16 datagram_index; /* an allowed datagram: the row of its destination */
};

/* Verified once, by itself. In bpf/network.bpf.c. Returns 0, which says nothing. */
extern int emit_network(const struct sandbox *sandbox, const struct emit_network_facts *what);
