/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Datagrams that name their destination: inside or not at all, for the gate relays streams only. A
 * connected socket was judged by connect(2). */
#include "bpf/lib/address.h"
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __noinline int judge_send(struct socket_state *state, struct emit_network_facts *what)
{
	struct sandbox sandbox = {};
	bool live = sandbox_of_socket(state, &sandbox);
	struct abi_counters *row;

	what->verdict = judge_destination(live, &sandbox, &what->facts);
	/* A verdict to redirect cannot be carried out here: only ALLOW lets a datagram go. */
	if (what->verdict.verdict == ABI_VERDICT_ALLOW)
		return 1;
	row = sandbox_counters(sandbox.slot);
	if (live && row)
		sandbox_count(&row->connections_denied, 1);
	emit_network(&sandbox, what);
	return 0;
}

MATCH_INLINE int judge(struct bpf_sock_addr *context, struct emit_network_facts *what)
{
	struct bpf_sock *socket = context->sk;

	what->family = context->family;
	what->facts.port = address_read_port(context);
	what->facts.protocol = context->protocol;
	what->protocol = context->protocol;
	what->socket_type = context->type;
	what->operation = ABI_OPERATION_SENDMSG;
	what->in_process = true;
	return judge_send(socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL, what);
}

/* Also an AF_INET6 socket that sends to a mapped address. */
SEC("cgroup/sendmsg4")
int cloche_sendmsg4(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {};

	what.facts.address = match_from_ipv4(context->user_ip4);
	return judge(context, &what);
}

SEC("cgroup/sendmsg6")
int cloche_sendmsg6(struct bpf_sock_addr *context)
{
	struct emit_network_facts what = {};

	what.facts.address = address_read_6(context);
	return judge(context, &what);
}
