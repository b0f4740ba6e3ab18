/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* getpeername(2) shows what connect(2) asked for, not the gate's relay or resolver.
 * Never refuses. */
#include "bpf/lib/address.h"
#include "bpf/lib/maps.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

MATCH_INLINE struct socket_state *redirected_state(struct bpf_sock_addr *context)
{
	struct bpf_sock *socket = context->sk;
	struct socket_state *state = socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL;

	return state && state->redirected ? state : NULL;
}

SEC("cgroup/getpeername4")
int cloche_getpeername4(struct bpf_sock_addr *context)
{
	struct socket_state *state = redirected_state(context);

	if (!state)
		return 1;
	context->user_ip4 = match_word(&state->address, 3);
	address_write_port(context, state->port);
	return 1;
}

SEC("cgroup/getpeername6")
int cloche_getpeername6(struct bpf_sock_addr *context)
{
	struct socket_state *state = redirected_state(context);

	if (!state)
		return 1;
	address_write_6(context, &state->address);
	address_write_port(context, state->port);
	return 1;
}
