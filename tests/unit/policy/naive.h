/* What a policy means, straight from its rules and bit by bit, to compare the compiled form with;
 * and policies and addresses made to collide. Nothing of supervisor/policy's own reckoning is used.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/match.h"
#include "supervisor/policy/policy.h"

struct naive_prefix {
	struct abi_address address;
	unsigned int bits;
};

/* The ranges of policies/README.md, as text. */
static const char *const naive_special[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10",
	"100.100.100.200/32", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4",
	"240.0.0.0/4", "::/128", "::1/128", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48", "2002::/16",
	"5f00::/16", "fc00::/7", "fd00:ec2::254/128", "fd20:ce::254/128",
	"fd43:6c6f:6368:6500::/64", "fe80::/10", "fec0::/10", "ff00::/8"};

#define NAIVE_SPECIAL (sizeof(naive_special) / sizeof(naive_special[0]))

static inline struct abi_address naive_address(const char *text)
{
	struct abi_address address = {{0}};

	if (!strchr(text, ':')) {
		address.bytes[10] = address.bytes[11] = 0xff;
		if (inet_pton(AF_INET, text, &address.bytes[12]) != 1)
			abort();
	} else if (inet_pton(AF_INET6, text, address.bytes) != 1) {
		abort();
	}
	return address;
}

static inline struct naive_prefix naive_prefix(const char *text)
{
	struct naive_prefix prefix;
	char part[64];

	snprintf(part, sizeof(part), "%s", text);
	*strchr(part, '/') = '\0';
	prefix.address = naive_address(part);
	prefix.bits = (strchr(text, ':') ? 0 : 96) + (unsigned int)atoi(strchr(text, '/') + 1);
	return prefix;
}

static inline bool naive_bit(const struct abi_address *address, unsigned int bit)
{
	return address->bytes[bit / 8] & (0x80 >> (bit % 8));
}

static inline bool naive_contains(
	const struct abi_address *network, unsigned int bits, const struct abi_address *address)
{
	for (unsigned int bit = 0; bit < bits; bit++)
		if (naive_bit(network, bit) != naive_bit(address, bit))
			return false;
	return true;
}

/* A special range around `address` that the rule is wider than shuts the rule out there. */
static inline bool naive_opens(const struct policy_rule *rule, const struct abi_address *address)
{
	if (!naive_contains(&rule->address, rule->prefix_bits, address))
		return false;
	for (size_t i = 0; i < NAIVE_SPECIAL; i++) {
		struct naive_prefix special = naive_prefix(naive_special[i]);

		if (naive_contains(&special.address, special.bits, address) &&
			rule->prefix_bits < special.bits)
			return false;
	}
	return true;
}

/* Ports from here on are of UDP. */
#define NAIVE_UDP 65536u

static inline uint8_t naive_protocol(uint32_t port)
{
	return port >= NAIVE_UDP ? IPPROTO_UDP : IPPROTO_TCP;
}

/* The rule that a record names: one for just this address and port, else the first. */
static inline unsigned int naive_rule(
	const struct policy *policy, const struct abi_address *address, uint32_t drawn_port)
{
	uint8_t protocol = naive_protocol(drawn_port);
	uint16_t port = (uint16_t)drawn_port;
	unsigned int first = ABI_RULE_NONE, exact = ABI_RULE_NONE;

	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		for (size_t j = 0; j < rule->n_ports; j++) {
			const struct policy_ports *ports = &rule->ports[j];

			if (rule->protocol != protocol || port < ports->first ||
				port > ports->last || !naive_opens(rule, address))
				continue;
			if (rule->id < first)
				first = rule->id;
			if (rule->prefix_bits == 128 && ports->first == ports->last &&
				rule->id < exact)
				exact = rule->id;
		}
	}
	return exact != ABI_RULE_NONE ? exact : first;
}

/* As the kernel does it: the hash, then the longest prefix. */
static inline unsigned int image_rule(
	const struct policy_image *image, const struct abi_address *address, uint32_t drawn_port)
{
	uint8_t protocol = naive_protocol(drawn_port);
	uint16_t port = (uint16_t)drawn_port;
	const struct abi_cidr_value *value = NULL;
	unsigned int longest = 0;

	for (size_t i = 0; i < image->n_exact; i++)
		if (memcmp(&image->exact_keys[i].address, address, sizeof(*address)) == 0 &&
			image->exact_keys[i].port == port &&
			image->exact_keys[i].protocol == protocol)
			return image->exact_rules[i];
	for (size_t i = 0; i < image->n_cidr; i++) {
		const struct abi_cidr_key *key = &image->cidr_keys[i];

		if (key->prefix_bits >= longest &&
			memcmp(key->address.bytes, address->bytes, key->prefix_bits / 8) == 0 &&
			naive_contains(&key->address, key->prefix_bits, address)) {
			value = &image->cidr_values[i];
			longest = key->prefix_bits;
		}
	}
	for (unsigned int i = 0; value && i < value->n_ranges; i++)
		if (port >= value->ranges[i].first && port <= value->ranges[i].last &&
			value->ranges[i].protocol == protocol)
			return value->ranges[i].rule;
	return ABI_RULE_NONE;
}

