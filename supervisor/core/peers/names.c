/* Tickets of a sandbox. A name that a program asked for, and that the policy allows, gets an index,
 * and with it one synthetic address of each family for as long as the sandbox lives; what may be
 * reached under it is written anew for each generation of the policy. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/policy/network/name.h"
#include "supervisor/wire/gate.h"

struct names {
	uint32_t n;
	char (*names)[WIRE_GATE_NAME_SIZE]; /* by index */
};

const char *names_of_address(const struct sandbox *sandbox, const struct abi_address *address)
{
	const struct names *names = sandbox->names;
	uint32_t index;

	if (!names || enforce_ticket_index(address, &index) < 0)
		return NULL;
	return index < names->n ? names->names[index] : NULL;
}

struct names *names_free(struct names *names)
{
	if (!names)
		return NULL;
	free(names->names);
	free(names);
	return NULL;
}

/* cloched does not read DNS: a name is letters, digits, '-', '_' and single dots, or it is refused.
 */
static bool is_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < POLICY_HOST_SIZE && name[0] != '.' &&
	       name[length - 1] != '.' && !strstr(name, "..") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == length;
}

static uint32_t flags_of(const struct policy_name_range *range)
{
	uint32_t flags = range->is_private ? WIRE_GATE_RANGE_PRIVATE : 0;

	switch (range->tls) {
	case POLICY_TLS_EITHER:
		return flags;
	case POLICY_TLS_REQUIRE:
		return flags | WIRE_GATE_RANGE_TLS;
	case POLICY_TLS_PASSTHROUGH:
		return flags | WIRE_GATE_RANGE_PASSTHROUGH;
	}
	return flags;
}

_Static_assert((int)POLICY_RECORD_MX == (int)WIRE_GATE_RECORD_MX &&
		       (int)POLICY_RECORD_SRV == (int)WIRE_GATE_RECORD_SRV &&
		       (int)POLICY_RECORD_TXT == (int)WIRE_GATE_RECORD_TXT,
	"records are the same bits on the wire");

/* What the effective policy says now, in the gate's form. */
static void fill_ticket(const struct sandbox *sandbox, const char *name, uint32_t index,
	struct wire_gate_ticket *ret_ticket)
{
	const struct policy *policy = sandbox->effective->policy;
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX];
	size_t n = policy_name_ranges(policy, name, ranges, ABI_TICKET_RANGES_MAX);

	*ret_ticket = (struct wire_gate_ticket){.sandbox = sandbox->id,
		.policy = ABI_SLOT_POLICY(sandbox->generation, sandbox->effective->image),
		.index = index,
		.error = n ? 0 : -EACCES,
		.n_ranges = (uint32_t)n,
		.records = policy_name_records(policy, name)};
	for (size_t i = 0; i < n; i++)
		ret_ticket->ranges[i] = (struct wire_gate_range){.first = ranges[i].first,
			.last = ranges[i].last,
			.rule = ranges[i].rule,
			.flags = (uint16_t)flags_of(&ranges[i])};
	snprintf(ret_ticket->name, sizeof(ret_ticket->name), "%s", name);
	snprintf(ret_ticket->policy_name, sizeof(ret_ticket->policy_name), "%s", policy->name);
}

/* The same in the kernel's form, for the generation that `policy` has or will have. Returns 1 when
 * the name is not allowed: nothing is written then. */
static int write_ticket(const struct sandbox *sandbox, const struct policy *policy,
	uint32_t generation, const char *name, uint32_t index)
{
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX];
	size_t n = policy_name_ranges(policy, name, ranges, ABI_TICKET_RANGES_MAX);
	struct abi_ticket ticket = {.sandbox = sandbox->id, .n_ranges = (uint32_t)n};

	if (n == 0)
		return 1;
	for (size_t i = 0; i < n; i++)
		ticket.ranges[i] = (struct abi_port_range){.first = ranges[i].first,
			.last = ranges[i].last,
			.rule = ranges[i].rule,
			.protocol = IPPROTO_TCP};
	return enforce_ticket_put(
		sandbox->core->enforce, sandbox->slot, generation, index, &ticket);
}

