/* Which answers of a resolver may be dialled: a name must not open what its owner has no right to
 * point at (rebinding). The ranges are those of supervisor/policy/network/special.h.
 *
 * - IPv4, and IPv6 that maps it (they are one and the same here), is refused in every special
 * range; private space (RFC 1918, RFC 6598) passes with `allow_private`.
 * - IPv6 is refused outside global unicast (2000::/3) and in every special range within it; unique
 *   local addresses (RFC 4193) pass with `allow_private`, but for metadata services.
 * - IPv6 that carries IPv4 for a translator or a tunnel (IPv4-compatible, IPv4-translated, 6to4,
 *   Teredo, local NAT64) is refused always: where it ends depends on a box that we do not know.
 *   64:ff9b::/96 (NAT64, RFC 6052) passes with `allow_private` if the IPv4 address in it would pass
 *   without.
 * - The synthetic addresses that stand for names (bpf/abi/ticket.h) are refused always: a name that
 *   points at them would point at the gate itself.
 * - Documentation ranges pass: nothing is there, and tests and examples need some. */
#pragma once

#include <stdbool.h>

#include "bpf/abi/types.h"

bool vet_address(const struct abi_address *address, bool allow_private);

/* The same, as words for the record: NULL if it may be dialled, otherwise the name of the range
 * that it is in ("loopback"). Static text. */
const char *vet_refusal(const struct abi_address *address, bool allow_private);
