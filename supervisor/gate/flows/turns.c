/* Deficit round robin (Shreedhar and Varghese 1995) without the deficit: a turn overruns its share
 * by less than one pipe. A round runs at the end of a round of the loop, by a timer that is due at
 * once, so that what epoll has to tell about other sandboxes is heard between any two rounds. */
#include "supervisor/gate/flows/turns.h"

#include "supervisor/base/cleanup.h"
#include "supervisor/gate/flows/flow.h"

#define ROUND_BYTES (256 * 1024) /* of one sandbox */
#define TURN_BYTES (64 * 1024)   /* of one connection, both directions */
#define TURN_COST_BYTES 2048     /* what a turn costs that moves nothing: a few system calls */

static void on_round(struct loop_source *source, void *userdata);

int turns_init(struct gate *gate)
{
	TAILQ_INIT(&gate->active);
	return loop_add_timer(gate->loop, on_round, gate, &gate->turn_timer);
}

void turns_fini(struct gate *gate)
{
	gate->turn_timer = loop_source_free(gate->turn_timer);
}

static void activate(struct listener *listener)
{
	struct gate *gate = listener->gate;

	if (!listener->is_active) {
		TAILQ_INSERT_TAIL(&gate->active, listener, in_active);
		listener->is_active = true;
	}
	if (!gate->turn_armed) {
		gate->turn_armed = true;
		loop_timer_arm(gate->turn_timer, 0, 0);
	}
}

static void deactivate(struct listener *listener)
{
	if (listener->is_active)
		TAILQ_REMOVE(&listener->gate->active, listener, in_active);
	listener->is_active = false;
}

void turns_add(struct flow *flow)
{
	if (flow->is_ready)
		return;
	flow->is_ready = true;
	TAILQ_INSERT_TAIL(&flow->listener->ready, flow, in_ready);
	activate(flow->listener);
}

void turns_remove_flow(struct flow *flow)
{
	if (flow->is_ready)
		TAILQ_REMOVE(&flow->listener->ready, flow, in_ready);
	flow->is_ready = false;
}

void turns_remove_listener(struct listener *listener)
{
	deactivate(listener);
}

static void give_turns(struct listener *listener)
{
	size_t used = 0;

	while (used < ROUND_BYTES && !TAILQ_EMPTY(&listener->ready)) {
		struct flow *flow = TAILQ_FIRST(&listener->ready);

		turns_remove_flow(flow);
		used += TURN_COST_BYTES;
		if (flow_turn(flow, TURN_BYTES, &used) == FLOW_MORE)
			turns_add(flow);
	}
}

static void on_round(struct loop_source *source _unused_, void *userdata)
{
	struct gate *gate = userdata;
	struct listener *last = TAILQ_LAST(&gate->active, listener_list), *listener = NULL;

	gate->turn_armed = false;
	while (last && listener != last) {
		listener = TAILQ_FIRST(&gate->active);
		deactivate(listener);
		give_turns(listener);
		if (!TAILQ_EMPTY(&listener->ready))
			activate(listener);
	}
}