static int find(const struct names *names, const char *name)
{
	for (uint32_t i = 0; names && i < names->n; i++)
		if (strcmp(names->names[i], name) == 0)
			return (int)i;
	return -ENOENT;
}

/* Adds the name to the table in memory alone. Returns its index, -ENOSPC or -ENOMEM. */
static int append(struct sandbox *sandbox, const char *name)
{
	struct names *names = sandbox->names;
	void *larger;

	if (!names) {
		names = calloc(1, sizeof(*names));
		if (!names)
			return -ENOMEM;
		sandbox->names = names;
	}
	if (names->n >= ABI_TICKETS_PER_SANDBOX_MAX)
		return -ENOSPC;
	larger = realloc(names->names, (names->n + 1) * sizeof(*names->names));
	if (!larger)
		return -ENOMEM;
	names->names = larger;
	snprintf(names->names[names->n], sizeof(names->names[0]), "%s", name);
	return (int)names->n++;
}

/* Also in the store: after a restart an address must not stand for another name than before. */
static int add(struct sandbox *sandbox, const char *name)
{
	int index = append(sandbox, name), r;

	if (index < 0)
		return index;
	r = store_name_insert(sandbox->core->store, sandbox->id, (uint32_t)index, name);
	if (r < 0)
		sandbox->names->n--;
	return r < 0 ? r : index;
}

static int restore(uint32_t place, const char *name, void *userdata)
{
	int index = append(userdata, name);

	return index < 0 ? index : (uint32_t)index == place ? 0 : -EBADMSG;
}

int names_restore(struct sandbox *sandbox)
{
	return store_name_each(sandbox->core->store, sandbox->id, restore, sandbox);
}

static int take_index(struct sandbox *sandbox, const char *name)
{
	int index = find(sandbox->names, name), r;

	if (index < 0)
		index = add(sandbox, name);
	if (index < 0)
		return index;
	r = write_ticket(
		sandbox, sandbox->effective->policy, sandbox->generation, name, (uint32_t)index);
	/* Without room for the candidate's ticket, it would deny; nothing else depends on it. */
	if (r >= 0 && sandbox->shadow)
		write_ticket(sandbox, sandbox->shadow->policy, sandbox->shadow_generation, name,
			(uint32_t)index);
	return r < 0 ? r : index;
}

void names_ask(struct sandbox *sandbox, uint64_t cookie, const char *name)
{
	struct wire_gate_ticket ticket;
	int index;

	fill_ticket(sandbox, name, 0, &ticket);
	if (!is_name(name)) {
		ticket.error = -EACCES;
		ticket.records = 0;
	}
	if (ticket.error == 0) {
		index = take_index(sandbox, name);
		ticket.index = index < 0 ? 0 : (uint32_t)index;
		ticket.error = index < 0 ? index : 0;
	}
	egress_send(sandbox->core, WIRE_GATE_TICKET, cookie, &ticket, sizeof(ticket), NULL, 0);
}

int names_prepare(struct sandbox *sandbox, const struct policy *policy, uint32_t generation)
{
	const struct names *names = sandbox->names;
	int r = 0;

	for (uint32_t i = 0; names && i < names->n && r >= 0; i++)
		r = write_ticket(sandbox, policy, generation, names->names[i], i);
	for (uint32_t i = 0; names && i < names->n && r < 0; i++)
		enforce_ticket_drop(sandbox->core->enforce, sandbox->slot, generation, i);
	return r < 0 ? r : 0;
}

void names_send_all(struct sandbox *sandbox)
{
	const struct names *names = sandbox->names;

	for (uint32_t i = 0; names && i < names->n; i++) {
		struct wire_gate_ticket ticket;

		fill_ticket(sandbox, names->names[i], i, &ticket);
		egress_send(sandbox->core, WIRE_GATE_TICKET, 0, &ticket, sizeof(ticket), NULL, 0);
	}
}
