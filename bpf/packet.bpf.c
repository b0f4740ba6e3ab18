/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The second lock, and the meter. A packet passes only if its socket belongs to a live sandbox; it
 * leaves only towards loopback, and towards the gate only while the policy in force still allows
 * where the connection went. Relayed bytes are counted here, at the sandbox's end; queries are not,
 * because the resolver answers them without leaving the host. Budgets are kept here too: what is
 * over one does not pass, so that no connection goes on for ever. */
#include "bpf/lib/network.h"

#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV6_HEADER_SIZE 40
#define TCP_OFFSET_AT 12 /* of the byte that says how long a TCP header is */

MATCH_INLINE struct socket_state *state_of(struct __sk_buff *context)
{
	struct bpf_sock *socket = context->sk;

	if (!socket)
		return NULL;
	socket = bpf_sk_fullsock(socket);
	return socket ? bpf_sk_storage_get(&sockets, socket, NULL, 0) : NULL;
}

MATCH_INLINE bool goes_to_loopback(struct __sk_buff *context)
{
	struct abi_address address = {};
	__u32 ipv4;

	if (context->protocol == bpf_htons(ETHERTYPE_IPV4)) {
		if (bpf_skb_load_bytes(context, offsetof(struct iphdr, daddr), &ipv4, sizeof(ipv4)))
			return false;
		address = match_from_ipv4(ipv4);
	} else if (context->protocol == bpf_htons(ETHERTYPE_IPV6)) {
		if (bpf_skb_load_bytes(context, offsetof(struct ipv6hdr, daddr), address.bytes,
			    sizeof(address.bytes)))
			return false;
	} else {
		return false;
	}
	return match_is_loopback(&address);
}

MATCH_INLINE void refuse(void)
{
	__u32 zero = 0;
	struct abi_emitted *state = bpf_map_lookup_elem(&emitted, &zero);

	if (state)
		sandbox_count(&state->packets_refused, 1);
}

/* After a swap of the policy, the destination is judged once more under the new one: as a relayed
 * connection, which does not become a query because the sandbox has a resolver now. */
static __noinline int still_allowed(struct socket_state *state, struct sandbox *sandbox)
{
	struct emit_network_facts what = {.facts.address = state->address,
		.facts.port = state->port,
		.facts.protocol = MATCH_TCP};

	if (state->policy == sandbox->policy && !state->reported)
		return 1;
	if (state->policy == sandbox->policy)
		return 0;
	sandbox->dns_port = 0;
	what.verdict = judge_destination(true, sandbox, &what.facts);
	state->policy = sandbox->policy;
	state->reported = what.verdict.verdict != ABI_VERDICT_REDIRECT;
	if (!state->reported)
		return 1;
	what.family = match_is_ipv4(&state->address) ? MATCH_AF_INET : MATCH_AF_INET6;
	what.operation = ABI_OPERATION_PACKET;
	what.protocol = MATCH_TCP;
	what.socket_type = DECIDE_SOCK_STREAM;
	emit_network(sandbox, &what);
	return 0;
}

MATCH_INLINE __u32 packets_in(struct __sk_buff *context)
{
	__u32 segments = context->gso_segs;

	return segments ? segments : 1;
}

/* Takes `n` from a budget. When that is used up, the packet is refused, and the first one reported.
 */
static __noinline int pays(
	const struct socket_state *state, const struct sandbox *sandbox, __u32 counter, __u32 n)
{
	struct emit_network_facts what = {.operation = ABI_OPERATION_PACKET};
	bool query = counter == ABI_BUDGET_DNS_QUERIES;

	if (budget_take(sandbox->slot, counter, n))
		return 1;
	if (!budget_report(sandbox->slot, counter))
		return 0;
	what.facts.address = query ? state->resolver : state->address;
	what.facts.port = query ? DECIDE_DNS_PORT : state->port;
	what.facts.spent = (__u8)ABI_BUDGET_BIT(counter & 7);
	what.verdict =
		decide_as(ABI_VERDICT_DENY, ABI_REASON_BUDGET, query ? ABI_RULE_NONE : state->rule);
	what.family = match_is_ipv4(&what.facts.address) ? MATCH_AF_INET : MATCH_AF_INET6;
	what.socket_type = state->protocol == MATCH_UDP ? DECIDE_SOCK_DGRAM : DECIDE_SOCK_STREAM;
	what.protocol = state->protocol;
	emit_network(sandbox, &what);
	return 0;
}

/* How many queries a packet carries, 0 if it does not go to the resolver. A datagram is one. Of a
 * stream only the bytes are seen here: each 64 that are begun count as one. */
static __noinline int queries_in(
	struct __sk_buff *context, const struct socket_state *state, const struct sandbox *sandbox)
{
	bool ipv4 = context->protocol == bpf_htons(ETHERTYPE_IPV4);
	__u32 at = IPV6_HEADER_SIZE;
	__u16 port = 0;
	__u8 byte = 0;

	if (!state->resolver_port || !sandbox->dns_port)
		return 0;
	if (ipv4 && bpf_skb_load_bytes(context, 0, &byte, 1) == 0)
		at = (byte & 0x0f) * 4;
	/* What cannot be read counts as a query. */
	if (bpf_skb_load_bytes(context, at + 2, &port, sizeof(port)) == 0 &&
		port != bpf_htons(sandbox->dns_port))
		return 0;
	if (state->protocol == MATCH_UDP)
		return packets_in(context);
	if (bpf_skb_load_bytes(context, at + TCP_OFFSET_AT, &byte, 1))
		return 1;
	at += (byte >> 4) * 4;
	return context->len <= at ? 0 : (context->len - at + 63) / 64;
}

SEC("cgroup_skb/egress")
int cloche_egress(struct __sk_buff *context)
{
	struct sandbox sandbox = {};
	struct socket_state *state = state_of(context);
	struct abi_counters *row;
	int queries;

	if (!sandbox_of_socket(state, &sandbox) || !goes_to_loopback(context))
		goto refused;
	if (state->redirected != SOCKET_TO_RELAY) {
		queries = queries_in(context, state, &sandbox);
		if (queries && !pays(state, &sandbox, ABI_BUDGET_DNS_QUERIES, queries))
			goto refused;
		row = queries ? sandbox_counters(sandbox.slot) : NULL;
		if (row)
			sandbox_count(&row->dns_queries, queries);
		return 1;
	}
	if (!state->published || !still_allowed(state, &sandbox) ||
		!pays(state, &sandbox, ABI_BUDGET_BYTES_OUT, context->len))
		goto refused;
	row = sandbox_counters(sandbox.slot);
	if (row) {
		sandbox_count(&row->bytes_sent, context->len);
		sandbox_count(&row->packets_sent, packets_in(context));
	}
	return 1;
refused:
	refuse();
	return 0;
}

SEC("cgroup_skb/ingress")
int cloche_ingress(struct __sk_buff *context)
{
	struct sandbox sandbox = {};
	struct socket_state *state = state_of(context);
	struct abi_counters *row;

	if (!sandbox_of_socket(state, &sandbox)) {
		refuse();
		return 0;
	}
	if (state->redirected != SOCKET_TO_RELAY)
		return 1;
	if (!pays(state, &sandbox, ABI_BUDGET_BYTES_IN, context->len)) {
		refuse();
		return 0;
	}
	row = sandbox_counters(sandbox.slot);
	if (row) {
		sandbox_count(&row->bytes_received, context->len);
		sandbox_count(&row->packets_received, packets_in(context));
	}
	return 1;
}
