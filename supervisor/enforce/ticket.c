/* Tickets: names that a sandbox has looked up and may reach, by their synthetic addresses.
 *
 * A ticket's key has the slot and the generation, so that a swap makes all older ones stale in one
 * store. Nothing is looked for when they are to be deleted: per slot a span of generations and a
 * highest index are kept, and what may lie within is deleted, there or not. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "bpf/lib/match.h"
#include "supervisor/enforce/state.h"

static struct abi_address address_4(uint32_t index)
{
	return match_from_ipv4(htonl(ABI_SYNTHETIC4_BASE + index));
}

static struct abi_address address_6(uint32_t index)
{
	uint64_t halves[2] = {ABI_SYNTHETIC6_HIGH, ABI_SYNTHETIC6_BASE + index};
	struct abi_address address;

	for (size_t i = 0; i < sizeof(address.bytes); i++)
		address.bytes[i] = (uint8_t)(halves[i / 8] >> (56 - 8 * (i % 8)));
	return address;
}

static uint32_t index_of(const struct abi_address *address)
{
	size_t first = match_is_ipv4(address) ? 12 : 8;
	uint64_t number = 0;

	for (size_t i = first; i < sizeof(address->bytes); i++)
		number = number << 8 | address->bytes[i];
	return (uint32_t)(number - (first == 12 ? ABI_SYNTHETIC4_BASE : ABI_SYNTHETIC6_BASE));
}

int enforce_ticket_index(const struct abi_address *address, uint32_t *ret_index)
{
	if (!match_is_synthetic(address))
		return -EINVAL;
	*ret_index = index_of(address);
	return 0;
}

static void widen(struct ticket_span *span, uint32_t generation, uint32_t index)
{
	if (!span->generation_first || generation < span->generation_first)
		span->generation_first = generation;
	if (generation > span->generation_last)
		span->generation_last = generation;
	if (index >= span->n_indexes)
		span->n_indexes = index + 1;
}

static void delete_both(struct enforce *enforce, uint32_t slot, uint32_t generation, uint32_t index)
{
	struct abi_ticket_key key = {address_4(index), slot, generation};

	bpf_map_delete_elem(enforce->tickets_fd, &key);
	key.address = address_6(index);
	bpf_map_delete_elem(enforce->tickets_fd, &key);
}

static struct ticket_span *span_of(struct enforce *enforce, uint32_t slot, uint32_t generation)
{
	return generation & ABI_SHADOW_GENERATION ? &enforce->shadow_tickets[slot]
						  : &enforce->tickets[slot];
}

static void delete_span(
	struct enforce *enforce, uint32_t slot, uint32_t generation_first, uint32_t generation_last)
{
	uint32_t n_indexes = span_of(enforce, slot, generation_first)->n_indexes;

	for (uint32_t generation = generation_first; generation <= generation_last; generation++)
		for (uint32_t index = 0; index < n_indexes; index++)
			delete_both(enforce, slot, generation, index);
}

void ticket_drop_until(struct enforce *enforce, uint32_t slot, uint32_t generation)
{
	struct ticket_span *span = &enforce->tickets[slot];

	if (!span->generation_first || generation < span->generation_first)
		return;
	if (generation < span->generation_last) {
		delete_span(enforce, slot, span->generation_first, generation);
		span->generation_first = generation + 1;
	} else {
		delete_span(enforce, slot, span->generation_first, span->generation_last);
		*span = (struct ticket_span){};
	}
}

void ticket_drop_since(struct enforce *enforce, uint32_t slot, uint32_t generation)
{
	struct ticket_span *span = &enforce->tickets[slot];

	if (!span->generation_first || generation > span->generation_last)
		return;
	if (generation > span->generation_first) {
		delete_span(enforce, slot, generation, span->generation_last);
		span->generation_last = generation - 1;
	} else {
		ticket_drop_until(enforce, slot, UINT32_MAX);
	}
}

void ticket_drop_shadows(struct enforce *enforce, uint32_t slot)
{
	struct ticket_span *span = &enforce->shadow_tickets[slot];

	if (span->generation_first)
		delete_span(enforce, slot, span->generation_first, span->generation_last);
	*span = (struct ticket_span){};
}

static bool is_current(const struct enforce *enforce, uint32_t slot, uint32_t generation)
{
	uint32_t now = ABI_SLOT_GENERATION(enforce->rows[slot].policy);

	if (generation & ABI_SHADOW_GENERATION)
		return generation == enforce->shadow_generations[slot];
	return generation && (generation == now || generation == now + 1);
}

/* Only of the policy in force, of the next and of the candidate: others cannot be opened by
 * anybody. */
