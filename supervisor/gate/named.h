/* A connection to a name: to the synthetic address of a ticket.
 *
 * Its first bytes are checked (inlet.h); only when they ask for the name is the name resolved, are
 * the answers vetted, and one of them dialled. A rule may have the name's bytes not looked at: then
 * it is resolved at once. */
#pragma once

#include "supervisor/dial/dial.h"
#include "supervisor/gate/inlets/inlet.h"
#include "supervisor/gate/state.h"

struct named {
	char name[WIRE_GATE_NAME_SIZE];
	char policy_name[64];
	uint16_t flags; /* enum wire_gate_range_flags */
	struct inlet inlet;
	struct upstream_query *query; /* while the name is resolved */
	struct dial *dial;            /* while its addresses are dialled */
	struct abi_address dialled;
};

/* `flow` has a synthetic target and its inner socket. Ends it if its ticket does not allow it. */
void named_start(struct flow *flow);
/* The client sent something, or closed, in FLOW_INSPECTED. */
void named_inspect(struct flow *flow);
/* The check refused: tells the client and ends the flow. */
void named_refuse(struct flow *flow);
/* Resolving and dialling took too long. */
void named_expire(struct flow *flow);
/* What was decided about this flow's name and port is not what its ticket says now. */
bool named_is_stale(const struct flow *flow);

/* Adds what is known of the name to the report. Both take any flow. */
void named_describe(const struct flow *flow, enum wire_gate_end end, struct wire_gate_flow *line);
void named_free(struct flow *flow);
