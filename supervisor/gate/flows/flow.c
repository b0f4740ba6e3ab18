/* Sockets are watched by edges, once, for everything: an edge sets a flag in `struct side`, EAGAIN
 * clears it. A connection therefore costs no epoll_ctl(2) while bytes move. */
#include "supervisor/gate/flows/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bpf/abi/slot.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/gate/destination.h"
#include "supervisor/gate/flows/phase.h"
#include "supervisor/gate/flows/relay.h"
#include "supervisor/gate/flows/turns.h"
#include "supervisor/gate/inlets/inlet.h"
#include "supervisor/gate/inlets/listener.h"
#include "supervisor/gate/named.h"

#define EDGES (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET)

void flow_expire(struct flow *flow)
{
	switch (flow->phase) {
	case FLOW_INSPECTED:
		flow_end(flow, WIRE_GATE_END_PROTOCOL, -ETIMEDOUT);
		return;
	case FLOW_CONNECTING:
		if (flow->named)
			named_expire(flow);
		else
			flow_end(flow, WIRE_GATE_END_CONNECT, -ETIMEDOUT);
		return;
	case FLOW_RELAYED:
	case FLOW_PARTING:
	case FLOW_PHASES:
		flow_end(flow, WIRE_GATE_END_IDLE, -ETIMEDOUT);
		return;
	}
}

/* ---- relaying */

/* A side that failed is given one more turn, so that what it sent before reaches the other side
 * ahead of the reset. */
enum flow_next flow_turn(struct flow *flow, size_t budget_bytes, size_t *ret_moved_bytes)
{
	const bool failed[2] = {flow->sides[INNER].failed, flow->sides[OUTER].failed};
	enum relay_result results[2];
	size_t moved = 0;

	for (int i = INNER; i <= OUTER; i++)
		results[i] = relay_move(flow, i, budget_bytes / 2, &moved);
	*ret_moved_bytes += moved;
	if (inlet_is_refused(flow)) {
		named_refuse(flow);
		return FLOW_GONE;
	}
	for (int i = INNER; i <= OUTER; i++) {
		if (failed[i] && results[i] != RELAY_MORE) {
			flow_end(flow, WIRE_GATE_END_RESET, flow->error);
			return FLOW_GONE;
		}
	}
	if (flow->directions[INNER].shut && flow->directions[OUTER].shut) {
		flow_end(flow, WIRE_GATE_END_CLOSED, 0);
		return FLOW_GONE;
	}
	if (moved > 0)
		phase_enter(flow, FLOW_RELAYED);
	if (flow->sides[INNER].failed || flow->sides[OUTER].failed)
		return FLOW_MORE;
	return results[INNER] == RELAY_MORE || results[OUTER] == RELAY_MORE ? FLOW_MORE
									    : FLOW_WAITS;
}

/* ---- events */

static void note_edge(struct flow *flow, struct side *side, uint32_t events)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		side->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		side->writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		side->ending = true;
	if (events & EPOLLPRI)
		side->urgent = true;
	if (!(events & EPOLLERR))
		return;
	getsockopt(side->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	side->failed = true;
	if (flow->error == 0)
		flow->error = error ? -error : -ECONNRESET;
}

static void on_inner(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct flow *flow = userdata;

	note_edge(flow, &flow->sides[INNER], events);
	if (flow->phase == FLOW_PARTING)
		flow_drain(flow);
	else if (flow->phase == FLOW_RELAYED)
		turns_add(flow);
	else if (flow->sides[INNER].failed)
		flow_end(flow, WIRE_GATE_END_RESET, flow->error);
	else if (flow->phase == FLOW_INSPECTED)
		named_inspect(flow);
}

static void on_outer(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct flow *flow = userdata;

	note_edge(flow, &flow->sides[OUTER], events);
	if (flow->phase != FLOW_CONNECTING) {
		turns_add(flow);
		return;
	}
	if (flow->sides[OUTER].failed || (events & EPOLLHUP))
		flow_end(flow, WIRE_GATE_END_CONNECT, flow->error ? flow->error : -ECONNABORTED);
	else if (flow->sides[OUTER].writable)
		flow_relay(flow);
}

