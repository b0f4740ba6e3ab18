/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The second lock, and the meter. A packet passes only if its socket belongs to a live sandbox; it
 * leaves only towards loopback, and towards the gate only while the policy in force still allows
 * where the connection went. Relayed bytes are counted here, at the sandbox's end; queries are not,
 * because the resolver answers them without leaving the host. Budgets are kept here too: what is
 * over one does not pass, so that no connection goes on for ever. */
#include "bpf/lib/destination.h"
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

MATCH_INLINE bool read_destination(struct __sk_buff *context, struct abi_address *ret_address)
{
	__u32 ipv4;

	if (context->protocol == bpf_htons(ETHERTYPE_IPV4)) {
		if (bpf_skb_load_bytes(context, offsetof(struct iphdr, daddr), &ipv4, sizeof(ipv4)))
			return false;
		*ret_address = match_from_ipv4(ipv4);
		return true;
	}
	return context->protocol == bpf_htons(ETHERTYPE_IPV6) &&
	       bpf_skb_load_bytes(context, offsetof(struct ipv6hdr, daddr), ret_address->bytes,
		       sizeof(ret_address->bytes)) == 0;
}

MATCH_INLINE bool goes_to_loopback(struct __sk_buff *context)
{
	struct abi_address address = {};

	return read_destination(context, &address) && match_is_loopback(&address);
}

MATCH_INLINE void refuse(void)
{
	__u32 zero = 0;
	struct abi_emitted *state = bpf_map_lookup_elem(&emitted, &zero);

	if (state)
		sandbox_count(&state->packets_refused, 1);
}

/* Under the policy in force. A function of its own, so that the keys of its look-ups are not on the
 * stack any more when the record is written: all frames of a call have 512 bytes together, and
 * before Linux 6.8 each is rounded up to 32. */
static __noinline int judge_again(struct sandbox *sandbox, struct emit_network_facts *what)
{
	sandbox->dns_port = 0;
	what->verdict = judge_destination(true, sandbox, &what->facts);
	return what->verdict.verdict == ABI_VERDICT_REDIRECT;
}

/* After a swap of the policy, the destination is judged once more under the new one: as a relayed
 * connection, which does not become a query because the sandbox has a resolver now. */
static __noinline int still_allowed(struct socket_state *state, struct sandbox *sandbox)
{
	struct emit_network_facts what = {.facts.address = state->address,
		.facts.port = state->port,
		.facts.protocol = MATCH_TCP};
	bool allowed;

	if (state->policy == sandbox->policy && !state->reported)
		return 1;
	if (state->policy == sandbox->policy)
		return 0;
	allowed = judge_again(sandbox, &what);
	state->policy = sandbox->policy;
	state->reported = !allowed;
	if (!state->reported)
		return 1;
	what.family = match_is_ipv4(&state->address) ? MATCH_AF_INET : MATCH_AF_INET6;
	what.operation = ABI_OPERATION_PACKET;
	what.protocol = MATCH_TCP;
	what.socket_type = DECIDE_SOCK_STREAM;
	emit_packet(sandbox, &what);
	return 0;
}

MATCH_INLINE __u32 packets_in(struct __sk_buff *context)
{
	__u32 segments = context->gso_segs;

	return segments ? segments : 1;
}

/* Takes `n` from a budget. When that is used up, the packet is refused, and the first one reported.
 */
static __noinline int pays(struct sandbox *sandbox, const struct destination *where, __u32 counter,
	__u32 n, __u32 protocol)
{
	struct emit_network_facts what = {.operation = ABI_OPERATION_PACKET};
	__u8 spent = budget_take(sandbox, counter, n);

	if (!spent)
		return 1;
	if (!budget_report(sandbox, counter, spent))
		return 0;
	what.facts.address = where->address;
	what.facts.port = where->port;
	what.facts.spent = spent;
	what.verdict = decide_as(ABI_VERDICT_DENY, ABI_REASON_BUDGET, where->rule);
	what.family = match_is_ipv4(&what.facts.address) ? MATCH_AF_INET : MATCH_AF_INET6;
	what.socket_type = protocol == MATCH_UDP ? DECIDE_SOCK_DGRAM : DECIDE_SOCK_STREAM;
	what.protocol = protocol;
	emit_packet(sandbox, &what);
	return 0;
}

