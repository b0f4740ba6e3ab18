/* The names that one sandbox may use now: which synthetic address stands for which, and what for.
 * Filled by cloched's TICKETs alone; a name that is not here is asked about, never guessed. */
#pragma once

#include <stdbool.h>

#include "bpf/abi/ticket.h"
#include "supervisor/wire/gate.h"

struct tickets;

/* Returns 0 or -ENOMEM. */
int tickets_new(struct tickets **ret_tickets);
/* Takes NULL, returns NULL. */
struct tickets *tickets_free(struct tickets *tickets);

/* Whether cloched could have meant this: texts end, counts and index are within their limits. */
bool ticket_is_sound(const struct wire_gate_ticket *ticket);

/* Takes in a sound ticket. `error` 0: its name has this index from now on, whoever had either
 * before. Otherwise the name is forgotten. Returns 0, or -ENOMEM: the name is then forgotten too.
 */
int tickets_put(struct tickets *tickets, const struct wire_gate_ticket *ticket);

/* NULL when there is none. Valid until the next tickets_put(). */
const struct wire_gate_ticket *tickets_by_name(const struct tickets *tickets, const char *name);
const struct wire_gate_ticket *tickets_by_address(
	const struct tickets *tickets, const struct abi_address *address);

/* Whether `address` is in a range that stands for names, with a ticket or not. */
bool ticket_address_is(const struct abi_address *address);
/* The synthetic address of the name with this index: IPv4 (mapped) or IPv6. */
struct abi_address ticket_address4(uint32_t index);
struct abi_address ticket_address6(uint32_t index);

/* What the ticket says about `port`; NULL: not allowed. */
const struct wire_gate_range *ticket_range(const struct wire_gate_ticket *ticket, uint16_t port);