int flow_watch(struct flow *flow, int side)
{
	struct side *it = &flow->sides[side];

	return loop_add_fd(flow->listener->gate->loop, it->fd, EDGES,
		side == INNER ? on_inner : on_outer, flow, &it->source);
}

void flow_relay(struct flow *flow)
{
	flow->is_connected = true;
	phase_enter(flow, FLOW_RELAYED);
	turns_add(flow);
}

/* ---- start */

/* The kernel's word on where the connection meant to go, checked against what the supervisor said
 * about this socket. */
static int find_target(const struct listener *listener, const struct sockaddr_storage *peer,
	struct abi_flow *ret_target)
{
	const struct gate_config *config = &listener->gate->config;
	struct abi_flow_key key = {.netns_cookie = listener->netns_cookie};
	struct abi_flow target = {.port = 0};
	int r = destination_from_socket(peer, &key.local_address, &key.local_port);

	if (r == 0)
		r = config->lookup(config->lookup_userdata, &key, &target);
	if (r < 0)
		return r;
	if (target.sandbox != listener->sandbox || target.protocol != IPPROTO_TCP)
		return -ENOENT;
	*ret_target = target;
	return 0;
}

static bool is_full(const struct listener *listener)
{
	const struct gate *gate = listener->gate;
	const struct wire_gate_config *limits = &gate->config.limits;

	return gate->n_flows >= limits->n_flows_max ||
	       listener->n_flows >= limits->n_flows_per_sandbox_max;
}

void flow_tune(int fd)
{
	const int on = 1;

	/* Urgent data is relayed as data in its place; what is urgent about it is lost. */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	/* Only speed depends on this. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int flow_connect(const struct flow *flow, const struct abi_address *address)
{
	const struct gate *gate = flow->listener->gate;
	struct sockaddr_storage socket_address;
	socklen_t size = destination_to_socket(address, flow->target.port, &socket_address);
	int fd, r;

	if (destination_is_host(address) && !gate->config.allow_loopback)
		return -EACCES;
	fd = socket(socket_address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	flow_tune(fd);
	if (connect(fd, (struct sockaddr *)&socket_address, size) < 0 && errno != EINPROGRESS) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void enlist(struct listener *listener, struct flow *flow)
{
	struct gate *gate = listener->gate;

	flow->id = ++gate->last_flow_id;
	TAILQ_INSERT_TAIL(&listener->flows, flow, in_listener);
	listener->n_flows++;
	gate->n_flows++;
	phase_begin(flow, FLOW_CONNECTING);
}

/* The kernel let it pass under an earlier policy, and nobody reviewed it: the program may try
 * again. Generations are compared as they wrap. */
static bool is_outdated(const struct listener *listener, const struct abi_flow *target)
{
	return listener->policy && (int32_t)(ABI_SLOT_GENERATION(target->policy) -
					     ABI_SLOT_GENERATION(listener->policy)) < 0;
}

static int start_literal(struct flow *flow)
{
	int r = flow_connect(flow, &flow->target.address);

	if (r < 0)
		return r;
	flow->sides[OUTER].fd = r;
	r = flow_watch(flow, INNER);
	return r < 0 ? r : flow_watch(flow, OUTER);
}

void flow_start(struct listener *listener, int inner_fd, const struct sockaddr_storage *peer)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	enum wire_gate_end end = WIRE_GATE_END_NO_FLOW;
	bool full = is_full(listener);
	int r;

	if (!flow) {
		close(inner_fd);
		listener_pause(listener);
		return;
	}
	flow->listener = listener;
	flow->sides[INNER].fd = inner_fd;
	flow->sides[OUTER].fd = -1;
	flow->started_ns = clock_monotonic_ns();
	enlist(listener, flow);
	r = find_target(listener, peer, &flow->target);
	if (r == 0 && full) {
		end = WIRE_GATE_END_LIMIT;
		r = -EUSERS;
	} else if (r == 0 && is_outdated(listener, &flow->target)) {
		end = WIRE_GATE_END_POLICY;
		r = -EACCES;
	} else if (r == 0 && ticket_address_is(&flow->target.address)) {
		named_start(flow);
		return;
	} else if (r == 0) {
		end = WIRE_GATE_END_CONNECT;
		r = start_literal(flow);
	}
	if (r < 0)
		flow_end(flow, end, r);
}
