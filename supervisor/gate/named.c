#include "supervisor/gate/named.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/gate/destination.h"
#include "supervisor/gate/flows/flow.h"
#include "supervisor/gate/flows/phase.h"
#include "supervisor/inspect/reply.h"
#include "supervisor/resolve/vet.h"

static bool is_inspected(const struct named *named)
{
	return !(named->flags & WIRE_GATE_RANGE_PASSTHROUGH);
}

/* ---- refusals */

static enum wire_gate_end end_of(enum inspect_reason reason)
{
	switch (reason) {
	case INSPECT_OTHER_NAME:
	case INSPECT_NO_NAME:
	case INSPECT_BAD_NAME:
	case INSPECT_OTHER_PORT:
	case INSPECT_TWO_NAMES:
		return WIRE_GATE_END_NAME;
	case INSPECT_FINE:
	case INSPECT_NEEDS_TLS:
	case INSPECT_NEITHER:
	case INSPECT_TLS_BROKEN:
	case INSPECT_TOO_LONG:
	case INSPECT_REQUEST_LINE:
	case INSPECT_FIELD:
	case INSPECT_FRAMING:
	case INSPECT_CHUNK:
	case INSPECT_CONNECT:
	case INSPECT_HTTP2:
	case INSPECT_UPGRADE:
	case INSPECT_TOO_EARLY:
		break;
	}
	return WIRE_GATE_END_PROTOCOL;
}

void named_refuse(struct flow *flow)
{
	const struct named *named = flow->named;
	const struct inspect *inspect = &named->inlet.inspect;
	enum wire_gate_end end = end_of(inspect->reason);
	char bytes[INSPECT_REPLY_MAX];
	size_t size_bytes = inspect_reply(inspect, named->policy_name, bytes, sizeof(bytes));

	flow_part(flow, end, end == WIRE_GATE_END_NAME ? -EACCES : -EPROTO, bytes, size_bytes);
}

/* Why a name that may be used cannot be reached: said in the protocol that the client speaks. */
static void fail(struct flow *flow, enum wire_gate_end end, int error, const char *why)
{
	const struct named *named = flow->named;
	const bool forbidden = end == WIRE_GATE_END_SPECIAL || end == WIRE_GATE_END_POLICY;
	const struct inspect_page page = {
		.status = forbidden ? 403u : (error == -ETIMEDOUT ? 504u : 502u),
		.reason = forbidden ? "special-address"
				    : (end == WIRE_GATE_END_RESOLVE ? "not-resolved"
								    : "not-connected"),
		.policy = named->policy_name,
		.name = named->name,
		.why = why,
		.advice = forbidden ? NULL : "Nothing in the policy forbids it; try again later."};
	char bytes[INSPECT_REPLY_MAX];
	size_t size_bytes = 0;

	if (is_inspected(named))
		size_bytes = inspect_reply_late(&named->inlet.inspect,
			forbidden ? INSPECT_ALERT_ACCESS_DENIED : INSPECT_ALERT_INTERNAL_ERROR,
			&page, bytes, sizeof(bytes));
	flow_part(flow, end, error, bytes, size_bytes);
}

void named_expire(struct flow *flow)
{
	if (flow->named->query)
		fail(flow, WIRE_GATE_END_RESOLVE, -ETIMEDOUT, "The name was not resolved in time.");
	else
		fail(flow, WIRE_GATE_END_CONNECT, -ETIMEDOUT, "No address of the name answered.");
}

/* ---- dialling */

static int begin_connect(void *userdata, const struct abi_address *address)
{
	const struct flow *flow = userdata;

	if (!gate_has_fds(flow->listener->gate, 1))
		return -EMFILE;
	return flow_connect(flow, address);
}

static void on_dialled(void *userdata, int fd, const struct abi_address *address)
{
	struct flow *flow = userdata;
	int r = fd;

	flow->named->dial = NULL;
	flow->named->dialled = *address;
	if (fd >= 0) {
		flow->sides[OUTER].fd = fd;
		flow_relay(flow);
		r = flow_watch(flow, OUTER);
	}
	if (r < 0)
		fail(flow, WIRE_GATE_END_CONNECT, r, "No address of the name answered.");
}

static void dial(struct flow *flow, const struct abi_address *addresses, size_t n_addresses)
{
	struct gate *gate = flow->listener->gate;
	const struct dial_config config = {.connect = begin_connect,
		.connect_userdata = flow,
		.done = on_dialled,
		.userdata = flow,
		.n_fds = &gate->n_dial_fds,
		.memory = gate->dial_memory};
	int r = dial_start(gate->loop, &config, addresses, n_addresses, &flow->named->dial);

	if (r < 0)
		fail(flow, WIRE_GATE_END_CONNECT, r, "It could not be dialled.");
}

/* ---- resolving */

static bool may_dial(const struct flow *flow, const struct abi_address *address)
{
	if (flow->listener->gate->config.allow_loopback && destination_is_host(address))
		return true;
	return vet_address(address, flow->named->flags & WIRE_GATE_RANGE_PRIVATE);
}

