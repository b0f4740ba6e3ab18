/* What a wide rule must not open by accident: IANA's special-purpose registries (RFC 6890), every
 * form of IPv6 that carries an IPv4 address for a translator to unpack, and the metadata services
 * of clouds that lie among other addresses. */
#include "supervisor/policy/network/special.h"

#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/network/prefix.h"

#define IPV4(a, b, c, d, bits)                                                                     \
	{                                                                                          \
		96 + (bits),                                                                       \
		{                                                                                  \
			{                                                                          \
				0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d               \
			}                                                                          \
		}                                                                                  \
	}
#define IPV6(a, b, c, bits)                                                                        \
	{                                                                                          \
		bits,                                                                              \
		{                                                                                  \
			{                                                                          \
				(a) >> 8, (a)&0xff, (b) >> 8, (b)&0xff, (c) >> 8, (c)&0xff         \
			}                                                                          \
		}                                                                                  \
	}

static const struct special_range ranges[] = {
	/* Linux connects 0.0.0.0 and :: to loopback. */
	{IPV4(0, 0, 0, 0, 8), "this network", SPECIAL_NEVER},
	{IPV4(10, 0, 0, 0, 8), "private", SPECIAL_PRIVATE},
	{IPV4(100, 64, 0, 0, 10), "shared by carriers", SPECIAL_PRIVATE},
	{IPV4(100, 100, 100, 200, 32), "Alibaba's metadata service", SPECIAL_EXACT},
	{IPV4(127, 0, 0, 0, 8), "loopback", SPECIAL_NEVER},
	{IPV4(168, 63, 129, 16, 32), "Azure's platform service", SPECIAL_EXACT},
	{IPV4(169, 254, 0, 0, 16), "link-local, cloud metadata", SPECIAL_EXACT},
	{IPV4(172, 16, 0, 0, 12), "private", SPECIAL_PRIVATE},
	{IPV4(192, 0, 0, 0, 24), "protocol assignments", SPECIAL_EXACT},
	{IPV4(192, 88, 99, 0, 24), "6to4 relays", SPECIAL_EXACT},
	{IPV4(192, 168, 0, 0, 16), "private", SPECIAL_PRIVATE},
	/* Benchmarking, says RFC 2544: bpf/abi/ticket.h takes it, and a part of unique local. */
	{IPV4(198, 18, 0, 0, 15), "tickets for names", SPECIAL_NEVER},
	{IPV4(224, 0, 0, 0, 4), "multicast", SPECIAL_EXACT},
	{IPV4(240, 0, 0, 0, 4), "reserved, broadcast", SPECIAL_EXACT},
	{{128, {{0}}}, "unspecified", SPECIAL_NEVER},
	{{128, {{[15] = 1}}}, "loopback", SPECIAL_NEVER},
	{{96, {{0}}}, "IPv4-compatible (RFC 4291)", SPECIAL_EXACT},
	/* All of IPv4: "::/0" means IPv6, "0.0.0.0/0" is this range itself. */
	{{96, {{[10] = 0xff, [11] = 0xff}}}, "IPv4", SPECIAL_EXACT},
	{{96, {{[8] = 0xff, [9] = 0xff}}}, "IPv4-translated (RFC 2765)", SPECIAL_EXACT},
	{IPV6(0x0064, 0xff9b, 0, 96), "NAT64 (RFC 6052)", SPECIAL_EXACT},
	{IPV6(0x0064, 0xff9b, 1, 48), "local NAT64 (RFC 8215)", SPECIAL_EXACT},
	{IPV6(0x0100, 0, 0, 64), "discard-only (RFC 6666)", SPECIAL_EXACT},
	{IPV6(0x2001, 0, 0, 32), "Teredo (RFC 4380)", SPECIAL_EXACT},
	{IPV6(0x2001, 2, 0, 48), "benchmarking (RFC 5180)", SPECIAL_EXACT},
	{IPV6(0x2002, 0, 0, 16), "6to4 (RFC 3056)", SPECIAL_EXACT},
	{IPV6(0x5f00, 0, 0, 16), "segment routing (RFC 9602)", SPECIAL_EXACT},
	{IPV6(0xfc00, 0, 0, 7), "unique local", SPECIAL_PRIVATE},
	{{64, {{0xfd, 0x43, 0x6c, 0x6f, 0x63, 0x68, 0x65, 0}}}, "tickets for names", SPECIAL_NEVER},
	{{128, {{0xfd, 0, 0x0e, 0xc2, [14] = 2, [15] = 0x54}}}, "Amazon's metadata service",
		SPECIAL_EXACT},
	{{128, {{0xfd, 0x20, 0, 0xce, [14] = 2, [15] = 0x54}}}, "Google's metadata service",
		SPECIAL_EXACT},
	{IPV6(0xfe80, 0, 0, 10), "link-local", SPECIAL_EXACT},
	{IPV6(0xfec0, 0, 0, 10), "site-local (RFC 3879)", SPECIAL_EXACT},
	{IPV6(0xff00, 0, 0, 8), "multicast", SPECIAL_EXACT},
};

size_t special_count(void)
{
	return ARRAY_SIZE(ranges);
}

const struct special_range *special_at(size_t index)
{
	return &ranges[index];
}

bool special_holds(const struct special_range *range, const struct abi_address *address)
{
	struct abi_cidr_key whole = {128, *address};

	return prefix_contains(&range->prefix, &whole);
}

bool special_is_private(const struct abi_address *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (ranges[i].kind == SPECIAL_PRIVATE && special_holds(&ranges[i], address))
			return true;
	return false;
}

bool special_is(const struct abi_cidr_key *prefix)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (prefix_compare(&ranges[i].prefix, prefix) == 0)
			return true;
	return false;
}

const struct special_range *special_never(const struct abi_cidr_key *prefix)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (ranges[i].kind == SPECIAL_NEVER && prefix_contains(&ranges[i].prefix, prefix))
			return &ranges[i];
	return NULL;
}

bool special_hides(const struct abi_cidr_key *rule, const struct abi_cidr_key *part)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (prefix_contains(&ranges[i].prefix, part) &&
			!prefix_contains(&ranges[i].prefix, rule))
			return true;
	return false;
}
