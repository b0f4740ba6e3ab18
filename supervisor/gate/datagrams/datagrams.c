#include "supervisor/gate/datagrams/datagrams.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bpf/abi/slot.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"
#include "supervisor/gate/datagrams/address.h"
#include "supervisor/gate/destination.h"

/* Of one socket, before the loop sees to others. */
#define DATAGRAMS_PER_WAKEUP 32
/* Refusals can come by the thousand. */
#define REFUSALS_APART_NS NS_PER_SECOND

struct datagrams {
	struct listener *listener;
	int fd;
	struct loop_source *source;
	struct table *flows; /* by datagram_key() */
	uint64_t refused_ns; /* when a refusal was last reported */
};

struct datagram_flow {
	struct datagrams *datagrams;
	TAILQ_ENTRY(datagram_flow) in_idle;
	uint64_t id, key;
	int fd; /* connected to the destination: gets only what comes from there */
	struct loop_source *source;
	struct sockaddr_storage sender;
	struct abi_address inside; /* what stands for the destination */
	struct abi_datagram target;
	uint64_t started_ns, used_ns;
	uint64_t bytes_sent, bytes_received;
	int error; /* what an ICMP error said last */
};

/* ---- ends */

static void report(struct datagrams *datagrams, const struct abi_datagram *target,
	enum wire_gate_end end, int error, const struct datagram_flow *flow)
{
	struct gate *gate = datagrams->listener->gate;
	struct wire_gate_flow line = {.sandbox = datagrams->listener->sandbox,
		.address = target->address,
		.port = target->port,
		.rule = target->rule,
		.policy = target->policy,
		.protocol = IPPROTO_UDP,
		.end = (uint16_t)end,
		.error = error};

	if (flow) {
		line.bytes_sent = flow->bytes_sent;
		line.bytes_received = flow->bytes_received;
		line.duration_us = (clock_monotonic_ns() - flow->started_ns) / 1000;
	}
	gate->n_flows_total++;
	/* Nobody takes reports now: datagrams cannot wait, so this one is lost. */
	gate->config.report(gate->config.report_userdata, &line);
}

/* No flow came of it. */
static void refuse(struct datagrams *datagrams, const struct abi_datagram *target,
	enum wire_gate_end end, int error)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (datagrams->refused_ns && now_ns - datagrams->refused_ns < REFUSALS_APART_NS)
		return;
	datagrams->refused_ns = now_ns;
	report(datagrams, target, end, error, NULL);
}

static void flow_free(struct datagram_flow *flow)
{
	struct gate *gate = flow->datagrams->listener->gate;

	table_take(flow->datagrams->flows, flow->key);
	TAILQ_REMOVE(&gate->idle_datagrams, flow, in_idle);
	gate->n_datagram_flows--;
	loop_source_free(flow->source);
	close(flow->fd);
	free(flow);
}

static void flow_finish(struct datagram_flow *flow, enum wire_gate_end end, int error)
{
	report(flow->datagrams, &flow->target, end, error, flow);
	flow_free(flow);
}

/* ---- idle flows */

static uint64_t due_ns(const struct gate *gate, const struct datagram_flow *flow)
{
	return flow->used_ns + gate->config.limits.datagram_timeout_ms * NS_PER_MS;
}

