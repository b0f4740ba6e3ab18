/* The tightest policy that covers what was done, generalised by stated rules only:
 *
 * - a name that was connected to, with its ports; one that was only looked up, with port 443;
 * - `private` where the relay dialled a private address for it;
 * - once `wildcard_after` names lie right below one and the same name, and that name is somebody's
 *   own (what the language takes a wildcard for), the wildcard; 0: never;
 * - an address with its ports, never a network;
 * - more ports than a rule holds become the range from the first to the last;
 * - a previewed port as it is.
 *
 * What was denied is not covered. Each rule says how often it was needed, and when. */
#pragma once

#include <jansson.h>

#include "supervisor/policy/tally.h"

/* The document; the caller's to free. NULL when memory is out. */
json_t *learnt_policy(const struct tally *tally, const char *name, uint32_t wildcard_after);
