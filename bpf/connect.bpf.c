/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* connect(2): loopback stays inside; what a rule or a ticket allows is turned to the gate's relay,
 * a query to its resolver, and where it meant to go stays in the socket's state; a datagram socket
 * that is connected to a name only looks whether it could; all else gets EPERM. Also the first send
 * of TCP Fast Open. */
#include "bpf/lib/address.h"
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

MATCH_INLINE void count(const struct sandbox *sandbox, __u8 verdict)
{
	struct abi_counters *row = sandbox_counters(sandbox->slot);

	if (!sandbox->id || !row)
		return;
	if (verdict == ABI_VERDICT_DENY)
		sandbox_count(&row->connections_denied, 1);
	else
		sandbox_count(&row->connections_allowed, 1);
}

MATCH_INLINE __u8 redirection(__u8 verdict)
{
	if (verdict == ABI_VERDICT_REDIRECT)
		return SOCKET_TO_RELAY;
	if (verdict == ABI_VERDICT_PROBE)
		return SOCKET_PROBE;
	return verdict == ABI_VERDICT_RESOLVE ? SOCKET_TO_RESOLVER : SOCKET_DIRECT;
}

/* Leaves what the other hooks go by. `published` is set by sockops, just before the SYN. */
MATCH_INLINE void remember(struct socket_state *state, const struct sandbox *sandbox,
	const struct emit_network_facts *what)
{
	state->redirected = redirection(what->verdict.verdict);
	state->published = 0;
	state->reported = 0;
	state->policy = sandbox->policy;
	state->address = what->facts.address;
	state->port = what->facts.port;
	state->rule = what->verdict.rule;
	state->datagram_index = what->datagram_index;
	if (what->verdict.verdict == ABI_VERDICT_RESOLVE) {
		state->resolver = what->facts.address;
		state->resolver_port = sandbox->dns_port;
	}
}

/* Datagrams are led by their destination's row. */
MATCH_INLINE void find_row(const struct sandbox *sandbox, struct emit_network_facts *what)
{
	struct destination where = {.address = what->facts.address,
		.port = what->facts.port,
		.rule = what->verdict.rule,
		.policy = sandbox->policy};
	int index;

	if (what->verdict.verdict != ABI_VERDICT_REDIRECT || what->facts.protocol != MATCH_UDP)
		return;
	index = destination_find(sandbox, &where);
	if (index < 0)
		index = destination_make(sandbox, &where);
	if (index < 0)
		what->verdict =
			decide_as(ABI_VERDICT_DENY, ABI_REASON_DESTINATIONS, what->verdict.rule);
	else
		what->datagram_index = (__u16)index;
}

/* Others may have taken the last one since it was looked at. */
MATCH_INLINE void take_connection(const struct sandbox *sandbox, struct emit_network_facts *what)
{
	__u8 spent;

	if (what->verdict.verdict != ABI_VERDICT_REDIRECT)
		return;
	spent = budget_take(sandbox, ABI_BUDGET_CONNECTIONS, 1);
	if (!spent)
		return;
	what->facts.spent |= spent;
	what->verdict = decide_as(ABI_VERDICT_DENY, ABI_REASON_BUDGET, what->verdict.rule);
}

static __noinline int judge_connect(
	struct socket_state *state, struct sandbox *sandbox, struct emit_network_facts *what)
{
	bool live = sandbox_of_socket(state, sandbox);

	if (live)
		what->facts.spent = budget_spent(sandbox);
	what->verdict = judge_destination(live, sandbox, &what->facts);
	if (live && what->verdict.verdict == ABI_VERDICT_DENY &&
		judge_is_probe(sandbox, &what->facts))
		what->verdict.verdict = ABI_VERDICT_PROBE;
	take_connection(sandbox, what);
	find_row(sandbox, what);
	if (live && what->verdict.verdict != ABI_VERDICT_DENY)
		remember(state, sandbox, what);
	/* The gate reports queries: here only their carriage is seen. Of a probe the first
	 * datagram is what counts. */
	if (what->verdict.verdict == ABI_VERDICT_ALLOW ||
		what->verdict.verdict == ABI_VERDICT_RESOLVE ||
		what->verdict.verdict == ABI_VERDICT_PROBE)
		return what->verdict.verdict;
	count(sandbox, what->verdict.verdict);
	emit_network(sandbox, what);
	return what->verdict.verdict;
}

MATCH_INLINE void gather(struct bpf_sock_addr *context, struct emit_network_facts *what)
{
	what->facts.port = address_read_port(context);
	what->facts.protocol = context->protocol;
	what->protocol = context->protocol;
	what->socket_type = context->type;
	what->operation = ABI_OPERATION_CONNECT;
}

MATCH_INLINE struct socket_state *state_of(struct bpf_sock_addr *context)
{
	struct bpf_sock *socket = context->sk;

	return socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL;
}

SEC("cgroup/connect4")
int cloche_connect4(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {.family = MATCH_AF_INET};
	struct sandbox sandbox = {};
	struct socket_state *state = state_of(context);

	gather(context, &what);
	what.facts.address = match_from_ipv4(context->user_ip4);
	switch (judge_connect(state, &sandbox, &what)) {
	case ABI_VERDICT_ALLOW:
		return 1;
	case ABI_VERDICT_REDIRECT:
		if (context->protocol == MATCH_UDP)
			address_write_row_4(context, what.datagram_index, sandbox.datagram_port);
		else
			address_write_gate_4(context, sandbox.gate_port);
		return 1;
	case ABI_VERDICT_RESOLVE:
		address_write_gate_4(context, sandbox.dns_port);
		return 1;
	case ABI_VERDICT_PROBE:
		address_write_row_4(context, ABI_DATAGRAM_PROBE, sandbox.dns_port);
		return 1;
	}
	return 0;
}

SEC("cgroup/connect6")
int cloche_connect6(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {.family = MATCH_AF_INET6};
	struct sandbox sandbox = {};
	struct socket_state *state = state_of(context);

	gather(context, &what);
	what.facts.address = address_read_6(context);
	switch (judge_connect(state, &sandbox, &what)) {
	case ABI_VERDICT_ALLOW:
		return 1;
	case ABI_VERDICT_REDIRECT:
		if (context->protocol == MATCH_UDP)
			address_write_row_6(context, &what.facts.address, what.datagram_index,
				sandbox.datagram_port);
		else
			address_write_gate_6(context, &what.facts.address, sandbox.gate_port);
		return 1;
	case ABI_VERDICT_RESOLVE:
		address_write_gate_6(context, &what.facts.address, sandbox.dns_port);
		return 1;
	case ABI_VERDICT_PROBE:
		address_write_row_6(
			context, &what.facts.address, ABI_DATAGRAM_PROBE, sandbox.dns_port);
		return 1;
	}
	return 0;
}
