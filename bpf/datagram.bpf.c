/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Datagrams that name their destination: inside, to the sandbox's resolver, or not at all, for the
 * gate relays streams only. A connected socket was judged by connect(2). An answer shows the name
 * server that was asked as its source, because resolvers drop answers from others; a socket that
 * asks several at once sees the last of them in each answer. */
#include "bpf/lib/address.h"
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __noinline int judge_send(
	struct socket_state *state, struct sandbox *sandbox, struct emit_network_facts *what)
{
	bool live = sandbox_of_socket(state, sandbox);
	struct abi_counters *row;

	what->facts.asks = live && state->redirected == SOCKET_TO_RESOLVER;
	if (live)
		what->facts.spent = budget_spent(sandbox->slot);
	what->verdict = judge_destination(live, sandbox, &what->facts);
	if (what->verdict.verdict == ABI_VERDICT_ALLOW)
		return ABI_VERDICT_ALLOW;
	if (live && what->verdict.verdict == ABI_VERDICT_RESOLVE) {
		state->resolver =
			what->facts.port == DECIDE_DNS_PORT ? what->facts.address : state->address;
		state->resolver_port = sandbox->dns_port;
		return ABI_VERDICT_RESOLVE;
	}
	/* A verdict to redirect cannot be carried out here. */
	row = sandbox_counters(sandbox->slot);
	if (live && row)
		sandbox_count(&row->connections_denied, 1);
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
	what->in_process = true;
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
	}
	return 0;
}

/* The socket's state, if what it received came from the resolver: nobody else inside has its port.
 */
MATCH_INLINE struct socket_state *answered_state(struct bpf_sock_addr *context)
{
	struct socket_state *state = state_of(context);

	if (!state || !state->resolver_port || address_read_port(context) != state->resolver_port)
		return NULL;
	return state;
}

/* Never refuses. */
SEC("cgroup/recvmsg4")
int cloche_recvmsg4(struct bpf_sock_addr *context)
{
	struct socket_state *state = answered_state(context);

	if (!state)
		return 1;
	context->user_ip4 = match_word(&state->resolver, 3);
	address_write_port(context, DECIDE_DNS_PORT);
	return 1;
}

SEC("cgroup/recvmsg6")
int cloche_recvmsg6(struct bpf_sock_addr *context)
{
	struct socket_state *state = answered_state(context);

	if (!state)
		return 1;
	address_write_6(context, &state->resolver);
	address_write_port(context, DECIDE_DNS_PORT);
	return 1;
}
