/* What a wide rule must not open by accident: IANA's special-purpose registries (RFC 6890), every
 * form of IPv6 that carries an IPv4 address for a translator to unpack, and one cloud's metadata
 * service that lies among public addresses. */
#include "supervisor/policy/prefix.h"

#include <string.h>

#include "supervisor/base/cleanup.h"

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
	{IPV4(0, 0, 0, 0, 8), "this network", true},
	{IPV4(10, 0, 0, 0, 8), "private", false},
	{IPV4(100, 64, 0, 0, 10), "shared by carriers", false},
	{IPV4(127, 0, 0, 0, 8), "loopback", true},
	{IPV4(168, 63, 129, 16, 32), "Azure's platform service", false},
	{IPV4(169, 254, 0, 0, 16), "link-local, cloud metadata", false},
	{IPV4(172, 16, 0, 0, 12), "private", false},
	{IPV4(192, 0, 0, 0, 24), "protocol assignments", false},
	{IPV4(192, 88, 99, 0, 24), "6to4 relays", false},
	{IPV4(192, 168, 0, 0, 16), "private", false},
	{IPV4(198, 18, 0, 0, 15), "benchmarking", false},
	{IPV4(224, 0, 0, 0, 4), "multicast", false},
	{IPV4(240, 0, 0, 0, 4), "reserved, broadcast", false},
	{{128, {{0}}}, "unspecified", true},
	{{128, {{[15] = 1}}}, "loopback", true},
	{{96, {{0}}}, "IPv4-compatible (RFC 4291)", false},
	/* All of IPv4: "::/0" means IPv6, "0.0.0.0/0" is this range itself. */
	{{96, {{[10] = 0xff, [11] = 0xff}}}, "IPv4", false},
	{{96, {{[8] = 0xff, [9] = 0xff}}}, "IPv4-translated (RFC 2765)", false},
	{IPV6(0x0064, 0xff9b, 0, 96), "NAT64 (RFC 6052)", false},
	{IPV6(0x0064, 0xff9b, 1, 48), "local NAT64 (RFC 8215)", false},
	{IPV6(0x0100, 0, 0, 64), "discard-only (RFC 6666)", false},
	{IPV6(0x2001, 0, 0, 32), "Teredo (RFC 4380)", false},
	{IPV6(0x2001, 2, 0, 48), "benchmarking (RFC 5180)", false},
	{IPV6(0x2002, 0, 0, 16), "6to4 (RFC 3056)", false},
	{IPV6(0x5f00, 0, 0, 16), "segment routing (RFC 9602)", false},
	{IPV6(0xfc00, 0, 0, 7), "unique local", false},
	{IPV6(0xfe80, 0, 0, 10), "link-local", false},
	{IPV6(0xfec0, 0, 0, 10), "site-local (RFC 3879)", false},
	{IPV6(0xff00, 0, 0, 8), "multicast", false},
};

size_t special_count(void)
{
	return ARRAY_SIZE(ranges);
}

const struct special_range *special_at(size_t index)
{
	return &ranges[index];
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
		if (ranges[i].never && prefix_contains(&ranges[i].prefix, prefix))
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
