/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tells the gate where a redirected connection meant to go, before its SYN leaves. */
#include "bpf/lib/maps.h"
#include "bpf/lib/match.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SOL_TCP 6
#define TCP_SYNCNT 7

MATCH_INLINE void fill_local(struct bpf_sock_ops *context, struct abi_flow_key *key)
{
	__u32 words[4];

	if (context->family == MATCH_AF_INET) {
		key->local_address = match_from_ipv4(context->local_ip4);
	} else {
		words[0] = context->local_ip6[0];
		words[1] = context->local_ip6[1];
		words[2] = context->local_ip6[2];
		words[3] = context->local_ip6[3];
		__builtin_memcpy(key->local_address.bytes, words, sizeof(words));
	}
	key->local_port = (__u16)context->local_port;
}

/* The key is new or left over from a closed connection; either way it is this one's now. Without an
 * entry the SYN is dropped by the second lock; one retry makes that a failure after seconds, not
 * minutes. */
MATCH_INLINE void publish(struct bpf_sock_ops *context, struct socket_state *state)
{
	struct abi_flow_key key = {};
	struct abi_flow flow = {};
	int retries = 1;

	key.netns_cookie = bpf_get_netns_cookie(context);
	fill_local(context, &key);
	flow.address = state->address;
	flow.port = state->port;
	flow.protocol = MATCH_TCP;
	flow.rule = state->rule;
	flow.policy = state->policy;
	flow.sandbox = state->sandbox;
	if (bpf_map_update_elem(&flows, &key, &flow, BPF_ANY) == 0)
		state->published = 1;
	else
		bpf_setsockopt(context, SOL_TCP, TCP_SYNCNT, &retries, sizeof(retries));
}

SEC("sockops")
int cloche_sockops(struct bpf_sock_ops *context)
{
	struct bpf_sock *socket = context->sk;
	struct socket_state *state;

	if (context->op != BPF_SOCK_OPS_TCP_CONNECT_CB && context->op != BPF_SOCK_OPS_TCP_LISTEN_CB)
		return 1;
	state = socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL;
	if (!state)
		return 1;
	/* A socket that was connected, disconnected and now listens: its children inherit its state
	 * and go nowhere by way of the gate. */
	if (context->op == BPF_SOCK_OPS_TCP_LISTEN_CB)
		state->redirected = SOCKET_DIRECT;
	else if (state->redirected == SOCKET_TO_RELAY)
		publish(context, state);
	return 1;
}
