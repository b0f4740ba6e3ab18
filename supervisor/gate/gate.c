#include "supervisor/gate/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/gate/flow.h"
#include "supervisor/gate/listener.h"
#include "supervisor/gate/state.h"
#include "supervisor/gate/turns.h"

#define LISTENERS_MAX 16384

static int init(struct gate *gate)
{
	int r = turns_init(gate);

	if (r == 0)
		r = flow_init_timers(gate);
	if (r == 0)
		r = listener_init_timers(gate);
	if (r == 0)
		r = table_new(LISTENERS_MAX, &gate->listeners);
	if (r < 0)
		return r;
	gate->copy_buffer = malloc(COPY_BUFFER_BYTES);
	return gate->copy_buffer ? 0 : -ENOMEM;
}

int gate_new(struct loop *loop, const struct gate_config *config, struct gate **ret_gate)
{
	const struct wire_gate_config *limits = &config->limits;
	struct gate *gate;
	int r;

	if (limits->n_flows_max == 0 || limits->n_flows_per_sandbox_max == 0 ||
		limits->connect_timeout_ms == 0 || limits->idle_timeout_ms == 0)
		return -EINVAL;
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return -ENOMEM;
	gate->loop = loop;
	gate->config = *config;
	r = init(gate);
	if (r < 0) {
		gate_free(gate);
		return r;
	}
	*ret_gate = gate;
	return 0;
}

struct gate *gate_free(struct gate *gate)
{
	struct listener *listener;
	size_t position = 0;

	if (!gate)
		return NULL;
	while (gate->listeners && (listener = table_next(gate->listeners, &position))) {
		while (!TAILQ_EMPTY(&listener->flows))
			flow_drop(TAILQ_FIRST(&listener->flows));
		listener_free(listener);
	}
	table_free(gate->listeners);
	listener_fini_timers(gate);
	flow_fini_timers(gate);
	turns_fini(gate);
	pipes_fini(&gate->pipes);
	free(gate->copy_buffer);
	free(gate);
	return NULL;
}

int gate_open(struct gate *gate, uint64_t sandbox, uint64_t netns_cookie, int listen_fd)
{
	struct listener *listener;
	int r = 0;

	if (table_get(gate->listeners, sandbox))
		r = -EEXIST;
	else if (!gate_has_fds(gate, 1))
		r = -ENOSPC;
	if (r < 0) {
		close(listen_fd);
		return r;
	}
	r = listener_new(gate, sandbox, netns_cookie, listen_fd, &listener);
	if (r < 0)
		return r;
	r = table_put(gate->listeners, sandbox, listener);
	if (r < 0)
		listener_free(listener);
	return r;
}

void gate_close(struct gate *gate, uint64_t sandbox)
{
	struct listener *listener = table_take(gate->listeners, sandbox);

	if (!listener)
		return;
	while (!TAILQ_EMPTY(&listener->flows))
		flow_end(TAILQ_FIRST(&listener->flows), WIRE_GATE_END_SANDBOX, 0);
	listener_free(listener);
}

bool gate_has_fds(const struct gate *gate, size_t n)
{
	size_t used = table_count(gate->listeners) + 2 * gate->n_flows + 2 * gate->pipes.n_all;

	return used + n <= gate->config.n_fds_max;
}

void gate_count(const struct gate *gate, struct wire_gate_state *ret_state)
{
	*ret_state = (struct wire_gate_state){
		.n_flows = gate->n_flows, .n_flows_total = gate->n_flows_total};
}