MATCH_INLINE void count(struct __sk_buff *context, const struct sandbox *sandbox, bool received)
{
	struct abi_counters *row = sandbox_counters(sandbox->slot);

	if (!row)
		return;
	sandbox_count(received ? &row->bytes_received : &row->bytes_sent, context->len);
	sandbox_count(received ? &row->packets_received : &row->packets_sent, packets_in(context));
}

/* ---- datagrams */

#define DATAGRAM_INSIDE (-1) /* neither to the relay nor from it */
#define DATAGRAM_BAD (-2)

/* The row of the destination that a datagram goes to, or of the one that it comes from. What cannot
 * be read, or carries more headers than ours do, is bad: the relay would take it uncounted. */
static __noinline int datagram_row(struct __sk_buff *context, __u16 relay_port, bool received)
{
	struct abi_address address = {};
	__u32 ports_at = IPV6_HEADER_SIZE, ipv4;
	__u16 port = 0;
	__u8 byte = 0;
	int index;

	if (context->protocol == bpf_htons(ETHERTYPE_IPV4)) {
		if (bpf_skb_load_bytes(context, 0, &byte, 1) ||
			bpf_skb_load_bytes(context,
				received ? offsetof(struct iphdr, saddr)
					 : offsetof(struct iphdr, daddr),
				&ipv4, sizeof(ipv4)))
			return DATAGRAM_BAD;
		ports_at = (byte & 0x0f) * 4;
		address = match_from_ipv4(ipv4);
	} else if (bpf_skb_load_bytes(context, offsetof(struct ipv6hdr, nexthdr), &byte, 1) ||
		   byte != MATCH_UDP ||
		   bpf_skb_load_bytes(context,
			   received ? offsetof(struct ipv6hdr, saddr)
				    : offsetof(struct ipv6hdr, daddr),
			   address.bytes, sizeof(address.bytes))) {
		return DATAGRAM_BAD;
	}
	if (bpf_skb_load_bytes(context, ports_at + (received ? 0 : 2), &port, sizeof(port)))
		return DATAGRAM_BAD;
	if (port != bpf_htons(relay_port))
		return DATAGRAM_INSIDE;
	index = destination_index(&address);
	return index < 0 ? DATAGRAM_BAD : index;
}

/* The row that connect(2) was given may have become another destination's since. */
MATCH_INLINE bool is_as_connected(
	const struct socket_state *state, int row, const struct destination *where)
{
	if (state->redirected != SOCKET_TO_RELAY || state->datagram_index != row)
		return true;
	return state->port == where->port &&
	       match_word(&state->address, 0) == match_word(&where->address, 0) &&
	       match_word(&state->address, 1) == match_word(&where->address, 1) &&
	       match_word(&state->address, 2) == match_word(&where->address, 2) &&
	       match_word(&state->address, 3) == match_word(&where->address, 3);
}

/* As still_allowed(), for all sockets that send there: the first packet under a policy that refuses
 * the destination is reported. */
static __noinline int may_go_on(struct sandbox *sandbox, int row, struct destination *where)
{
	struct emit_network_facts what = {.facts.address = where->address,
		.facts.port = where->port,
		.facts.protocol = MATCH_UDP};
	bool allowed;

	if (where->policy == sandbox->policy)
		return !where->refused;
	allowed = judge_again(sandbox, &what);
	where->policy = sandbox->policy;
	where->rule = what.verdict.rule;
	where->refused = !allowed;
	if (!destination_judged(sandbox, row, where) || !where->refused)
		return !where->refused;
	what.family = match_is_ipv4(&where->address) ? MATCH_AF_INET : MATCH_AF_INET6;
	what.operation = ABI_OPERATION_PACKET;
	what.protocol = MATCH_UDP;
	what.socket_type = DECIDE_SOCK_DGRAM;
	emit_packet(sandbox, &what);
	return 0;
}

static __noinline int pass_datagram(struct __sk_buff *context, const struct socket_state *state,
	struct sandbox *sandbox, int row, bool received)
{
	__u32 counter = received ? ABI_BUDGET_BYTES_IN : ABI_BUDGET_BYTES_OUT;
	struct destination where = {};

	if (destination_read(sandbox, row, &where) < 0 || !is_as_connected(state, row, &where) ||
		!may_go_on(sandbox, row, &where) ||
		!pays(sandbox, &where, counter, context->len, MATCH_UDP))
		return 0;
	count(context, sandbox, received);
	return 1;
}

/* ---- */

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

