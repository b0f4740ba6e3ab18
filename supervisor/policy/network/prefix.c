#include "supervisor/policy/network/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IPV4_BITS 96 /* length of ::ffff:0:0/96, which IPv4 lies in */

static const struct abi_address ipv4 = {.bytes = {[10] = 0xff, [11] = 0xff}};

static bool same_bits(const struct abi_address *a, const struct abi_address *b, uint32_t bits)
{
	uint32_t whole = bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> (bits % 8));

	if (memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return bits % 8 == 0 || ((a->bytes[whole] ^ b->bytes[whole]) & mask) == 0;
}

bool prefix_contains(const struct abi_cidr_key *outer, const struct abi_cidr_key *inner)
{
	return outer->prefix_bits <= inner->prefix_bits &&
	       same_bits(&outer->address, &inner->address, outer->prefix_bits);
}

int prefix_compare(const struct abi_cidr_key *a, const struct abi_cidr_key *b)
{
	int order = memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));

	return order ? order : (int)a->prefix_bits - (int)b->prefix_bits;
}

struct abi_cidr_key prefix_of_rule(const struct policy_rule *rule)
{
	return (struct abi_cidr_key){rule->prefix_bits, rule->address};
}

struct abi_cidr_key prefix_network(const struct abi_cidr_key *prefix)
{
	struct abi_cidr_key network = {.prefix_bits = prefix->prefix_bits};
	uint32_t whole = prefix->prefix_bits / 8;

	memcpy(network.address.bytes, prefix->address.bytes, whole);
	if (prefix->prefix_bits % 8)
		network.address.bytes[whole] = (uint8_t)(prefix->address.bytes[whole] &
							 (0xff00 >> (prefix->prefix_bits % 8)));
	return network;
}

static int parse_bits(const char *text, uint32_t max, uint32_t *ret_bits)
{
	unsigned long bits;
	char *end;

	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	bits = strtoul(text, &end, 10);
	if (*end != '\0' || bits > max)
		return -EINVAL;
	*ret_bits = (uint32_t)bits;
	return 0;
}

int prefix_parse(const char *text, struct abi_cidr_key *ret_prefix)
{
	struct abi_cidr_key prefix = {.address = ipv4};
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	uint32_t first_bit = IPV4_BITS, bits;

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &prefix.address.bytes[12]) != 1) {
		if (inet_pton(AF_INET6, address, prefix.address.bytes) != 1)
			return -EINVAL;
		first_bit = 0;
	}
	bits = 128 - first_bit;
	if (slash && parse_bits(slash + 1, bits, &bits) < 0)
		return -EINVAL;
	prefix.prefix_bits = first_bit + bits;
	*ret_prefix = prefix;
	return 0;
}

const char *prefix_format(const struct abi_cidr_key *prefix, char ret_text[POLICY_PREFIX_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN];
	bool is_ipv4 =
		prefix->prefix_bits >= IPV4_BITS && same_bits(&prefix->address, &ipv4, IPV4_BITS);

	if (is_ipv4)
		inet_ntop(AF_INET, &prefix->address.bytes[12], address, sizeof(address));
	else
		inet_ntop(AF_INET6, prefix->address.bytes, address, sizeof(address));
	snprintf(ret_text, POLICY_PREFIX_TEXT_SIZE, "%s/%u", address,
		prefix->prefix_bits - (is_ipv4 ? IPV4_BITS : 0));
	return ret_text;
}