/* xorshift64*: the same sequence in every run. */
static inline uint32_t draw(uint64_t *state, uint32_t n)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

static const char *const drawn_bases[] = {"0.0.0.0", "10.0.0.0", "10.1.2.3", "100.64.0.1",
	"126.255.255.255", "128.0.0.0", "168.63.129.16", "169.254.169.254", "172.16.0.0",
	"192.168.255.255", "198.18.0.1", "203.0.113.9", "203.0.113.77", "224.0.0.1",
	"255.255.255.255", "::", "::2", "::10.0.0.1", "::fffe:0:0", "::ffff:0:10.0.0.1",
	"64:ff9b::10.0.0.1", "64:ff9b:1::1", "2001::1", "2001:db8::1", "2002:a00::1", "fc00::1",
	"fdff::1", "fe80::1", "fec0::1", "ff02::1", "2a00::1"};

#define DRAWN_BASES (sizeof(drawn_bases) / sizeof(drawn_bases[0]))

static inline struct abi_address draw_base(uint64_t *state)
{
	return naive_address(drawn_bases[draw(state, DRAWN_BASES)]);
}

static inline struct policy_rule draw_rule(uint64_t *state, unsigned int id)
{
	static const uint16_t edges[] = {1, 79, 80, 81, 443, 444, 8000, 65534};
	struct policy_rule rule = {
		.protocol = draw(state, 12) ? IPPROTO_TCP : IPPROTO_UDP, .id = (uint16_t)id};

	do {
		rule.address = draw_base(state);
		rule.prefix_bits = (uint8_t)draw(state, 129);
		if (draw(state, 4) == 0)
			rule.prefix_bits = draw(state, 2) ? 128 : 96;
		if (draw(state, 3) == 0)
			rule.prefix_bits = (uint8_t)(100 + draw(state, 29));
		for (unsigned int bit = rule.prefix_bits; bit < 128; bit++)
			rule.address.bytes[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
	} while (rule.prefix_bits == 128 && !rule.address.bytes[10] && !rule.address.bytes[15]);
	rule.n_ports = (uint8_t)(1 + draw(state, 3));
	for (size_t i = 0; i < rule.n_ports; i++) {
		uint16_t first = edges[i * 3 + draw(state, i < 2 ? 3 : 2)];
		uint16_t width = draw(state, 2) ? 0 : (uint16_t)draw(state, i == 2 ? 1 : 2);

		/* Ranges of one rule stay apart and in order, as policy_parse() leaves them. */
		rule.ports[i] = (struct policy_ports){first, (uint16_t)(first + width)};
		if (i > 0 && rule.ports[i - 1].last >= first)
			rule.ports[i - 1].last = rule.ports[i - 1].first;
	}
	if (draw(state, 4) == 0) {
		rule.n_ports = 1;
		rule.ports[0] = (struct policy_ports){0, 65535};
	}
	memset(&rule.ports[rule.n_ports], 0, sizeof(rule.ports[0]) * (16 - rule.n_ports));
	return rule;
}

static inline struct policy draw_policy(uint64_t *state, struct policy_rule *rules, size_t n_max)
{
	struct policy policy = {.name = "drawn",
		.rules = rules,
		.n_references = 1,
		.n_rules = draw(state, (uint32_t)n_max + 1)};

	for (size_t i = 0; i < policy.n_rules; i++)
		rules[i] = draw_rule(state, (unsigned int)i);
	return policy;
}

/* In the middle of a rule, at an edge of a rule or of a special range, right beside it, anywhere.
 */
static inline struct abi_address draw_address(uint64_t *state, const struct policy *policy)
{
	struct naive_prefix near = {draw_base(state), draw(state, 129)};
	bool ones = draw(state, 2), beside = draw(state, 4) == 0;

	if (policy->n_rules > 0 && draw(state, 2)) {
		const struct policy_rule *rule =
			&policy->rules[draw(state, (uint32_t)policy->n_rules)];

		near = (struct naive_prefix){rule->address, rule->prefix_bits};
	} else if (draw(state, 2)) {
		near = naive_prefix(naive_special[draw(state, NAIVE_SPECIAL)]);
	}
	for (unsigned int bit = near.bits; ones && bit < 128; bit++)
		near.address.bytes[bit / 8] |= (uint8_t)(0x80 >> (bit % 8));
	for (int i = 15; beside && i >= 0; i--) {
		near.address.bytes[i] = (uint8_t)(near.address.bytes[i] + (ones ? 1 : -1));
		beside = near.address.bytes[i] == (ones ? 0 : 0xff);
	}
	return near.address;
}

static inline uint32_t draw_port(uint64_t *state)
{
	static const uint16_t ports[] = {
		1, 2, 78, 79, 80, 81, 82, 443, 444, 445, 8000, 8001, 22, 65534, 65535};

	return ports[draw(state, sizeof(ports) / sizeof(ports[0]))] +
	       (draw(state, 12) ? 0 : NAIVE_UDP);
}

static inline const char *naive_text(const struct abi_address *address, char *text)
{
	if (match_is_ipv4(address))
		inet_ntop(AF_INET, &address->bytes[12], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address->bytes, text, INET6_ADDRSTRLEN);
	return text;
}