MATCH_INLINE struct destination destination_of(const struct socket_state *state)
{
	struct destination where = {
		.address = state->address, .port = state->port, .rule = state->rule};

	return where;
}

static __noinline int pass_query(
	struct __sk_buff *context, const struct socket_state *state, struct sandbox *sandbox)
{
	struct destination where = {
		.address = state->resolver, .port = DECIDE_DNS_PORT, .rule = ABI_RULE_NONE};
	int n = queries_in(context, state, sandbox);
	struct abi_counters *row;

	if (!n)
		return 1;
	if (!pays(sandbox, &where, ABI_BUDGET_DNS_QUERIES, n, state->protocol))
		return 0;
	row = sandbox_counters(sandbox->slot);
	if (row)
		sandbox_count(&row->dns_queries, n);
	return 1;
}

static __noinline int pass_out(
	struct __sk_buff *context, struct socket_state *state, struct sandbox *sandbox)
{
	struct destination where;
	int row = DATAGRAM_INSIDE;

	if (state->protocol == MATCH_UDP && sandbox->datagram_port)
		row = datagram_row(context, sandbox->datagram_port, false);
	if (row >= 0)
		return pass_datagram(context, state, sandbox, row, false);
	if (row == DATAGRAM_BAD || !goes_to_loopback(context))
		return 0;
	if (state->protocol == MATCH_UDP || state->redirected != SOCKET_TO_RELAY)
		return pass_query(context, state, sandbox);
	where = destination_of(state);
	if (!state->published || !still_allowed(state, sandbox) ||
		!pays(sandbox, &where, ABI_BUDGET_BYTES_OUT, context->len, MATCH_TCP))
		return 0;
	count(context, sandbox, false);
	return 1;
}

/* ---- what is sent on a datagram socket that is connected to a name */

static __noinline int goes_to_probe(struct __sk_buff *context)
{
	struct abi_address address = {};

	return read_destination(context, &address) && destination_is_probe(&address);
}

/* Sent by the process that runs: the path from send(2) to here is one call. */
static __noinline int deny_probe(const struct socket_state *state, struct sandbox *sandbox)
{
	struct emit_network_facts what = {.facts.address = state->address,
		.facts.port = state->port,
		.facts.protocol = MATCH_UDP,
		.operation = ABI_OPERATION_SENDMSG,
		.socket_type = DECIDE_SOCK_DGRAM,
		.protocol = MATCH_UDP};
	struct abi_counters *row = sandbox_counters(sandbox->slot);

	what.family = match_is_ipv4(&what.facts.address) ? MATCH_AF_INET : MATCH_AF_INET6;
	judge_again(sandbox, &what);
	what.verdict = decide_deny(decide_reason_of_none(&what.facts));
	if (row)
		sandbox_count(&row->connections_denied, 1);
	emit_network(sandbox, &what);
	return 0;
}

SEC("cgroup_skb/egress")
int cloche_egress(struct __sk_buff *context)
{
	struct sandbox sandbox = {};
	struct socket_state *state = state_of(context);

	if (!sandbox_of_socket(state, &sandbox))
		goto refused;
	if (state->redirected == SOCKET_PROBE && goes_to_probe(context)) {
		deny_probe(state, &sandbox);
		goto refused;
	}
	if (pass_out(context, state, &sandbox))
		return 1;
refused:
	refuse();
	return 0;
}

static __noinline int pass_in(
	struct __sk_buff *context, struct socket_state *state, struct sandbox *sandbox)
{
	struct destination where;
	int row = DATAGRAM_INSIDE;

	if (state->protocol == MATCH_UDP && sandbox->datagram_port)
		row = datagram_row(context, sandbox->datagram_port, true);
	if (row >= 0)
		return pass_datagram(context, state, sandbox, row, true);
	if (row == DATAGRAM_BAD)
		return 0;
	if (state->protocol == MATCH_UDP || state->redirected != SOCKET_TO_RELAY)
		return 1;
	where = destination_of(state);
	if (!pays(sandbox, &where, ABI_BUDGET_BYTES_IN, context->len, MATCH_TCP))
		return 0;
	count(context, sandbox, true);
	return 1;
}

SEC("cgroup_skb/ingress")
int cloche_ingress(struct __sk_buff *context)
{
	struct sandbox sandbox = {};
	struct socket_state *state = state_of(context);

	if (sandbox_of_socket(state, &sandbox) && pass_in(context, state, &sandbox))
		return 1;
	refuse();
	return 0;
}
