#include "supervisor/gate/serve.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"
#include "supervisor/gate/flows/table.h"
#include "supervisor/gate/gate.h"
#include "supervisor/wire/channel.h"

#define STATE_PERIOD_MS 1000
#define FDS_WITH_DNS 3 /* of OPEN */

struct serve {
	struct loop *loop;
	struct channel *channel;
	struct gate *gate; /* NULL until configured */
	int flows_fd, datagrams_fd;
	size_t n_fds_max;
	struct loop_source *state_timer;
	struct wire_gate_state state; /* as last told */
	uint64_t last_cookie;
};

static int report_flow(void *userdata, const struct wire_gate_flow *flow)
{
	struct serve *serve = userdata;

	return channel_send(
		serve->channel, WIRE_GATE_FLOW, 0, flow, sizeof(*flow), NULL, 0, NULL, 0);
}

static int report_dns(void *userdata, const struct wire_gate_dns *line)
{
	struct serve *serve = userdata;

	return channel_send(
		serve->channel, WIRE_GATE_DNS, 0, line, sizeof(*line), NULL, 0, NULL, 0);
}

static int report_used(void *userdata, const struct wire_gate_used *rows, size_t n)
{
	const struct wire_gate_used_page page = {.n_rows = (uint32_t)n};
	struct serve *serve = userdata;

	return channel_send(serve->channel, WIRE_GATE_USED, 0, &page, sizeof(page), rows,
		n * sizeof(*rows), NULL, 0);
}

static int ask(void *userdata, const struct wire_gate_name *name)
{
	struct serve *serve = userdata;

	return channel_send(serve->channel, WIRE_GATE_NAME, ++serve->last_cookie, name,
		sizeof(*name), NULL, 0, NULL, 0);
}

static int on_config(struct serve *serve, const struct channel_message *message, int *fds)
{
	struct gate_config config = {.n_fds_max = serve->n_fds_max,
		.lookup = flow_table_lookup,
		.lookup_userdata = &serve->flows_fd,
		.lookup_datagram = flow_table_lookup_datagram,
		.lookup_datagram_userdata = &serve->datagrams_fd,
		.report = report_flow,
		.ask = ask,
		.report_dns = report_dns,
		.report_used = report_used,
		.report_userdata = serve};
	int r;

	if (serve->gate)
		return -EPROTO;
	memcpy(&config.limits, message->body, sizeof(config.limits));
	r = gate_new(serve->loop, &config, &serve->gate);
	if (r < 0)
		return r == -EINVAL ? -EPROTO : r;
	serve->flows_fd = steal_fd(&fds[0]);
	serve->datagrams_fd = steal_fd(&fds[1]);
	return channel_send(serve->channel, WIRE_GATE_READY, 0, NULL, 0, NULL, 0, NULL, 0);
}

static int on_open(struct serve *serve, const struct channel_message *message, int *fds)
{
	const struct wire_gate_open *open = message->body;
	const struct gate_sockets sockets = {.relay = steal_fd(&fds[0]),
		.dns_udp = message->n_fds == FDS_WITH_DNS ? steal_fd(&fds[1]) : -1,
		.dns_tcp = message->n_fds == FDS_WITH_DNS ? steal_fd(&fds[2]) : -1};
	int r = gate_open(serve->gate, open->sandbox, open->netns_cookie, &sockets);

	if (r == -EEXIST)
		return -EPROTO;
	if (r < 0)
		log_warning("sandbox %016llx has no relay: %s", (unsigned long long)open->sandbox,
			strerror(-r));
	return 0;
}

static int on_open_datagrams(struct serve *serve, const struct channel_message *message, int *fds)
{
	const struct wire_gate_close *open = message->body;
	int r = gate_open_datagrams(serve->gate, open->sandbox, steal_fd(&fds[0]));

	if (r == -EEXIST)
		return -EPROTO;
	if (r < 0)
		log_warning("sandbox %016llx sends no datagrams: %s",
			(unsigned long long)open->sandbox, strerror(-r));
	return 0;
}

static int on_close(struct serve *serve, const struct channel_message *message, int *fds _unused_)
{
	const struct wire_gate_close *close_message = message->body;

	gate_close(serve->gate, close_message->sandbox);
	return 0;
}

static int on_ticket(struct serve *serve, const struct channel_message *message, int *fds _unused_)
{
	return gate_take_ticket(serve->gate, message->body);
}

static int on_swap(struct serve *serve, const struct channel_message *message, int *fds _unused_)
{
	struct wire_gate_review_flow flows[WIRE_GATE_REVIEW_MAX];
	const struct wire_gate_swap *swap = message->body;
	struct wire_gate_review review = {.sandbox = swap->sandbox};

	review.n_flows = (uint32_t)gate_review(serve->gate, swap, flows);
	return channel_send(serve->channel, WIRE_GATE_REVIEW, message->header->cookie, &review,
		sizeof(review), flows, review.n_flows * sizeof(flows[0]), NULL, 0);
}

