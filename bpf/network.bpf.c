/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes the record of a network decision. */
#include "bpf/lib/shadow.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The verdict was carried out, or is in the caller's hands: from here it is read, never written.
 * Two functions, so that their stacks do not add up. */
static __noinline int find_rule(const struct sandbox *sandbox, const struct decide_facts *facts)
{
	return shadow_find_rule(sandbox, facts);
}

static __noinline int count(const struct sandbox *sandbox, __u32 outcome, __u32 rule)
{
	shadow_count(sandbox, outcome, rule);
	return 0;
}

MATCH_INLINE int emit(
	const struct sandbox *sandbox, const struct emit_network_facts *what, bool in_process)
{
	__u8 outcome = ABI_SHADOW_AGREED;
	struct abi_network_event *event;
	__u16 rule = ABI_RULE_NONE;
	__u32 class;

	if (!sandbox || !what)
		return 0;
	if (sandbox->shadow && shadow_has_opinion(what)) {
		rule = find_rule(sandbox, &what->facts);
		outcome = shadow_outcome(&what->verdict, rule);
		count(sandbox, outcome,
			outcome == ABI_SHADOW_WOULD_DENY ? what->verdict.rule : rule);
	}
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
	if (outcome != ABI_SHADOW_AGREED) {
		event->shadow = sandbox->shadow;
		event->shadow_rule = rule;
		event->shadow_verdict =
			outcome == ABI_SHADOW_WOULD_ALLOW ? ABI_VERDICT_REDIRECT : ABI_VERDICT_DENY;
		event->shadow_reason = outcome == ABI_SHADOW_WOULD_ALLOW
					       ? ABI_REASON_RULE
					       : decide_reason_of_none(&what->facts);
	}
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
