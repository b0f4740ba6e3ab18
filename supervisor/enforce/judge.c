/* What the programs would decide by the maps that are in force. */
#include <bpf/bpf.h>

#include "bpf/lib/decide.h"
#include "supervisor/enforce/state.h"

/* As judge_find_rule() in bpf/lib/judge.h. */
static uint16_t find_in_force(
	struct enforce *enforce, uint32_t image, const struct decide_facts *facts)
{
	struct abi_exact_key exact_key = {.address = facts->address,
		.image = image,
		.port = facts->port,
		.protocol = facts->protocol};
	struct abi_cidr_key cidr_key = {.prefix_bits = 128, .address = facts->address};
	_cleanup_close_ int trie_fd = -1;
	struct abi_cidr_value value;
	uint32_t rule, trie_id;

	if (image == ABI_IMAGE_NONE || image >= ABI_IMAGES_MAX)
		return ABI_RULE_NONE;
	if (bpf_map_lookup_elem(enforce->exact_fd, &exact_key, &rule) == 0)
		return rule < ABI_RULE_NONE ? (uint16_t)rule : ABI_RULE_NONE;
	if (bpf_map_lookup_elem(enforce->cidrs_fd, &image, &trie_id) < 0)
		return ABI_RULE_NONE;
	trie_fd = bpf_map_get_fd_by_id(trie_id);
	if (trie_fd < 0 || bpf_map_lookup_elem(trie_fd, &cidr_key, &value) < 0)
		return ABI_RULE_NONE;
	return match_ranges(
		value.ranges, value.n_ranges, ABI_PORT_RANGES_MAX, facts->protocol, facts->port);
}

static uint16_t find_ticket(
	struct enforce *enforce, uint32_t slot, const struct decide_facts *facts)
{
	struct abi_ticket_key key = {.address = facts->address,
		.slot = slot,
		.generation = ABI_SLOT_GENERATION(enforce->rows[slot].policy)};
	struct abi_ticket ticket;

	if (bpf_map_lookup_elem(enforce->tickets_fd, &key, &ticket) < 0)
		return ABI_RULE_NONE;
	return decide_ticket(&ticket, facts);
}

bool enforce_slot_would_allow(struct enforce *enforce, uint32_t slot, uint8_t protocol,
	const struct abi_address *address, uint16_t port)
{
	struct decide_facts facts = {.address = *address,
		.port = port,
		.protocol = protocol,
		.rule = ABI_RULE_NONE,
		.live = true};

	if (!slot_is_taken(enforce, slot))
		return false;
	facts.sandbox = enforce->rows[slot].sandbox;
	facts.gate_port = enforce->rows[slot].gate_port;
	facts.datagram_port = enforce->rows[slot].datagram_port;
	if (decide_needs_ticket(&facts))
		facts.rule = find_ticket(enforce, slot, &facts);
	else if (decide_needs_rule(&facts))
		facts.rule =
			find_in_force(enforce, ABI_SLOT_IMAGE(enforce->rows[slot].policy), &facts);
	return decide_destination(&facts).verdict == ABI_VERDICT_REDIRECT;
}
