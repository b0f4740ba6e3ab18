/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bind(2): only what is inside, and never a port of the gate's. */
#include "bpf/lib/address.h"
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __noinline int judge_bind(struct socket_state *state, struct emit_network_facts *what)
{
	struct sandbox sandbox = {};

	what->facts.live = sandbox_of_socket(state, &sandbox);
	what->facts.gate_port = sandbox.gate_port;
	what->facts.dns_port = sandbox.dns_port;
	what->facts.datagram_port = sandbox.datagram_port;
	what->verdict = decide_bind(&what->facts);
	if (what->verdict.verdict == ABI_VERDICT_ALLOW)
		return 1;
	emit_network(&sandbox, what);
	return 0;
}

MATCH_INLINE int judge(struct bpf_sock_addr *context, struct emit_network_facts *what)
{
	struct bpf_sock *socket = context->sk;

	what->facts.port = address_read_port(context);
	what->facts.protocol = context->protocol;
	what->family = context->family;
	what->protocol = context->protocol;
	what->socket_type = context->type;
	what->operation = ABI_OPERATION_BIND;
	return judge_bind(socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL, what);
}

SEC("cgroup/bind4")
int cloche_bind4(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {};

	what.facts.address = match_from_ipv4(context->user_ip4);
	return judge(context, &what);
}

SEC("cgroup/bind6")
int cloche_bind6(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {};

	what.facts.address = address_read_6(context);
	return judge(context, &what);
}
