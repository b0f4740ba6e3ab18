/* Whom the gate asks for the real addresses of names. */
#pragma once

#include <stddef.h>

#include "supervisor/wire/gate.h"

/* `option` "ADDR" or "ADDR:PORT" ("[ADDR]:PORT" for IPv6), or NULL: the nameservers of
 * /etc/resolv.conf. Returns how many were found; 0: none, or not understood. */
size_t resolvers_find(
	const char *option, struct wire_gate_resolver ret_resolvers[WIRE_GATE_RESOLVERS_MAX]);
