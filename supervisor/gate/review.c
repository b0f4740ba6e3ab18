/* What a new policy leaves open. The gate does not judge: it tells cloched what is open, and
 * cloched asks the same code that the kernel runs. */
#include <errno.h>
#include <netinet/in.h>

#include "supervisor/gate/datagrams/datagrams.h"
#include "supervisor/gate/flows/flow.h"
#include "supervisor/gate/inlets/listener.h"
#include "supervisor/gate/named.h"

size_t gate_review(struct gate *gate, const struct wire_gate_swap *swap,
	struct wire_gate_review_flow *ret_flows)
{
	struct listener *listener = table_get(gate->listeners, swap->sandbox);
	struct flow *flow, *next;
	size_t n_flows = 0;

	if (!listener)
		return 0;
	listener->policy = swap->policy;
	names_swapped(listener->names);
	for (flow = TAILQ_FIRST(&listener->flows); flow; flow = next) {
		next = TAILQ_NEXT(flow, in_listener);
		if (flow->phase == FLOW_PARTING)
			continue;
		if (n_flows == WIRE_GATE_REVIEW_MAX) {
			flow_end(flow, WIRE_GATE_END_POLICY, -EACCES);
			continue;
		}
		ret_flows[n_flows++] = (struct wire_gate_review_flow){.id = flow->id,
			.address = flow->target.address,
			.port = flow->target.port,
			.protocol = IPPROTO_TCP};
	}
	return n_flows +
	       datagrams_review(listener, ret_flows + n_flows, WIRE_GATE_REVIEW_MAX - n_flows);
}

static bool is_among(uint64_t id, const uint64_t *ids, size_t n_ids)
{
	for (size_t i = 0; i < n_ids; i++)
		if (ids[i] == id)
			return true;
	return false;
}

void gate_take_verdicts(
	struct gate *gate, uint64_t sandbox, const uint64_t *reset_ids, size_t n_reset)
{
	struct listener *listener = table_get(gate->listeners, sandbox);
	struct flow *flow, *next;

	if (!listener)
		return;
	for (flow = TAILQ_FIRST(&listener->flows); flow; flow = next) {
		next = TAILQ_NEXT(flow, in_listener);
		if (flow->phase == FLOW_PARTING)
			continue;
		if (is_among(flow->id, reset_ids, n_reset) || (flow->named && named_is_stale(flow)))
			flow_end(flow, WIRE_GATE_END_POLICY, -EACCES);
	}
	datagrams_reset(listener, reset_ids, n_reset);
}
