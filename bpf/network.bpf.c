/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes the record of a network decision. */
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__noinline int emit_network(const struct sandbox *sandbox, const struct emit_network_facts *what)
{
	struct abi_network_event *event;
	__u64 sequence;

	if (!sandbox || !what)
		return 0;
	sequence = emit_sequence();
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		emit_lost(sandbox->slot);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	emit_header(&event->header, ABI_EVENT_NETWORK, sizeof(*event), sequence, sandbox,
		what->in_process);
	event->address = what->facts.address;
	event->port = what->facts.port;
	event->rule = what->verdict.rule;
	event->family = what->family;
	event->protocol = what->protocol;
	event->operation = what->operation;
	event->verdict = what->verdict.verdict;
	event->reason = what->verdict.reason;
	event->socket_type = what->socket_type;
	if (what->verdict.reason == ABI_REASON_BUDGET)
		event->spent = what->facts.spent;
	bpf_ringbuf_submit(event, emit_flags());
	return 0;
}
