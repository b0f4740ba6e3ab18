/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* socket(2): gives each socket of a sandbox its identity, and refuses kinds that no other hook
 * sees. The kernel attaches hooks by the cgroup that made the socket, so identity is the maker's
 * too. */
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

MATCH_INLINE bool remember(struct bpf_sock *socket, const struct sandbox *sandbox)
{
	struct socket_state *state =
		bpf_sk_storage_get(&sockets, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);

	if (!state)
		return false;
	state->sandbox = sandbox->id;
	state->policy = sandbox->policy;
	state->slot = sandbox->slot;
	state->protocol = (__u8)socket->protocol;
	return true;
}

SEC("cgroup/sock_create")
int cloche_sock_create(struct bpf_sock *context)
{
	struct sandbox sandbox = {};
	struct emit_network_facts what = {.family = context->family,
		.operation = ABI_OPERATION_SOCKET,
		.socket_type = context->type,
		.protocol = context->protocol};
	bool live = sandbox_of_current(&sandbox);

	what.verdict = decide_socket(live, context->family, context->type, context->protocol);
	if (what.verdict.verdict == ABI_VERDICT_ALLOW && !remember(context, &sandbox))
		what.verdict = decide_deny(ABI_REASON_NO_MEMORY);
	if (what.verdict.verdict == ABI_VERDICT_ALLOW)
		return 1;
	emit_network(&sandbox, &what);
	return 0;
}
