/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes the record of a network decision. */
#include "bpf/lib/network.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

MATCH_INLINE int emit(
	const struct sandbox *sandbox, const struct emit_network_facts *what, bool in_process)
{
	struct abi_network_event *event;
	__u32 class;

	if (!sandbox || !what)
		return 0;
	class = what->verdict.verdict == ABI_VERDICT_DENY ? ABI_CLASS_SECURITY : ABI_CLASS_BULK;
	event = emit_begin(sandbox, class, ABI_EVENT_NETWORK, sizeof(*event), in_process);
	if (!event)
		return 0;
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
	emit_end(event, class);
	return 0;
}

__noinline int emit_network(const struct sandbox *sandbox, const struct emit_network_facts *what)
{
	return emit(sandbox, what, true);
}

__noinline int emit_packet(const struct sandbox *sandbox, const struct emit_network_facts *what)
{
	return emit(sandbox, what, false);
}
