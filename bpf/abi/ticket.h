/* A ticket: a synthetic address that stands for one name, in one sandbox, under one generation of
 * its policy. It opens nothing elsewhere. */
#pragma once

#include "bpf/abi/rule.h"

#define ABI_TICKETS_MAX 262144           /* rows of all sandboxes together, two for each name */
#define ABI_TICKETS_PER_SANDBOX_MAX 1024 /* names of one sandbox */
#define ABI_TICKET_RANGES_MAX 8

/* The name with index i of a sandbox is 198.18.1.0 + i (RFC 2544's range, which no network routes)
 * and fd43:6c6f:6368:6500::1:0 + i (a unique local prefix, RFC 4193). The rest of both ranges is
 * nobody's: a connect there is denied. */
#define ABI_SYNTHETIC4_FIRST 0xc6120000u /* 198.18.0.0/15, host order */
#define ABI_SYNTHETIC4_MASK 0xfffe0000u
#define ABI_SYNTHETIC4_BASE 0xc6120100u
#define ABI_SYNTHETIC6_HIGH 0xfd436c6f63686500ull /* first eight bytes, as a big-endian number */
#define ABI_SYNTHETIC6_BASE 0x10000ull            /* last eight bytes of index 0 */

/* Key of the hash `tickets`. */
struct abi_ticket_key {
	struct abi_address address; /* IPv4 mapped, as everywhere */
	__u32 slot;
	__u32 generation; /* of the slot's policy word: a swap makes every old ticket stale at once
			   */
};

_Static_assert(sizeof(struct abi_ticket_key) == 24, "no holes: hashed as bytes");

struct abi_ticket {
	__u64 sandbox; /* must be the slot's: a slot is used again by others */
	__u32 n_ranges;
	__u32 reserved;
	struct abi_port_range ranges[ABI_TICKET_RANGES_MAX];
};

_Static_assert(sizeof(struct abi_ticket) == 16 + 8 * ABI_TICKET_RANGES_MAX, "layout");
