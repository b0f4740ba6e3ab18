/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The decision, pure: facts in, verdict out. Hooks gather the facts and carry out the verdict; the
 * host compiles the same functions to test and to explain policies. Whatever is not known is
 * denied. */
#pragma once

#include "bpf/abi/budget.h"
#include "bpf/abi/event.h"
#include "bpf/lib/match.h"

#define DECIDE_DNS_PORT 53
#define DECIDE_SOCK_STREAM 1
#define DECIDE_SOCK_DGRAM 2

/* Where something wants to go, and for whom. */
struct decide_facts {
	struct abi_address address;
	__u64 sandbox;       /* its identity: a ticket is good for one */
	__u16 port;          /* host order */
	__u16 gate_port;     /* host order; 0: the sandbox has no gate */
	__u16 dns_port;      /* host order; 0: the sandbox has no resolver */
	__u16 datagram_port; /* host order; 0: the gate relays no datagrams of the sandbox */
	__u16 rule;          /* what the image or the ticket gave, ABI_RULE_NONE if nothing */
	__u8 protocol;
	__u8 spent; /* ABI_BUDGET_BIT, ABI_BUDGET_TENANT_BIT of each budget that is used up */
	bool live;  /* the sandbox is known and its slot is in use */
	bool asks;  /* the socket is connected to the resolver */
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

/* Plain DNS, whichever server it is meant for, is asked of the sandbox's own resolver if it has
 * one. Also on loopback, where many systems have a resolver, and at synthetic addresses. */
MATCH_INLINE bool decide_is_query(const struct decide_facts *facts)
{
	if (!facts->dns_port)
		return false;
	/* An IPv6 socket that is connected to a mapped address names it with each datagram as if
	 * the program had (udpv6_sendmsg() in net/ipv6/udp.c). */
	if (facts->asks && facts->port == facts->dns_port)
		return match_is_loopback(&facts->address);
	return facts->port == DECIDE_DNS_PORT;
}

/* Where the gate takes this protocol; 0: nowhere. */
MATCH_INLINE __u16 decide_relay_port(const struct decide_facts *facts)
{
	return facts->protocol == MATCH_UDP ? facts->datagram_port : facts->gate_port;
}

/* The gate's sockets inside. The relay would take a connection that no rule has allowed; the
 * resolver's answers would bear an address that nobody asked. */
MATCH_INLINE bool decide_is_gate(const struct decide_facts *facts)
{
	if (facts->dns_port && facts->port == facts->dns_port)
		return true;
	return decide_relay_port(facts) && facts->port == decide_relay_port(facts);
}

/* Whether `rule` matters at all, so that the maps need not be asked otherwise; and if so, whether a
 * ticket gives it. No rule of an image speaks of synthetic addresses, however wide it is. */
MATCH_INLINE bool decide_needs_rule(const struct decide_facts *facts)
{
	return facts->live && (facts->protocol == MATCH_TCP || facts->protocol == MATCH_UDP) &&
	       !decide_is_query(facts) && !match_is_loopback(&facts->address);
}

MATCH_INLINE bool decide_needs_ticket(const struct decide_facts *facts)
{
	return decide_needs_rule(facts) && match_is_synthetic(&facts->address);
}

/* The rule under which `ticket` opens the port, ABI_RULE_NONE if it does not. A row may have stayed
 * from the slot's last owner. */
MATCH_INLINE __u16 decide_ticket(const struct abi_ticket *ticket, const struct decide_facts *facts)
{
	if (!facts->sandbox || ticket->sandbox != facts->sandbox)
		return ABI_RULE_NONE;
	return match_ranges(ticket->ranges, ticket->n_ranges, ABI_TICKET_RANGES_MAX,
		facts->protocol, facts->port);
}

/* Both budgets must have room. */
MATCH_INLINE __u8 decide_spent(const struct decide_facts *facts)
{
	return facts->spent | facts->spent >> ABI_BUDGET_TENANT_SHIFT;
}

/* Whether anything may still go by way of the gate. Bytes count both ways: a connection that can
 * say or hear nothing is of no use. */
MATCH_INLINE bool decide_relay_spent(const struct decide_facts *facts)
{
	return decide_spent(facts) &
	       (ABI_BUDGET_BIT(ABI_BUDGET_BYTES_OUT) | ABI_BUDGET_BIT(ABI_BUDGET_BYTES_IN) |
		       ABI_BUDGET_BIT(ABI_BUDGET_CONNECTIONS));
}

/* Why what no rule is for is denied. Tickets are for TCP only: the name in a datagram cannot be
 * checked. */
MATCH_INLINE __u8 decide_reason_of_none(const struct decide_facts *facts)
{
	return facts->protocol == MATCH_TCP && match_is_synthetic(&facts->address)
		       ? ABI_REASON_TICKET
		       : ABI_REASON_DEFAULT;
}

/* connect(2), and sending a datagram. */
MATCH_INLINE struct decide_verdict decide_destination(const struct decide_facts *facts)
{
	if (!facts->live)
		return decide_deny(ABI_REASON_NO_SANDBOX);
	if (facts->protocol != MATCH_TCP && facts->protocol != MATCH_UDP)
		return decide_deny(ABI_REASON_SOCKET_TYPE);
	if (decide_is_query(facts) && decide_spent(facts) & ABI_BUDGET_BIT(ABI_BUDGET_DNS_QUERIES))
		return decide_deny(ABI_REASON_BUDGET);
	if (decide_is_query(facts))
		return decide_as(ABI_VERDICT_RESOLVE, ABI_REASON_RESOLVER, ABI_RULE_NONE);
	if (match_is_loopback(&facts->address)) {
		if (decide_is_gate(facts))
			return decide_deny(ABI_REASON_GATE_PORT);
		return decide_as(ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE);
	}
	if (facts->rule == ABI_RULE_NONE)
		return decide_deny(decide_reason_of_none(facts));
	if (!decide_relay_port(facts))
		return decide_as(ABI_VERDICT_DENY, ABI_REASON_NO_GATE, facts->rule);
	if (decide_relay_spent(facts))
		return decide_as(ABI_VERDICT_DENY, ABI_REASON_BUDGET, facts->rule);
	return decide_as(ABI_VERDICT_REDIRECT, ABI_REASON_RULE, facts->rule);
}

/* getaddrinfo(3) connects a datagram socket to each address that it was told, to sort them, and
 * sends nothing: that is no attempt at anything. What is sent on such a socket is one, and judged
 * as any datagram to a name. `ticket` is the one under the address. */
MATCH_INLINE bool decide_is_probe(const struct abi_ticket *ticket, const struct decide_facts *facts)
{
	return facts->live && facts->protocol == MATCH_UDP && facts->dns_port && facts->sandbox &&
	       ticket->sandbox == facts->sandbox;
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

/* bind(2). IP_FREEBIND lets a program bind an address that is not its own, and a socket on one of
 * the gate's ports would stand in for the gate should it ever be gone. */
MATCH_INLINE struct decide_verdict decide_bind(const struct decide_facts *facts)
{
	if (!facts->live)
		return decide_deny(ABI_REASON_NO_SANDBOX);
	if (!match_is_loopback(&facts->address))
		return decide_deny(ABI_REASON_BIND);
	if (decide_is_gate(facts))
		return decide_deny(ABI_REASON_GATE_PORT);
	return decide_as(ABI_VERDICT_ALLOW, ABI_REASON_LOOPBACK, ABI_RULE_NONE);
}
