/* Sockets are watched by edges, once, for everything: an edge sets a flag in `struct side`, EAGAIN
 * clears it. A connection therefore costs no epoll_ctl(2) while bytes move. */
#include "supervisor/gate/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/gate/destination.h"
#include "supervisor/gate/listener.h"
#include "supervisor/gate/relay.h"
#include "supervisor/gate/turns.h"

#define EDGES (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET)
/* Bytes that the kernel may hold unsent in a socket of ours before it stops being writable; without
 * this, a slow reader makes it hold net.ipv4.tcp_wmem[2], 4 MiB. */
#define UNSENT_BYTES_MAX (128 * 1024)

/* ---- time limits */

static uint64_t connect_due_ns(const struct gate *gate, const struct flow *flow)
{
	return flow->started_ns + gate->config.limits.connect_timeout_ms * NS_PER_MS;
}

static uint64_t idle_due_ns(const struct gate *gate, const struct flow *flow)
{
	return flow->active_ns + gate->config.limits.idle_timeout_ms * NS_PER_MS;
}

static void arm_expiry(struct gate *gate, uint64_t due_ns)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (gate->expiry_due_ns && gate->expiry_due_ns <= due_ns)
		return;
	gate->expiry_due_ns = due_ns;
	loop_timer_arm(gate->expiry_timer,
		due_ns > now_ns ? (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

/* The heads of both lists are the next to expire. A head that moved bytes since the timer was armed
 * only makes it fire early once. */
static void on_expiry(struct loop_source *source _unused_, void *userdata)
{
	struct gate *gate = userdata;
	uint64_t now_ns = clock_monotonic_ns();
	struct flow *flow;

	gate->expiry_due_ns = 0;
	while ((flow = TAILQ_FIRST(&gate->connecting)) && connect_due_ns(gate, flow) <= now_ns)
		flow_end(flow, WIRE_GATE_END_CONNECT, -ETIMEDOUT);
	while ((flow = TAILQ_FIRST(&gate->relaying)) && idle_due_ns(gate, flow) <= now_ns)
		flow_end(flow, WIRE_GATE_END_IDLE, -ETIMEDOUT);
	if ((flow = TAILQ_FIRST(&gate->connecting)))
		arm_expiry(gate, connect_due_ns(gate, flow));
	if ((flow = TAILQ_FIRST(&gate->relaying)))
		arm_expiry(gate, idle_due_ns(gate, flow));
}

int flow_init_timers(struct gate *gate)
{
	TAILQ_INIT(&gate->connecting);
	TAILQ_INIT(&gate->relaying);
	return loop_add_timer(gate->loop, on_expiry, gate, &gate->expiry_timer);
}

void flow_fini_timers(struct gate *gate)
{
	gate->expiry_timer = loop_source_free(gate->expiry_timer);
}

/* ---- end */

static void close_with_reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static int report(struct gate *gate, const struct wire_gate_flow *line)
{
	gate->n_flows_total++;
	return gate->config.report(gate->config.report_userdata, line);
}

static void flow_free(struct flow *flow, bool reset)
{
	struct listener *listener = flow->listener;
	struct gate *gate = listener->gate;

	turns_remove_flow(flow);
	relay_release(flow);
	for (int i = INNER; i <= OUTER; i++) {
		loop_source_free(flow->sides[i].source);
		if (flow->sides[i].fd < 0)
			continue;
		if (reset)
			close_with_reset(flow->sides[i].fd);
		else
			close(flow->sides[i].fd);
	}
	if (flow->connected)
		TAILQ_REMOVE(&gate->relaying, flow, in_expiry);
	else
		TAILQ_REMOVE(&gate->connecting, flow, in_expiry);
	TAILQ_REMOVE(&listener->flows, flow, in_listener);
	listener->n_flows--;
	gate->n_flows--;
	free(flow);
}

void flow_drop(struct flow *flow)
{
	flow_free(flow, true);
}

void flow_end(struct flow *flow, enum wire_gate_end end, int error)
{
	struct listener *listener = flow->listener;
	struct gate *gate = listener->gate;
	struct wire_gate_flow line = {.sandbox = listener->sandbox,
		.address = flow->target.address,
		.port = flow->target.port,
		.rule = flow->target.rule,
		.policy = flow->target.policy,
		.end = (uint16_t)end,
		.error = error,
		.bytes_sent = flow->directions[INNER].bytes,
		.bytes_received = flow->directions[OUTER].bytes,
		.duration_us = (clock_monotonic_ns() - flow->started_ns) / 1000};

	flow_free(flow, end != WIRE_GATE_END_CLOSED);
	listener_resume_all(gate);
	if (report(gate, &line) < 0)
		listener_pause(listener);
}

/* ---- relaying */

static void touch(struct gate *gate, struct flow *flow)
{
	flow->active_ns = clock_monotonic_ns();
	TAILQ_REMOVE(&gate->relaying, flow, in_expiry);
	TAILQ_INSERT_TAIL(&gate->relaying, flow, in_expiry);
}

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
		touch(flow->listener->gate, flow);
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
	if (flow->connected)
		turns_add(flow);
	else if (flow->sides[INNER].failed)
		flow_end(flow, WIRE_GATE_END_RESET, flow->error);
}

static void on_outer(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct flow *flow = userdata;
	struct gate *gate = flow->listener->gate;

	note_edge(flow, &flow->sides[OUTER], events);
	if (!flow->connected) {
		if (flow->sides[OUTER].failed || (events & EPOLLHUP)) {
			flow_end(flow, WIRE_GATE_END_CONNECT,
				flow->error ? flow->error : -ECONNABORTED);
			return;
		}
		if (!flow->sides[OUTER].writable)
			return;
		TAILQ_REMOVE(&gate->connecting, flow, in_expiry);
		flow->connected = true;
		flow->active_ns = clock_monotonic_ns();
		TAILQ_INSERT_TAIL(&gate->relaying, flow, in_expiry);
		arm_expiry(gate, idle_due_ns(gate, flow));
	}
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

static void tune(int fd)
{
	const int on = 1, unsent_bytes = UNSENT_BYTES_MAX;

	/* Urgent data is relayed as data in its place; what is urgent about it is lost. */
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	/* Only speed and memory depend on these. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof(unsent_bytes));
}

/* Begins connect(2), which ends by an edge. Returns the socket or -errno. */
static int connect_on(const struct gate *gate, const struct abi_flow *target)
{
	struct sockaddr_storage address;
	socklen_t size = destination_to_socket(&target->address, target->port, &address);
	int fd, r;

	if (destination_is_host(&target->address) && !gate->config.allow_loopback)
		return -EACCES;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	tune(fd);
	if (connect(fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static int watch(struct flow *flow)
{
	struct loop *loop = flow->listener->gate->loop;
	struct side *sides = flow->sides;
	int r = loop_add_fd(loop, sides[INNER].fd, EDGES, on_inner, flow, &sides[INNER].source);

	if (r < 0)
		return r;
	return loop_add_fd(loop, sides[OUTER].fd, EDGES, on_outer, flow, &sides[OUTER].source);
}

static void enlist(struct listener *listener, struct flow *flow)
{
	struct gate *gate = listener->gate;

	TAILQ_INSERT_TAIL(&listener->flows, flow, in_listener);
	TAILQ_INSERT_TAIL(&gate->connecting, flow, in_expiry);
	listener->n_flows++;
	gate->n_flows++;
	arm_expiry(gate, connect_due_ns(gate, flow));
}

void flow_start(struct listener *listener, int inner_fd, const struct sockaddr_storage *peer)
{
	struct flow *flow = calloc(1, sizeof(*flow));
	enum wire_gate_end end = WIRE_GATE_END_NO_FLOW;
	bool full = is_full(listener);
	int r;

	if (!flow) {
		close_with_reset(inner_fd);
		listener_pause(listener);
		return;
	}
	tune(inner_fd);
	flow->listener = listener;
	flow->sides[INNER].fd = inner_fd;
	flow->sides[OUTER].fd = -1;
	flow->started_ns = clock_monotonic_ns();
	enlist(listener, flow);
	r = find_target(listener, peer, &flow->target);
	if (r == 0 && full) {
		end = WIRE_GATE_END_LIMIT;
		r = -EUSERS;
	} else if (r == 0) {
		end = WIRE_GATE_END_CONNECT;
		r = connect_on(listener->gate, &flow->target);
	}
	if (r >= 0) {
		flow->sides[OUTER].fd = r;
		r = watch(flow);
	}
	if (r < 0)
		flow_end(flow, end, r);
}
