#include "supervisor/resolve/vet.h"

#include <stdint.h>
#include <string.h>

#include "bpf/abi/ticket.h"
#include "supervisor/policy/network/special.h"

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};

static uint64_t read_be64(const uint8_t *bytes)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

static bool is_ipv4(const struct abi_address *address)
{
	return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

/* Said apart from the table, whose ranges for them have other names, or may be opened. */
static bool is_synthetic(const struct abi_address *address)
{
	if (is_ipv4(address))
		return ((uint32_t)read_be64(&address->bytes[8]) & ABI_SYNTHETIC4_MASK) ==
		       ABI_SYNTHETIC4_FIRST;
	return read_be64(address->bytes) == ABI_SYNTHETIC6_HIGH;
}

/* The first range of the table that refuses it. The range of all mapped addresses is no reason:
 * it is how IPv4 is written here. */
static const char *refusal_in_table(const struct abi_address *address, bool allow_private)
{
	for (size_t i = 0; i < special_count(); i++) {
		const struct special_range *range = special_at(i);

		if (memcmp(range->prefix.address.bytes, mapped, sizeof(mapped)) == 0 &&
			range->prefix.prefix_bits == 96)
			continue;
		if (range->kind == SPECIAL_PRIVATE && allow_private)
			continue;
		if (special_holds(range, address))
			return range->name;
	}
	return NULL;
}

static const char *refusal_of_nat64(const struct abi_address *address, bool allow_private)
{
	struct abi_address carried;

	memcpy(carried.bytes, mapped, sizeof(mapped));
	memcpy(&carried.bytes[12], &address->bytes[12], 4);
	return allow_private ? vet_refusal(&carried, false) : "NAT64 (RFC 6052)";
}

const char *vet_refusal(const struct abi_address *address, bool allow_private)
{
	const char *refusal;

	if (is_synthetic(address))
		return "addresses that stand for names";
	if (memcmp(address->bytes, nat64, sizeof(nat64)) == 0)
		return refusal_of_nat64(address, allow_private);
	refusal = refusal_in_table(address, allow_private);
	if (refusal || is_ipv4(address))
		return refusal;
	/* What IANA has not given out belongs to nobody whom a name could mean. */
	if ((address->bytes[0] & 0xe0) != 0x20 && (address->bytes[0] & 0xfe) != 0xfc)
		return "not global unicast (RFC 4291)";
	return NULL;
}

bool vet_address(const struct abi_address *address, bool allow_private)
{
	return !vet_refusal(address, allow_private);
}
