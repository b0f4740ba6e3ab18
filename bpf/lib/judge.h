/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a destination to a verdict: asks the image's maps or the tickets, then decides. */
#pragma once

#include "bpf/lib/budget.h"
#include "bpf/lib/decide.h"
#include "bpf/lib/maps.h"
#include "bpf/lib/sandbox.h"

/* The image's rule for a destination. An exact rule wins over a prefix. */
MATCH_INLINE __u16 judge_find_rule(__u32 image, const struct decide_facts *facts)
{
	struct abi_exact_key exact_key = {.address = facts->address,
		.image = image,
		.port = facts->port,
		.protocol = facts->protocol};
	struct abi_cidr_key cidr_key = {.prefix_bits = 128, .address = facts->address};
	struct abi_cidr_value *value;
	__u32 *rule;
	void *trie;

	if (image == ABI_IMAGE_NONE || image >= ABI_IMAGES_MAX)
		return ABI_RULE_NONE;
	rule = bpf_map_lookup_elem(&exact, &exact_key);
	if (rule)
		return *rule < ABI_RULE_NONE ? *rule : ABI_RULE_NONE;
	trie = bpf_map_lookup_elem(&cidrs, &image);
	if (!trie)
		return ABI_RULE_NONE;
	value = bpf_map_lookup_elem(trie, &cidr_key);
	if (!value)
		return ABI_RULE_NONE;
	return match_ranges(
		value->ranges, value->n_ranges, ABI_PORT_RANGES_MAX, facts->protocol, facts->port);
}

/* The generation is part of the key: after a swap no older ticket is found. */
MATCH_INLINE const struct abi_ticket *judge_look_up_ticket(
	__u32 slot, __u32 generation, const struct decide_facts *facts)
{
	struct abi_ticket_key key = {
		.address = facts->address, .slot = slot, .generation = generation};

	return bpf_map_lookup_elem(&tickets, &key);
}

MATCH_INLINE __u16 judge_find_ticket_of(
	__u32 slot, __u32 generation, const struct decide_facts *facts)
{
	const struct abi_ticket *ticket = judge_look_up_ticket(slot, generation, facts);

	return ticket ? decide_ticket(ticket, facts) : ABI_RULE_NONE;
}

MATCH_INLINE __u16 judge_find_ticket(
	const struct sandbox *sandbox, const struct decide_facts *facts)
{
	return judge_find_ticket_of(sandbox->slot, ABI_SLOT_GENERATION(sandbox->policy), facts);
}

/* After judge_destination(). */
MATCH_INLINE bool judge_is_probe(const struct sandbox *sandbox, const struct decide_facts *facts)
{
	const struct abi_ticket *ticket;

	if (facts->protocol != MATCH_UDP || !decide_needs_ticket(facts))
		return false;
	ticket = judge_look_up_ticket(sandbox->slot, ABI_SLOT_GENERATION(sandbox->policy), facts);
	return ticket && decide_is_probe(ticket, facts);
}

/* Completes `facts` (address, port, protocol and what is spent are given) from the sandbox and its
 * image. `sandbox` is all zero when `live` is false. */
MATCH_INLINE struct decide_verdict judge_destination(
	bool live, const struct sandbox *sandbox, struct decide_facts *facts)
{
	facts->live = live;
	facts->sandbox = sandbox->id;
	facts->gate_port = sandbox->gate_port;
	facts->dns_port = sandbox->dns_port;
	facts->datagram_port = sandbox->datagram_port;
	facts->rule = ABI_RULE_NONE;
	if (decide_needs_ticket(facts))
		facts->rule = judge_find_ticket(sandbox, facts);
	else if (decide_needs_rule(facts))
		facts->rule = judge_find_rule(ABI_SLOT_IMAGE(sandbox->policy), facts);
	return decide_destination(facts);
}
