/* How connections end. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/gate/flows/account.h"
#include "supervisor/gate/flows/flow.h"
#include "supervisor/gate/flows/phase.h"
#include "supervisor/gate/flows/relay.h"
#include "supervisor/gate/flows/turns.h"
#include "supervisor/gate/inlets/listener.h"
#include "supervisor/gate/named.h"

static void close_side(struct side *side, bool reset)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	side->source = loop_source_free(side->source);
	if (side->fd < 0)
		return;
	if (reset)
		setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(side->fd);
	side->fd = -1;
}

static void report(struct flow *flow, enum wire_gate_end end, int error)
{
	struct listener *listener = flow->listener;
	struct gate *gate = listener->gate;
	struct wire_gate_flow line = {.sandbox = listener->sandbox,
		.address = flow->target.address,
		.port = flow->target.port,
		.rule = flow->target.rule,
		.policy = flow->target.policy,
		.protocol = IPPROTO_TCP,
		.end = (uint16_t)end,
		.error = error,
		.bytes_sent = flow->directions[INNER].bytes,
		.bytes_received = flow->directions[OUTER].bytes,
		.duration_us = (clock_monotonic_ns() - flow->started_ns) / 1000};

	if (flow->is_reported)
		return;
	flow->is_reported = true;
	named_describe(flow, end, &line);
	gate->n_flows_total++;
	if (gate->config.report(gate->config.report_userdata, &line) < 0)
		listener_pause(listener);
}

static void flow_free(struct flow *flow, bool reset)
{
	struct listener *listener = flow->listener;
	struct gate *gate = listener->gate;

	account_settle(flow);
	turns_remove_flow(flow);
	relay_release(flow);
	named_free(flow);
	for (int i = INNER; i <= OUTER; i++)
		close_side(&flow->sides[i], reset);
	phase_leave(flow);
	TAILQ_REMOVE(&listener->flows, flow, in_listener);
	listener->n_flows--;
	gate->n_flows--;
	free(flow);
}

void flow_drop(struct flow *flow)
{
	flow_free(flow, true);
}

/* What waits for room is let in before a report that nobody takes holds it back again. */
void flow_end(struct flow *flow, enum wire_gate_end end, int error)
{
	listener_resume_all(flow->listener->gate);
	report(flow, end, error);
	flow_free(flow, end != WIRE_GATE_END_CLOSED);
}

/* Closing a socket that has unread bytes resets the connection, and a reset overtakes the last
 * words; so the client's bytes are drained until it closes, or for a moment. */
void flow_part(
	struct flow *flow, enum wire_gate_end end, int error, const char *bytes, size_t size_bytes)
{
	struct side *inner = &flow->sides[INNER];

	if (size_bytes == 0 || send(inner->fd, bytes, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) !=
				       (ssize_t)size_bytes) {
		flow_end(flow, end, error);
		return;
	}
	report(flow, end, error);
	account_settle(flow); /* while its name is known */
	turns_remove_flow(flow);
	relay_release(flow);
	named_free(flow);
	close_side(&flow->sides[OUTER], true);
	shutdown(inner->fd, SHUT_WR);
	phase_enter(flow, FLOW_PARTING);
	flow_drain(flow);
}

void flow_drain(struct flow *flow)
{
	struct gate *gate = flow->listener->gate;
	ssize_t got;

	for (int i = 0; i < 16; i++) {
		got = recv(
			flow->sides[INNER].fd, gate->copy_buffer, COPY_BUFFER_BYTES, MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0)
			break;
	}
	/* At its end, or it sends more than an answer is worth. */
	listener_resume_all(gate);
	flow_free(flow, false);
}