static void arm(struct gate *gate)
{
	const struct datagram_flow *first = TAILQ_FIRST(&gate->idle_datagrams);
	uint64_t now_ns = clock_monotonic_ns(), at_ns;

	if (!first)
		return;
	at_ns = due_ns(gate, first);
	loop_timer_arm(gate->datagram_timer,
		at_ns > now_ns ? (at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

static void on_idle(struct loop_source *source _unused_, void *userdata)
{
	struct gate *gate = userdata;
	uint64_t now_ns = clock_monotonic_ns();
	struct datagram_flow *flow;

	while ((flow = TAILQ_FIRST(&gate->idle_datagrams)) && due_ns(gate, flow) <= now_ns) {
		if (flow->error && flow->bytes_received == 0)
			flow_finish(flow, WIRE_GATE_END_CONNECT, flow->error);
		else
			flow_finish(flow, WIRE_GATE_END_IDLE, flow->error);
	}
	arm(gate);
}

/* The list stays in the order of use. */
static void note_use(struct datagram_flow *flow)
{
	struct gate *gate = flow->datagrams->listener->gate;

	flow->used_ns = clock_monotonic_ns();
	TAILQ_REMOVE(&gate->idle_datagrams, flow, in_idle);
	TAILQ_INSERT_TAIL(&gate->idle_datagrams, flow, in_idle);
}

int datagrams_init_timer(struct gate *gate)
{
	TAILQ_INIT(&gate->idle_datagrams);
	return loop_add_timer(gate->loop, on_idle, gate, &gate->datagram_timer);
}

void datagrams_fini_timer(struct gate *gate)
{
	gate->datagram_timer = loop_source_free(gate->datagram_timer);
}

/* ---- from outside */

static void on_outer(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct datagram_flow *flow = userdata;
	struct gate *gate = flow->datagrams->listener->gate;

	for (int i = 0; i < DATAGRAMS_PER_WAKEUP; i++) {
		ssize_t got = recv(flow->fd, gate->copy_buffer, COPY_BUFFER_BYTES, MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got < 0) {
			flow->error = -errno;
			continue;
		}
		if (datagram_send(flow->datagrams->fd, &flow->sender, &flow->inside,
			    gate->copy_buffer, (size_t)got) == 0)
			flow->bytes_received += (uint64_t)got;
		note_use(flow);
	}
}

/* ---- from inside */

static void send_out(struct datagram_flow *flow, const void *bytes, size_t size_bytes)
{
	/* The first call may give the error that an earlier datagram met; then it was not sent. */
	for (int i = 0; i < 2; i++) {
		if (send(flow->fd, bytes, size_bytes, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			flow->bytes_sent += size_bytes;
			break;
		}
		if (errno == EAGAIN)
			break;
		flow->error = -errno;
	}
	note_use(flow);
}

static int connect_out(const struct gate *gate, const struct abi_datagram *target)
{
	struct sockaddr_storage address;
	socklen_t size = destination_to_socket(&target->address, target->port, &address);
	_cleanup_close_ int fd = -1;

	if (destination_is_host(&target->address) && !gate->config.allow_loopback)
		return -EACCES;
	fd = socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0)
		return -errno;
	return steal_fd(&fd);
}

static int flow_new(struct datagrams *datagrams, uint64_t key, const struct abi_datagram *target,
	struct datagram_flow **ret_flow)
{
	struct gate *gate = datagrams->listener->gate;
	_cleanup_close_ int fd = connect_out(gate, target);
	_cleanup_free_ struct datagram_flow *flow = calloc(1, sizeof(*flow));
	int r = fd < 0 ? fd : 0;

	if (r == 0 && !flow)
		r = -ENOMEM;
	if (r == 0)
		r = table_put(datagrams->flows, key, flow);
	if (r < 0)
		return r;
	r = loop_add_fd(gate->loop, fd, EPOLLIN, on_outer, flow, &flow->source);
	if (r < 0) {
		table_take(datagrams->flows, key);
		return r;
	}
	flow->datagrams = datagrams;
	flow->id = ++gate->last_flow_id;
	flow->key = key;
	flow->fd = steal_fd(&fd);
	flow->target = *target;
	flow->started_ns = flow->used_ns = clock_monotonic_ns();
	TAILQ_INSERT_TAIL(&gate->idle_datagrams, flow, in_idle);
	if (gate->n_datagram_flows++ == 0)
		arm(gate);
	*ret_flow = steal_ptr(&flow);
	return 0;
}

static bool is_full(const struct datagrams *datagrams)
{
	const struct gate *gate = datagrams->listener->gate;
	const struct wire_gate_config *limits = &gate->config.limits;

	return gate->n_datagram_flows >= limits->n_datagram_flows_max ||
	       table_count(datagrams->flows) >= limits->n_datagram_flows_per_sandbox_max ||
	       !gate_has_fds(gate, 1);
}

/* The kernel judged the row under an older policy than the one that was reviewed: the datagram was
 * on its way. Generations are compared as they wrap. */
static bool is_outdated(const struct listener *listener, const struct abi_datagram *target)
{
	return target->refused ||
	       (listener->policy && (int32_t)(ABI_SLOT_GENERATION(target->policy) -
					      ABI_SLOT_GENERATION(listener->policy)) < 0);
}

/* NULL: the datagram is dropped. */
static struct datagram_flow *start(struct datagrams *datagrams, uint64_t key, uint32_t index)
{
	const struct listener *listener = datagrams->listener;
	const struct gate_config *config = &listener->gate->config;
	const struct abi_datagram_key row = {.sandbox = listener->sandbox, .index = index};
	struct datagram_flow *flow = NULL;
	struct abi_datagram target;
	int r = config->lookup_datagram(config->lookup_datagram_userdata, &row, &target);

	if (r < 0 || is_outdated(listener, &target))
		return NULL;
	if (is_full(datagrams)) {
		refuse(datagrams, &target, WIRE_GATE_END_LIMIT, -EUSERS);
		return NULL;
	}
	r = flow_new(datagrams, key, &target, &flow);
	if (r < 0)
		refuse(datagrams, &target, WIRE_GATE_END_CONNECT, r);
	return flow;
}

static void pass_on(struct datagrams *datagrams, const struct sockaddr_storage *sender,
	const struct abi_address *inside, const void *bytes, size_t size_bytes)
{
	struct abi_address address;
	struct datagram_flow *flow;
	uint32_t index;
	uint16_t port;
	uint64_t key;

	if (destination_from_socket(sender, &address, &port) < 0 ||
		datagram_index(inside, &index) < 0 || datagram_key(&address, port, index, &key) < 0)
		return;
	flow = table_get(datagrams->flows, key);
	if (!flow)
		flow = start(datagrams, key, index);
	if (!flow)
		return;
	flow->sender = *sender;
	flow->inside = *inside;
	send_out(flow, bytes, size_bytes);
}

static void on_inner(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct datagrams *datagrams = userdata;
	char *buffer = datagrams->listener->gate->copy_buffer;

	for (int i = 0; i < DATAGRAMS_PER_WAKEUP; i++) {
		struct sockaddr_storage sender = {.ss_family = AF_UNSPEC};
		struct abi_address inside;
		ssize_t got = datagram_receive(
			datagrams->fd, buffer, COPY_BUFFER_BYTES, &sender, &inside);

		if (got == -EAGAIN)
			return;
		if (got >= 0)
			pass_on(datagrams, &sender, &inside, buffer, (size_t)got);
	}
}

/* ---- the socket inside */

int datagrams_open(struct listener *listener, int fd)
{
	_cleanup_close_ int owned = fd;
	_cleanup_free_ struct datagrams *datagrams = NULL;
	struct gate *gate = listener->gate;
	int r;

	if (listener->datagrams)
		return -EEXIST;
	if (!gate_has_fds(gate, 1))
		return -ENOSPC;
	datagrams = calloc(1, sizeof(*datagrams));
	if (!datagrams)
		return -ENOMEM;
	r = fd_set_nonblocking(fd, true);
	if (r == 0)
		r = datagram_prepare(fd);
	if (r == 0)
		r = table_new(UINT16_MAX, &datagrams->flows);
	if (r == 0)
		r = loop_add_fd(gate->loop, fd, EPOLLIN, on_inner, datagrams, &datagrams->source);
	if (r < 0) {
		table_free(datagrams->flows);
		return r;
	}
	datagrams->listener = listener;
	datagrams->fd = steal_fd(&owned);
	gate->n_datagram_sockets++;
	listener->datagrams = steal_ptr(&datagrams);
	return 0;
}

void datagrams_close(struct listener *listener, enum wire_gate_end end)
{
	struct datagrams *datagrams = listener->datagrams;
	struct datagram_flow *flow;
	size_t position = 0;

	if (!datagrams)
		return;
	while ((flow = table_next(datagrams->flows, &position))) {
		if (end)
			flow_finish(flow, end, 0);
		else
			flow_free(flow);
	}
	table_free(datagrams->flows);
	loop_source_free(datagrams->source);
	close(datagrams->fd);
	listener->gate->n_datagram_sockets--;
	free(datagrams);
	listener->datagrams = NULL;
}

/* ---- another policy */

size_t datagrams_review(
	struct listener *listener, struct wire_gate_review_flow *ret_flows, size_t n_max)
{
	struct datagram_flow *flow;
	size_t position = 0, n = 0;

	if (!listener->datagrams)
		return 0;
	while ((flow = table_next(listener->datagrams->flows, &position))) {
		if (n == n_max)
			flow_finish(flow, WIRE_GATE_END_POLICY, -EACCES);
		else
			ret_flows[n++] = (struct wire_gate_review_flow){.id = flow->id,
				.address = flow->target.address,
				.port = flow->target.port,
				.protocol = IPPROTO_UDP};
	}
	return n;
}

void datagrams_reset(struct listener *listener, const uint64_t *ids, size_t n_ids)
{
	struct datagram_flow *flow;
	size_t position = 0;

	if (!listener->datagrams)
		return;
	while ((flow = table_next(listener->datagrams->flows, &position))) {
		for (size_t i = 0; i < n_ids; i++) {
			if (ids[i] != flow->id)
				continue;
			flow_finish(flow, WIRE_GATE_END_POLICY, -EACCES);
			break;
		}
	}
}
