#include "supervisor/gate/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/dial/memory.h"
#include "supervisor/gate/datagrams/datagrams.h"
#include "supervisor/gate/flows/account.h"
#include "supervisor/gate/flows/flow.h"
#include "supervisor/gate/flows/phase.h"
#include "supervisor/gate/flows/turns.h"
#include "supervisor/gate/inlets/listener.h"
#include "supervisor/gate/state.h"

#define LISTENERS_MAX 16384
/* Descriptors kept for the questions to the host's resolvers: this part of all, so many at most. */
#define UPSTREAM_PART 8
#define UPSTREAM_FDS_MAX 2048

static bool has_fds(void *userdata, size_t n)
{
	return gate_has_fds(userdata, n);
}

static int ask(void *userdata, const struct wire_gate_name *name)
{
	const struct gate_config *config = &((struct gate *)userdata)->config;

	return config->ask ? config->ask(config->report_userdata, name) : -ENOTCONN;
}

static int report_dns(void *userdata, const struct wire_gate_dns *line)
{
	const struct gate_config *config = &((struct gate *)userdata)->config;

	return config->report_dns ? config->report_dns(config->report_userdata, line) : -ENOTCONN;
}

static int init_names(struct gate *gate)
{
	const struct wire_gate_config *limits = &gate->config.limits;
	struct names_config config = gate->config.names;
	int r;

	config.ask = ask;
	config.report = report_dns;
	config.has_fds = has_fds;
	config.userdata = gate;
	config.resolvers = limits->resolvers;
	config.n_resolvers = limits->n_resolvers;
	r = names_new(gate->loop, &config, &gate->names);
	if (r < 0)
		return r;
	return upstream_new(gate->loop, limits->resolvers, limits->n_resolvers, &gate->upstream);
}

static int init(struct gate *gate)
{
	int r = turns_init(gate);

	if (r == 0)
		r = phase_init_timers(gate);
	if (r == 0)
		r = listener_init_timers(gate);
	if (r == 0)
		r = datagrams_init_timer(gate);
	if (r == 0)
		r = table_new(LISTENERS_MAX, &gate->listeners);
	if (r == 0)
		r = dial_memory_new(&gate->dial_memory);
	if (r == 0)
		r = init_names(gate);
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
		(limits->n_datagram_flows_max > 0 && limits->datagram_timeout_ms == 0) ||
		limits->connect_timeout_ms == 0 || limits->idle_timeout_ms == 0 ||
		limits->n_resolvers > WIRE_GATE_RESOLVERS_MAX)
		return -EINVAL;
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return -ENOMEM;
	gate->loop = loop;
	gate->config = *config;
	TAILQ_INIT(&gate->untold);
	if (gate->config.inspection_timeout_ms == 0)
		gate->config.inspection_timeout_ms = INSPECTION_TIMEOUT_MS;
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
		datagrams_close(listener, 0);
		listener_free(listener);
	}
	account_fini(gate);
	table_free(gate->listeners);
	names_free(gate->names);
	upstream_free(gate->upstream);
	dial_memory_free(gate->dial_memory);
	datagrams_fini_timer(gate);
	listener_fini_timers(gate);
	phase_fini_timers(gate);
	turns_fini(gate);
	pipes_fini(&gate->pipes);
	free(gate->copy_buffer);
	free(gate);
	return NULL;
}

static void close_all(const struct gate_sockets *sockets)
{
	close(sockets->relay);
	if (sockets->dns_udp >= 0)
		close(sockets->dns_udp);
	if (sockets->dns_tcp >= 0)
		close(sockets->dns_tcp);
}

int gate_open(struct gate *gate, uint64_t sandbox, uint64_t netns_cookie,
	const struct gate_sockets *sockets)
{
	struct listener *listener;
	int r = 0;

	if (table_get(gate->listeners, sandbox))
		r = -EEXIST;
	else if (!gate_has_fds(gate, sockets->dns_udp >= 0 ? 3 : 1))
		r = -ENOSPC;
	if (r < 0) {
		close_all(sockets);
		return r;
	}
	r = listener_new(gate, sandbox, netns_cookie, sockets, &listener);
	if (r < 0)
		return r;
	r = table_put(gate->listeners, sandbox, listener);
	if (r < 0)
		listener_free(listener);
	return r;
}

int gate_open_datagrams(struct gate *gate, uint64_t sandbox, int fd)
{
	struct listener *listener = table_get(gate->listeners, sandbox);

	if (listener && gate->config.lookup_datagram)
		return datagrams_open(listener, fd);
	close(fd);
	return listener ? -EINVAL : -ENOENT;
}

void gate_close(struct gate *gate, uint64_t sandbox)
{
	struct listener *listener = table_take(gate->listeners, sandbox);

	if (!listener)
		return;
	while (!TAILQ_EMPTY(&listener->flows))
		flow_end(TAILQ_FIRST(&listener->flows), WIRE_GATE_END_SANDBOX, 0);
	datagrams_close(listener, WIRE_GATE_END_SANDBOX);
	listener_free(listener);
}

int gate_take_ticket(struct gate *gate, const struct wire_gate_ticket *ticket)
{
	struct listener *listener = table_get(gate->listeners, ticket->sandbox);

	if (!ticket_is_sound(ticket))
		return -EPROTO;
	if (listener)
		names_take_ticket(listener->names, ticket);
	return 0;
}

static size_t fds_of_upstream(const struct gate_config *config)
{
	size_t part = config->n_fds_max / UPSTREAM_PART;

	if (config->limits.n_resolvers == 0)
		return 0;
	return part < UPSTREAM_FDS_MAX ? part : UPSTREAM_FDS_MAX;
}

bool gate_has_fds(const struct gate *gate, size_t n)
{
	size_t used = table_count(gate->listeners) + gate->n_dns_fds + gate->n_datagram_sockets +
		      gate->n_datagram_flows + names_count_fds(gate->names) + 2 * gate->n_flows +
		      gate->n_dial_fds + 2 * gate->pipes.n_all + fds_of_upstream(&gate->config);

	return used + n <= gate->config.n_fds_max;
}

void gate_count(const struct gate *gate, struct wire_gate_state *ret_state)
{
	*ret_state = (struct wire_gate_state){.n_flows = gate->n_flows + gate->n_datagram_flows,
		.n_flows_total = gate->n_flows_total};
}

void gate_tell_used(struct gate *gate)
{
	account_tell(gate);
}