static int on_verdicts(
	struct serve *serve, const struct channel_message *message, int *fds _unused_)
{
	const struct wire_gate_verdicts *verdicts = message->body;
	const struct wire_gate_close answer = {.sandbox = verdicts->sandbox};

	if (message->body_size != sizeof(*verdicts) + verdicts->n_reset * sizeof(uint64_t))
		return -EPROTO;
	gate_take_verdicts(serve->gate, verdicts->sandbox, (const uint64_t *)(verdicts + 1),
		verdicts->n_reset);
	return channel_send(serve->channel, WIRE_GATE_SWAPPED, message->header->cookie, &answer,
		sizeof(answer), NULL, 0, NULL, 0);
}

static const struct message_kind {
	uint16_t type;
	size_t body_size, n_fds, n_fds_or; /* either number of descriptors */
	bool before_config, has_tail;
	/* Takes from `fds` what it keeps. */
	int (*handle)(struct serve *serve, const struct channel_message *message, int *fds);
} message_kinds[] = {
	{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config), 2, 2, true, false, on_config},
	{WIRE_GATE_OPEN, sizeof(struct wire_gate_open), 1, FDS_WITH_DNS, false, false, on_open},
	{WIRE_GATE_OPEN_DATAGRAMS, sizeof(struct wire_gate_close), 1, 1, false, false,
		on_open_datagrams},
	{WIRE_GATE_CLOSE, sizeof(struct wire_gate_close), 0, 0, false, false, on_close},
	{WIRE_GATE_TICKET, sizeof(struct wire_gate_ticket), 0, 0, false, false, on_ticket},
	{WIRE_GATE_SWAP, sizeof(struct wire_gate_swap), 0, 0, false, false, on_swap},
	{WIRE_GATE_VERDICTS, sizeof(struct wire_gate_verdicts), 0, 0, false, true, on_verdicts},
};

static bool is_formed(const struct serve *serve, const struct message_kind *kind,
	const struct channel_message *message)
{
	if (message->n_fds != kind->n_fds && message->n_fds != kind->n_fds_or)
		return false;
	if (message->body_size < kind->body_size ||
		(message->body_size > kind->body_size && !kind->has_tail))
		return false;
	return serve->gate || kind->before_config;
}

static int on_message(
	struct channel *channel _unused_, struct channel_message *message, void *userdata)
{
	struct serve *serve = userdata;

	for (size_t i = 0; i < ARRAY_SIZE(message_kinds); i++) {
		const struct message_kind *kind = &message_kinds[i];

		if (kind->type != message->header->type)
			continue;
		if (!is_formed(serve, kind, message))
			return -EPROTO;
		return kind->handle(serve, message, message->fds);
	}
	return -EPROTO;
}

static void on_closed(struct channel *channel _unused_, int reason, void *userdata)
{
	struct serve *serve = userdata;

	if (reason < 0)
		log_error("supervisor: %s", strerror(-reason));
	loop_stop(serve->loop, reason < 0 ? 1 : 0);
}

static void on_state(struct loop_source *source _unused_, void *userdata)
{
	struct serve *serve = userdata;
	struct wire_gate_state now;

	if (!serve->gate)
		return;
	gate_tell_used(serve->gate);
	gate_count(serve->gate, &now);
	if (memcmp(&now, &serve->state, sizeof(now)) == 0)
		return;
	/* Not taken now: told at the next tick. */
	if (channel_send(serve->channel, WIRE_GATE_STATE, 0, &now, sizeof(now), NULL, 0, NULL, 0) ==
		0)
		serve->state = now;
}

int serve_new(struct loop *loop, int fd, size_t n_fds_max, struct serve **ret_serve)
{
	_cleanup_close_ int owned = fd;
	struct serve *serve = calloc(1, sizeof(*serve));
	int r;

	if (!serve)
		return -ENOMEM;
	serve->loop = loop;
	serve->flows_fd = serve->datagrams_fd = -1;
	serve->n_fds_max = n_fds_max;
	r = loop_add_timer(loop, on_state, serve, &serve->state_timer);
	if (r == 0)
		r = channel_new(
			loop, steal_fd(&owned), on_message, on_closed, serve, &serve->channel);
	if (r < 0) {
		serve_free(serve);
		return r;
	}
	loop_timer_arm(serve->state_timer, STATE_PERIOD_MS, STATE_PERIOD_MS);
	*ret_serve = serve;
	return 0;
}

struct serve *serve_free(struct serve *serve)
{
	if (!serve)
		return NULL;
	gate_free(serve->gate);
	channel_free(serve->channel);
	loop_source_free(serve->state_timer);
	if (serve->flows_fd >= 0)
		close(serve->flows_fd);
	if (serve->datagrams_fd >= 0)
		close(serve->datagrams_fd);
	free(serve);
	return NULL;
}
