/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The decision, pure: facts in, verdict out. Hooks gather the facts and carry out the verdict; the
 * host compiles the same functions to test and to explain policies. Whatever is not known is
 * denied. */
#pragma once

#include "bpf/abi/event.h"
#include "bpf/lib/match.h"

#define DECIDE_SOCK_STREAM 1
#define DECIDE_SOCK_DGRAM 2

/* Where something wants to go, and for whom. */
struct decide_facts {
	struct abi_address address;
	__u16 port;      /* host order */
	__u16 gate_port; /* host order; 0: the sandbox has no gate */
	__u16 rule;      /* what the image's lookup found, ABI_RULE_NONE if nothing */
	__u8 protocol;
	bool live; /* the sandbox is known and its slot is in use */
};

struct decide_verdict {
	__u8 verdict; /* enum abi_verdict */
	__u8 reason;  /* enum abi_reason */
	__u16 rule;
};

MATCH_INLINE struct decide_verdict decide_as(__u8 verdict, __u8 reason, __u16 rule)
{
	struct decide_verdict made = {.verdict = verdict, .reason = reason, .rule = rule};

	return made;
}

MATCH_INLINE struct decide_verdict decide_deny(__u8 reason)
{
	return decide_as(ABI_VERDICT_DENY, reason, ABI_RULE_NONE);
}

/* Whether `rule` matters at all, so that the maps need not be asked otherwise. */
MATCH_INLINE bool decide_needs_rule(const struct decide_facts *facts)
{
	return facts->live && facts->protocol == MATCH_TCP && !match_is_loopback(&facts->address);
}

/* connect(2), and sending a datagram. */
MATCH_INLINE struct decide_verdict decide_destination(const struct decide_facts *facts)
{
	if (!facts->live)
		return decide_deny(ABI_REASON_NO_SANDBOX);
	if (facts->protocol != MATCH_TCP && facts->protocol != MATCH_UDP)
		return decide_deny(ABI_REASON_SOCKET_TYPE);
	if (match_is_loopback(&facts->address)) {
		/* The relay would take a connection that no rule has allowed. */
		if (facts->protocol == MATCH_TCP && facts->gate_port &&
			facts->port == facts->gate_port)
			return decide_deny(ABI_REASON_GATE_PORT);
		return decide_as(ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE);
	}
	/* The gate relays streams only, so nothing else may leave. */
	if (facts->protocol != MATCH_TCP || facts->rule == ABI_RULE_NONE)
		return decide_deny(ABI_REASON_DEFAULT);
	if (!facts->gate_port)
		return decide_as(ABI_VERDICT_DENY, ABI_REASON_NO_GATE, facts->rule);
	return decide_as(ABI_VERDICT_REDIRECT, ABI_REASON_RULE, facts->rule);
}

/* socket(2). MPTCP (262), SMC (256), UDP-Lite, ICMP and raw sockets pass the other hooks by. */
MATCH_INLINE struct decide_verdict decide_socket(
	bool live, __u32 family, __u32 type, __u32 protocol)
{
	if (!live)
		return decide_deny(ABI_REASON_NO_SANDBOX);
	if (family != MATCH_AF_INET && family != MATCH_AF_INET6)
		return decide_deny(ABI_REASON_FAMILY);
	if ((type == DECIDE_SOCK_STREAM && protocol == MATCH_TCP) ||
		(type == DECIDE_SOCK_DGRAM && protocol == MATCH_UDP))
		return decide_as(ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE);
	return decide_deny(ABI_REASON_SOCKET_TYPE);
}

/* bind(2). IP_FREEBIND lets a program bind an address that is not its own, and a socket on the
 * gate's port would stand in for the gate should it ever be gone. */
MATCH_INLINE struct decide_verdict decide_bind(const struct decide_facts *facts)
{
	if (!facts->live)
		return decide_deny(ABI_REASON_NO_SANDBOX);
	if (!match_is_loopback(&facts->address))
		return decide_deny(ABI_REASON_BIND);
	if (facts->protocol == MATCH_TCP && facts->gate_port && facts->port == facts->gate_port)
		return decide_deny(ABI_REASON_GATE_PORT);
	return decide_as(ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE);
}
