#include "supervisor/gate/flows/phase.h"

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/gate/flows/flow.h"

static uint64_t limit_ms(const struct gate *gate, enum flow_phase phase)
{
	switch (phase) {
	case FLOW_INSPECTED:
		return gate->config.inspection_timeout_ms;
	case FLOW_CONNECTING:
		return gate->config.limits.connect_timeout_ms;
	case FLOW_RELAYED:
		return gate->config.limits.idle_timeout_ms;
	case FLOW_PARTING:
	case FLOW_PHASES:
		break;
	}
	return PARTING_TIMEOUT_MS;
}

static uint64_t due_ns(const struct gate *gate, const struct flow *flow)
{
	return flow->phase_ns + limit_ms(gate, flow->phase) * NS_PER_MS;
}

static void arm(struct gate *gate, uint64_t at_ns)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (gate->expiry_due_ns && gate->expiry_due_ns <= at_ns)
		return;
	gate->expiry_due_ns = at_ns;
	loop_timer_arm(gate->expiry_timer,
		at_ns > now_ns ? (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

/* The heads of the lists are the next to expire. A head that moved bytes since the timer was armed
 * only makes it fire early once. */
static void on_expiry(struct loop_source *source _unused_, void *userdata)
{
	struct gate *gate = userdata;
	uint64_t now_ns = clock_monotonic_ns();
	struct flow *flow;

	gate->expiry_due_ns = 0;
	for (int i = 0; i < FLOW_PHASES; i++)
		while ((flow = TAILQ_FIRST(&gate->phases[i])) && due_ns(gate, flow) <= now_ns)
			flow_expire(flow);
	for (int i = 0; i < FLOW_PHASES; i++)
		if ((flow = TAILQ_FIRST(&gate->phases[i])))
			arm(gate, due_ns(gate, flow));
}

int phase_init_timers(struct gate *gate)
{
	for (int i = 0; i < FLOW_PHASES; i++)
		TAILQ_INIT(&gate->phases[i]);
	return loop_add_timer(gate->loop, on_expiry, gate, &gate->expiry_timer);
}

void phase_fini_timers(struct gate *gate)
{
	gate->expiry_timer = loop_source_free(gate->expiry_timer);
}

void phase_begin(struct flow *flow, enum flow_phase phase)
{
	struct gate *gate = flow->listener->gate;

	flow->phase = phase;
	flow->phase_ns = clock_monotonic_ns();
	TAILQ_INSERT_TAIL(&gate->phases[phase], flow, in_phase);
	arm(gate, due_ns(gate, flow));
}

void phase_leave(struct flow *flow)
{
	TAILQ_REMOVE(&flow->listener->gate->phases[flow->phase], flow, in_phase);
}

void phase_enter(struct flow *flow, enum flow_phase phase)
{
	phase_leave(flow);
	phase_begin(flow, phase);
}
