/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A candidate policy's opinion of a decision that was made already. Nothing here can change it. */
#pragma once

#include "bpf/lib/network.h"

/* Only connections and datagrams that a rule could be for: what stays inside, and queries, no
 * policy speaks of. */
MATCH_INLINE bool shadow_has_opinion(const struct emit_network_facts *what)
{
	return what->operation != ABI_OPERATION_BIND && what->operation != ABI_OPERATION_SOCKET &&
	       decide_needs_rule(&what->facts);
}

/* The candidate's rule for it, found as the enforced policy's is. Used-up budgets are both
 * policies' alike, and where the policy in force needs no gate the candidate would have one, so no
 * more than this is to be asked. Nothing is copied: the stack of these programs is 512 bytes in
 * all. */
MATCH_INLINE __u16 shadow_find_rule(const struct sandbox *sandbox, const struct decide_facts *facts)
{
	if (decide_needs_ticket(facts))
		return judge_find_ticket_of(
			sandbox->slot, ABI_SLOT_GENERATION(sandbox->shadow), facts);
	return judge_find_rule(ABI_SLOT_IMAGE(sandbox->shadow), facts);
}

/* A decision that a budget or a lack of room turned into a denial would be one under the candidate
 * too, whatever its rules say. */
MATCH_INLINE __u8 shadow_outcome(const struct decide_verdict *enforced, __u16 rule)
{
	if (enforced->verdict != ABI_VERDICT_DENY)
		return rule != ABI_RULE_NONE ? ABI_SHADOW_AGREED : ABI_SHADOW_WOULD_DENY;
	if (enforced->rule == ABI_RULE_NONE && rule != ABI_RULE_NONE)
		return ABI_SHADOW_WOULD_ALLOW;
	return ABI_SHADOW_AGREED;
}

/* User space has made a row for "no rule" of each outcome: a rule that finds no room is counted
 * there. */
MATCH_INLINE void shadow_count(const struct sandbox *sandbox, __u8 outcome, __u16 rule)
{
	struct abi_shadow_key key = {.slot = sandbox->slot,
		.generation = ABI_SLOT_GENERATION(sandbox->shadow),
		.rule = rule,
		.outcome = outcome};
	__u64 zero = 0, *n = bpf_map_lookup_elem(&shadows, &key);

	if (!n) {
		bpf_map_update_elem(&shadows, &key, &zero, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&shadows, &key);
	}
	if (!n) {
		key.rule = ABI_RULE_NONE;
		n = bpf_map_lookup_elem(&shadows, &key);
	}
	if (n)
		sandbox_count(n, 1);
}
