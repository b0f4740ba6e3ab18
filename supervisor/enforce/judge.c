#include "supervisor/enforce/judge.h"

static bool lies_in(const struct abi_address *address, const struct abi_cidr_key *prefix)
{
	uint32_t whole = prefix->prefix_bits / 8, rest = prefix->prefix_bits % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));

	if (prefix->prefix_bits > 128 || memcmp(address->bytes, prefix->address.bytes, whole) != 0)
		return false;
	return rest == 0 || ((address->bytes[whole] ^ prefix->address.bytes[whole]) & mask) == 0;
}

static uint16_t find_exact(const struct policy_image *image, const struct decide_facts *facts)
{
	for (size_t i = 0; i < image->n_exact; i++) {
		const struct abi_exact_key *key = &image->exact_keys[i];

		if (key->port == facts->port && key->protocol == facts->protocol &&
			memcmp(&key->address, &facts->address, sizeof(key->address)) == 0)
			return (uint16_t)image->exact_rules[i];
	}
	return ABI_RULE_NONE;
}

static uint16_t find_prefix(const struct policy_image *image, const struct decide_facts *facts)
{
	const struct abi_cidr_value *longest = NULL;
	uint32_t longest_bits = 0;

	for (size_t i = 0; i < image->n_cidr; i++) {
		const struct abi_cidr_key *key = &image->cidr_keys[i];

		if (!lies_in(&facts->address, key) || (longest && key->prefix_bits < longest_bits))
			continue;
		longest = &image->cidr_values[i];
		longest_bits = key->prefix_bits;
	}
	return longest ? match_ranges(longest, facts->protocol, facts->port) : ABI_RULE_NONE;
}

struct decide_verdict enforce_judge(const struct policy_image *image, struct decide_facts *facts)
{
	facts->rule = ABI_RULE_NONE;
	if (image && decide_needs_rule(facts)) {
		facts->rule = find_exact(image, facts);
		if (facts->rule == ABI_RULE_NONE)
			facts->rule = find_prefix(image, facts);
	}
	return decide_destination(facts);
}
