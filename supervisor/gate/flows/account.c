/* Each listener has a short list of what its sandbox's names moved; once a second all lists are
 * moved to one, of the gate, which is told and emptied. What a listener has when it closes goes
 * there too. */
#include "supervisor/gate/flows/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/gate/named.h"

/* Names of one sandbox between two tellings; what exceeds them is told without a name. */
#define NAMES_MAX 32

struct account {
	TAILQ_ENTRY(account) next;
	struct wire_gate_used used;
};

static void name_of(const struct flow *flow, char ret_name[WIRE_GATE_NAME_SIZE])
{
	char address[ADDRESS_TEXT_SIZE];

	if (flow->named) {
		snprintf(ret_name, WIRE_GATE_NAME_SIZE, "%s", flow->named->name);
		return;
	}
	address_to_text(flow->target.address.bytes, address);
	snprintf(ret_name, WIRE_GATE_NAME_SIZE, "%s", address);
}

static struct account *find_or_add(struct listener *listener, const char *name)
{
	struct account *each;
	size_t n = 0;

	TAILQ_FOREACH(each, &listener->accounts, next)
	{
		if (strcmp(each->used.name, name) == 0)
			return each;
		n++;
	}
	if (n >= NAMES_MAX && name[0])
		return find_or_add(listener, "");
	each = calloc(1, sizeof(*each));
	if (!each)
		return NULL;
	each->used.sandbox = listener->sandbox;
	snprintf(each->used.name, sizeof(each->used.name), "%s", name);
	TAILQ_INSERT_TAIL(&listener->accounts, each, next);
	return each;
}

void account_settle(struct flow *flow)
{
	uint64_t sent = flow->directions[INNER].bytes - flow->told.bytes_sent;
	uint64_t received = flow->directions[OUTER].bytes - flow->told.bytes_received;
	uint64_t connections = flow->is_connected && flow->told.connections == 0;
	char name[WIRE_GATE_NAME_SIZE];
	struct account *account;

	if (!sent && !received && !connections)
		return;
	name_of(flow, name);
	account = find_or_add(flow->listener, name);
	if (!account)
		return;
	account->used.bytes_sent += sent;
	account->used.bytes_received += received;
	account->used.connections += connections;
	flow->told.bytes_sent += sent;
	flow->told.bytes_received += received;
	flow->told.connections += connections;
}

void account_leave(struct listener *listener)
{
	TAILQ_CONCAT(&listener->gate->untold, &listener->accounts, next);
}

/* Sends up to a message's worth, which goes once it was taken. */
static int tell_some(struct gate *gate)
{
	struct wire_gate_used rows[WIRE_GATE_USED_MAX] = {0};
	struct account *account;
	size_t n = 0;

	TAILQ_FOREACH(account, &gate->untold, next)
	{
		if (n == WIRE_GATE_USED_MAX)
			break;
		rows[n++] = account->used;
	}
	if (gate->config.report_used(gate->config.report_userdata, rows, n) < 0)
		return -1;
	while (n-- > 0) {
		account = TAILQ_FIRST(&gate->untold);
		TAILQ_REMOVE(&gate->untold, account, next);
		free(account);
	}
	return 0;
}

static void collect(struct gate *gate)
{
	struct listener *listener;
	size_t position = 0;

	while ((listener = table_next(gate->listeners, &position))) {
		struct flow *flow;

		TAILQ_FOREACH(flow, &listener->flows, in_listener)
		account_settle(flow);
		account_leave(listener);
	}
}

/* As long as something waits, nothing is collected: so what waits is bounded by what listeners
 * hold.
 */
void account_tell(struct gate *gate)
{
	if (!gate->config.report_used)
		return;
	if (TAILQ_EMPTY(&gate->untold))
		collect(gate);
	while (!TAILQ_EMPTY(&gate->untold))
		if (tell_some(gate) < 0)
			return;
}

void account_fini(struct gate *gate)
{
	struct account *account;

	while ((account = TAILQ_FIRST(&gate->untold))) {
		TAILQ_REMOVE(&gate->untold, account, next);
		free(account);
	}
}
