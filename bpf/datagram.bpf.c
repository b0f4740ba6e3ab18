/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Datagrams that name their destination: inside, to the sandbox's resolver, to the gate's relay, or
 * not at all. One that a rule allows goes to the address inside that stands for its destination,
 * see bpf/abi/datagram.h; an answer from there shows the destination as its source. A connected
 * socket was judged by connect(2), but one that is connected to a name by each packet. An answer to
 * a query shows the name server that was asked, because resolvers drop answers from others; a
 * socket that asks several at once sees the last of them in each answer. */
#include "bpf/lib/address.h"
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* An IPv6 socket that is connected to a mapped address names it with each datagram as if the
 * program had, in the form that connect(2) was led to. */
MATCH_INLINE void undo_connect(const struct socket_state *state, const struct sandbox *sandbox,
	struct emit_network_facts *what)
{
	bool probe = state->redirected == SOCKET_PROBE && sandbox->dns_port &&
		     what->facts.port == sandbox->dns_port &&
		     destination_is_probe(&what->facts.address);
	bool relayed = state->redirected == SOCKET_TO_RELAY && sandbox->datagram_port &&
		       what->facts.port == sandbox->datagram_port &&
		       destination_index(&what->facts.address) == state->datagram_index;

	if (!probe && !relayed)
		return;
	what->facts.address = state->address;
	what->facts.port = state->port;
}

MATCH_INLINE void count(const struct sandbox *sandbox, bool allowed)
{
	struct abi_counters *row = sandbox_counters(sandbox->slot);

	if (row && allowed)
		sandbox_count(&row->connections_allowed, 1);
	else if (row)
		sandbox_count(&row->connections_denied, 1);
}

/* The first datagram to a destination is what a connection is to TCP. */
MATCH_INLINE int open_destination(const struct sandbox *sandbox, const struct destination *where,
	struct emit_network_facts *what)
{
	__u8 spent = budget_take(sandbox, ABI_BUDGET_CONNECTIONS, 1);
	int index;

	if (spent) {
		what->facts.spent |= spent;
		what->verdict = decide_as(ABI_VERDICT_DENY, ABI_REASON_BUDGET, what->verdict.rule);
		return DESTINATION_NONE;
	}
	index = destination_make(sandbox, where);
	if (index < 0)
		what->verdict =
			decide_as(ABI_VERDICT_DENY, ABI_REASON_DESTINATIONS, what->verdict.rule);
	return index;
}

static __noinline int relay(struct sandbox *sandbox, struct emit_network_facts *what, int index)
{
	struct destination where = {.address = what->facts.address,
		.port = what->facts.port,
		.rule = what->verdict.rule,
		.policy = sandbox->policy};

	if (index < 0) {
		index = open_destination(sandbox, &where, what);
		count(sandbox, index >= 0);
		emit_network(sandbox, what);
	}
	what->datagram_index = (__u16)index;
	return index < 0 ? ABI_VERDICT_DENY : ABI_VERDICT_REDIRECT;
}

/* The row of a destination that something was sent to lately. */
static __noinline int find_row(struct sandbox *sandbox, struct emit_network_facts *what)
{
	struct destination where = {.address = what->facts.address, .port = what->facts.port};

	if (!sandbox->datagram_port || match_is_loopback(&where.address))
		return DESTINATION_NONE;
	return destination_find(sandbox, &where);
}

static __noinline int judge_send(
	struct socket_state *state, struct sandbox *sandbox, struct emit_network_facts *what)
{
	bool live = sandbox_of_socket(state, sandbox);
	int index = DESTINATION_NONE;