static void on_resolved(struct upstream_query *query _unused_, int error,
	const struct abi_address *addresses, size_t n_addresses, void *userdata)
{
	struct flow *flow = userdata;
	struct abi_address good[UPSTREAM_ADDRESSES_MAX];
	size_t n_good = 0;

	flow->named->query = NULL;
	if (error < 0 || n_addresses == 0) {
		fail(flow, WIRE_GATE_END_RESOLVE, error, "The name has no address now.");
		return;
	}
	if (named_is_stale(flow)) {
		flow_end(flow, WIRE_GATE_END_POLICY, -EACCES);
		return;
	}
	for (size_t i = 0; i < n_addresses && n_good < UPSTREAM_ADDRESSES_MAX; i++)
		if (may_dial(flow, &addresses[i]))
			good[n_good++] = addresses[i];
	if (n_good > 0) {
		dial(flow, good, n_good);
		return;
	}
	flow->named->dialled = addresses[0];
	fail(flow, WIRE_GATE_END_SPECIAL, -EACCES,
		"The name points at an address that no policy opens by a name, or at a private one "
		"and the rule does not say \"private\": true.");
}

static void resolve(struct flow *flow)
{
	struct named *named = flow->named;
	int r;

	phase_enter(flow, FLOW_CONNECTING);
	r = upstream_resolve(
		flow->listener->gate->upstream, named->name, on_resolved, flow, &named->query);
	if (r < 0)
		fail(flow, WIRE_GATE_END_RESOLVE, r, "The name cannot be resolved now.");
}

/* ---- the client's first bytes */

void named_inspect(struct flow *flow)
{
	const struct direction *direction = &flow->directions[INNER];
	const struct side *client = &flow->sides[INNER];

	while (client->readable && inlet_read(flow))
		;
	if (flow->named->inlet.is_refused)
		named_refuse(flow);
	else if (client->failed)
		flow_end(flow, WIRE_GATE_END_RESET, flow->error);
	else if (direction->held_bytes > 0 || flow->named->inlet.is_checked)
		resolve(flow);
	else if (direction->at_end && flow->named->inlet.n_buffer > 0)
		flow_end(flow, WIRE_GATE_END_PROTOCOL, -EPROTO);
	else if (direction->at_end)
		flow_end(flow, WIRE_GATE_END_CLOSED, 0);
}

static const struct wire_gate_range *range_of(
	const struct flow *flow, const struct wire_gate_ticket **ret_ticket)
{
	*ret_ticket =
		tickets_by_address(names_tickets(flow->listener->names), &flow->target.address);
	return *ret_ticket ? ticket_range(*ret_ticket, flow->target.port) : NULL;
}

static int begin(struct flow *flow, const struct wire_gate_ticket *ticket, uint16_t flags)
{
	struct named *named = calloc(1, sizeof(*named));

	if (!named)
		return -ENOMEM;
	memcpy(named->name, ticket->name, sizeof(named->name));
	memcpy(named->policy_name, ticket->policy_name, sizeof(named->policy_name));
	named->flags = flags;
	inlet_init(&named->inlet, named->name, flow->target.port, flags & WIRE_GATE_RANGE_TLS);
	named->inlet.is_checked = !is_inspected(named);
	flow->named = named;
	return flow_watch(flow, INNER);
}

void named_start(struct flow *flow)
{
	const struct wire_gate_ticket *ticket;
	const struct wire_gate_range *range = range_of(flow, &ticket);
	int r;

	if (!range) {
		flow_end(flow, WIRE_GATE_END_POLICY, -EACCES);
		return;
	}
	flow->target.rule = range->rule;
	r = begin(flow, ticket, range->flags);
	if (r < 0)
		flow_end(flow, WIRE_GATE_END_CONNECT, r);
	else if (is_inspected(flow->named))
		phase_enter(flow, FLOW_INSPECTED);
	else
		resolve(flow);
}

bool named_is_stale(const struct flow *flow)
{
	const struct wire_gate_ticket *ticket;
	const struct wire_gate_range *range = range_of(flow, &ticket);

	return !range || strcmp(ticket->name, flow->named->name) != 0 ||
	       range->flags != flow->named->flags;
}

/* ---- end */

void named_describe(const struct flow *flow, enum wire_gate_end end, struct wire_gate_flow *line)
{
	const struct named *named = flow->named;

	if (!named)
		return;
	line->dialled = named->dialled;
	memcpy(line->name, named->name, sizeof(line->name));
	_Static_assert(sizeof(line->said) >= INSPECT_SAID_SIZE, "room for what was said");
	if (end == WIRE_GATE_END_NAME || end == WIRE_GATE_END_PROTOCOL)
		inspect_said(&named->inlet.inspect, line->said);
}

void named_free(struct flow *flow)
{
	struct named *named = flow->named;

	if (!named)
		return;
	upstream_cancel(named->query);
	dial_free(named->dial);
	inlet_fini(&named->inlet);
	free(named);
	flow->named = NULL;
}