static bool may_be_put(const struct enforce *enforce, uint32_t slot, uint32_t generation,
	uint32_t index, const struct abi_ticket *ticket)
{
	if (!slot_is_taken(enforce, slot) || index >= ABI_TICKETS_PER_SANDBOX_MAX)
		return false;
	return is_current(enforce, slot, generation) &&
	       ticket->sandbox == enforce->rows[slot].sandbox &&
	       ticket->n_ranges <= ABI_TICKET_RANGES_MAX;
}

int enforce_ticket_put(struct enforce *enforce, uint32_t slot, uint32_t generation, uint32_t index,
	const struct abi_ticket *ticket)
{
	struct abi_ticket_key key = {address_4(index), slot, generation};
	int r;

	if (!may_be_put(enforce, slot, generation, index, ticket))
		return -EINVAL;
	widen(span_of(enforce, slot, generation), generation, index);
	r = bpf_map_update_elem(enforce->tickets_fd, &key, ticket, BPF_ANY);
	if (r == 0) {
		key.address = address_6(index);
		r = bpf_map_update_elem(enforce->tickets_fd, &key, ticket, BPF_ANY);
	}
	/* Half a ticket would stay for good in a name's place. */
	if (r < 0)
		delete_both(enforce, slot, generation, index);
	return r == -E2BIG ? -ENOSPC : r;
}

void enforce_ticket_drop(
	struct enforce *enforce, uint32_t slot, uint32_t generation, uint32_t index)
{
	if (slot_is_taken(enforce, slot) && index < ABI_TICKETS_PER_SANDBOX_MAX)
		delete_both(enforce, slot, generation, index);
}

/* Whether the slot's policy in force has this ticket. */
static bool is_in_force(const struct enforce *enforce, const struct abi_ticket_key *key)
{
	const struct abi_slot *row;
	struct abi_ticket ticket;

	if (key->slot >= ABI_SLOTS_MAX || enforce->slots.use[key->slot] == SLOT_FREE ||
		index_of(&key->address) >= ABI_TICKETS_PER_SANDBOX_MAX)
		return false;
	row = &enforce->rows[key->slot];
	return key->generation == ABI_SLOT_GENERATION(row->policy) &&
	       bpf_map_lookup_elem(enforce->tickets_fd, key, &ticket) == 0 &&
	       ticket.sandbox == row->sandbox;
}

int ticket_table_read(struct enforce *enforce)
{
	_cleanup_free_ struct abi_ticket_key *stale =
		calloc(ABI_TICKETS_MAX, sizeof(struct abi_ticket_key));
	struct abi_ticket_key key, *before = NULL;
	size_t n = 0;

	if (!stale)
		return -ENOMEM;
	while (bpf_map_get_next_key(enforce->tickets_fd, before, &key) == 0) {
		before = &key;
		if (is_in_force(enforce, &key))
			widen(&enforce->tickets[key.slot], key.generation, index_of(&key.address));
		else if (n < ABI_TICKETS_MAX)
			stale[n++] = key;
	}
	/* Gathered first: deleting while walking a hash makes the walk start over. */
	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(enforce->tickets_fd, &stale[i]);
	return 0;
}