	what->facts.asks = live && state->redirected == SOCKET_TO_RESOLVER;
	if (live) {
		undo_connect(state, sandbox, what);
		what->facts.spent = budget_spent(sandbox);
		index = find_row(sandbox, what);
	}
	/* What is open needs no new connection. */
	if (index >= 0)
		what->facts.spent &= ~(ABI_BUDGET_BIT(ABI_BUDGET_CONNECTIONS) |
				       ABI_BUDGET_TENANT_BIT(ABI_BUDGET_CONNECTIONS));
	what->verdict = judge_destination(live, sandbox, &what->facts);
	if (what->verdict.verdict == ABI_VERDICT_ALLOW)
		return ABI_VERDICT_ALLOW;
	if (live && what->verdict.verdict == ABI_VERDICT_RESOLVE) {
		state->resolver =
			what->facts.port == DECIDE_DNS_PORT ? what->facts.address : state->address;
		state->resolver_port = sandbox->dns_port;
		return ABI_VERDICT_RESOLVE;
	}
	/* TCP has no such hook: what is redirected here is a datagram. */
	if (live && what->verdict.verdict == ABI_VERDICT_REDIRECT)
		return relay(sandbox, what, index);
	if (live)
		count(sandbox, false);
	emit_network(sandbox, what);
	return ABI_VERDICT_DENY;
}

MATCH_INLINE struct socket_state *state_of(struct bpf_sock_addr *context)
{
	struct bpf_sock *socket = context->sk;

	return socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL;
}

MATCH_INLINE int judge(
	struct bpf_sock_addr *context, struct sandbox *sandbox, struct emit_network_facts *what)
{
	what->family = context->family;
	what->facts.port = address_read_port(context);
	what->facts.protocol = context->protocol;
	what->protocol = context->protocol;
	what->socket_type = context->type;
	what->operation = ABI_OPERATION_SENDMSG;
	return judge_send(state_of(context), sandbox, what);
}

/* Also an AF_INET6 socket that sends to a mapped address. */
SEC("cgroup/sendmsg4")
int cloche_sendmsg4(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {};
	struct sandbox sandbox = {};

	what.facts.address = match_from_ipv4(context->user_ip4);
	switch (judge(context, &sandbox, &what)) {
	case ABI_VERDICT_ALLOW:
		return 1;
	case ABI_VERDICT_RESOLVE:
		address_write_gate_4(context, sandbox.dns_port);
		return 1;
	case ABI_VERDICT_REDIRECT:
		address_write_row_4(context, what.datagram_index, sandbox.datagram_port);
		return 1;
	}
	return 0;
}

SEC("cgroup/sendmsg6")
int cloche_sendmsg6(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {};
	struct sandbox sandbox = {};

	what.facts.address = address_read_6(context);
	switch (judge(context, &sandbox, &what)) {
	case ABI_VERDICT_ALLOW:
		return 1;
	case ABI_VERDICT_RESOLVE:
		address_write_gate_6(context, &what.facts.address, sandbox.dns_port);
		return 1;
	case ABI_VERDICT_REDIRECT:
		address_write_row_6(
			context, &what.facts.address, what.datagram_index, sandbox.datagram_port);
		return 1;
	}
	return 0;
}

/* Whom an answer is from, if it came from the gate: nobody else inside has its ports. */
static __noinline int find_source(
	struct socket_state *state, __u16 port, struct destination *source)
{
	struct sandbox sandbox = {};
	int index;

	if (!state)
		return DESTINATION_NONE;
	if (state->resolver_port && port == state->resolver_port) {
		source->address = state->resolver;
		source->port = DECIDE_DNS_PORT;
		return 0;
	}
	if (!sandbox_of_socket(state, &sandbox) || !sandbox.datagram_port ||
		port != sandbox.datagram_port)
		return DESTINATION_NONE;
	index = destination_index(&source->address);
	return index < 0 ? DESTINATION_NONE : destination_read(&sandbox, index, source);
}

/* Never refuses. */
SEC("cgroup/recvmsg4")
int cloche_recvmsg4(struct bpf_sock_addr *context)
{
	struct destination source = {.address = match_from_ipv4(context->user_ip4)};

	if (find_source(state_of(context), address_read_port(context), &source) < 0)
		return 1;
	context->user_ip4 = match_word(&source.address, 3);
	address_write_port(context, source.port);
	return 1;
}

SEC("cgroup/recvmsg6")
int cloche_recvmsg6(struct bpf_sock_addr *context)
{
	struct destination source = {.address = address_read_6(context)};

	if (find_source(state_of(context), address_read_port(context), &source) < 0)
		return 1;
	address_write_6(context, &source.address);
	address_write_port(context, source.port);
	return 1;
}
