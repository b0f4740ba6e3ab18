#include "supervisor/names/tickets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 128
#define INDEX_ROWS_MIN 16

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct row {
	struct wire_gate_ticket ticket;
	struct row *next;
};

struct tickets {
	struct row *by_name[BUCKETS];
	struct row **by_index;
	uint32_t n_index; /* rows of it; most sandboxes use few names */
};

int tickets_new(struct tickets **ret_tickets)
{
	struct tickets *tickets = calloc(1, sizeof(*tickets));

	if (!tickets)
		return -ENOMEM;
	*ret_tickets = tickets;
	return 0;
}

struct tickets *tickets_free(struct tickets *tickets)
{
	if (!tickets)
		return NULL;
	for (uint32_t i = 0; i < tickets->n_index; i++)
		free(tickets->by_index[i]);
	free(tickets->by_index);
	free(tickets);
	return NULL;
}

/* FNV-1a. A sandbox that makes all its names collide slows down its own lookups, over no more rows
 * than it may have names. */
static size_t bucket_of(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash % BUCKETS;
}

static struct row *find(const struct tickets *tickets, const char *name)
{
	struct row *row = tickets->by_name[bucket_of(name)];

	while (row && strcmp(row->ticket.name, name) != 0)
		row = row->next;
	return row;
}

static void forget(struct tickets *tickets, struct row *row)
{
	struct row **link;

	if (!row)
		return;
	link = &tickets->by_name[bucket_of(row->ticket.name)];
	while (*link != row)
		link = &(*link)->next;
	*link = row->next;
	tickets->by_index[row->ticket.index] = NULL;
	free(row);
}

bool ticket_is_sound(const struct wire_gate_ticket *ticket)
{
	if (!memchr(ticket->name, '\0', sizeof(ticket->name)) || !ticket->name[0] ||
		!memchr(ticket->policy_name, '\0', sizeof(ticket->policy_name)))
		return false;
	if (ticket->error != 0)
		return ticket->error < 0;
	return ticket->index < ABI_TICKETS_PER_SANDBOX_MAX &&
	       ticket->n_ranges <= ABI_TICKET_RANGES_MAX;
}

static int make_room(struct tickets *tickets, uint32_t index)
{
	uint32_t n_index = tickets->n_index ? tickets->n_index : INDEX_ROWS_MIN;
	struct row **larger;

	if (index < tickets->n_index)
		return 0;
	while (n_index <= index)
		n_index *= 2;
	larger = realloc(tickets->by_index, n_index * sizeof(struct row *));
	if (!larger)
		return -ENOMEM;
	for (uint32_t i = tickets->n_index; i < n_index; i++)
		larger[i] = NULL;
	tickets->by_index = larger;
	tickets->n_index = n_index;
	return 0;
}

int tickets_put(struct tickets *tickets, const struct wire_gate_ticket *ticket)
{
	struct row *row;
	size_t bucket;

	forget(tickets, find(tickets, ticket->name));
	if (ticket->error != 0)
		return 0;
	if (make_room(tickets, ticket->index) < 0)
		return -ENOMEM;
	forget(tickets, tickets->by_index[ticket->index]);
	row = malloc(sizeof(*row));
	if (!row)
		return -ENOMEM;
	bucket = bucket_of(ticket->name);
	row->ticket = *ticket;
	row->next = tickets->by_name[bucket];
	tickets->by_name[bucket] = row;
	tickets->by_index[ticket->index] = row;
	return 0;
}

const struct wire_gate_ticket *tickets_by_name(const struct tickets *tickets, const char *name)
{
	struct row *row = find(tickets, name);

	return row ? &row->ticket : NULL;
}

static uint64_t big_endian(const uint8_t *bytes, size_t n_bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n_bytes; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void put_big_endian(uint64_t value, uint8_t *ret_bytes, size_t n_bytes)
{
	for (size_t i = n_bytes; i > 0; i--, value >>= 8)
		ret_bytes[i - 1] = (uint8_t)value;
}

static bool is_mapped(const struct abi_address *address)
{
	return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

bool ticket_address_is(const struct abi_address *address)
{
	if (is_mapped(address))
		return (big_endian(address->bytes + 12, 4) & ABI_SYNTHETIC4_MASK) ==
		       ABI_SYNTHETIC4_FIRST;
	return big_endian(address->bytes, 8) == ABI_SYNTHETIC6_HIGH;
}

const struct wire_gate_ticket *tickets_by_address(
	const struct tickets *tickets, const struct abi_address *address)
{
	uint64_t index;
	struct row *row;

	if (!ticket_address_is(address))
		return NULL;
	/* Below the base, the difference wraps to more than any index. */
	if (is_mapped(address))
		index = big_endian(address->bytes + 12, 4) - ABI_SYNTHETIC4_BASE;
	else
		index = big_endian(address->bytes + 8, 8) - ABI_SYNTHETIC6_BASE;
	row = index < tickets->n_index ? tickets->by_index[index] : NULL;
	return row ? &row->ticket : NULL;
}

struct abi_address ticket_address4(uint32_t index)
{
	struct abi_address address;

	memcpy(address.bytes, mapped_prefix, sizeof(mapped_prefix));
	put_big_endian(ABI_SYNTHETIC4_BASE + index, address.bytes + 12, 4);
	return address;
}

struct abi_address ticket_address6(uint32_t index)
{
	struct abi_address address;

	put_big_endian(ABI_SYNTHETIC6_HIGH, address.bytes, 8);
	put_big_endian(ABI_SYNTHETIC6_BASE + index, address.bytes + 8, 8);
	return address;
}

const struct wire_gate_range *ticket_range(const struct wire_gate_ticket *ticket, uint16_t port)
{
	for (uint32_t i = 0; i < ticket->n_ranges; i++)
		if (port >= ticket->ranges[i].first && port <= ticket->ranges[i].last)
			return &ticket->ranges[i];
	return NULL;
}
