/* The relay process and the sockets that it serves: cloched opens them inside each sandbox and
 * keeps a copy, so that a new gate gets the very same ones and connections wait instead of failing
 * over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/address.h"
#include "supervisor/core/peer.h"
#include "supervisor/core/sandbox.h"
#include "supervisor/wire/gate.h"

#define GATE_FALLBACK_ID 61181
#define FLOWS_MAX 6000 /* each takes six descriptors; a process has 20,000 at least */
#define FLOWS_PER_SANDBOX_MAX 512
#define CONNECT_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS 600000

static const char *end_name(uint16_t end)
{
	switch ((enum wire_gate_end)end) {
	case WIRE_GATE_END_CLOSED:
		return "closed";
	case WIRE_GATE_END_RESET:
		return "reset";
	case WIRE_GATE_END_CONNECT:
		return "connect_failed";
	case WIRE_GATE_END_IDLE:
		return "idle_timeout";
	case WIRE_GATE_END_LIMIT:
		return "limit";
	case WIRE_GATE_END_NO_FLOW:
		return "not_asked_for";
	case WIRE_GATE_END_SANDBOX:
		return "sandbox_ended";
	case WIRE_GATE_END_NAME:
		return "other_name";
	case WIRE_GATE_END_PROTOCOL:
		return "other_protocol";
	case WIRE_GATE_END_RESOLVE:
		return "not_resolved";
	case WIRE_GATE_END_SPECIAL:
		return "special_address";
	case WIRE_GATE_END_POLICY:
		return "policy_changed";
	}
	return "unknown";
}

static void record_flow(struct core *core, const struct wire_gate_flow *flow)
{
	const struct sandbox *sandbox = table_get(core->sandboxes, flow->sandbox);
	struct audit_subject subject = {.sandbox = flow->sandbox};
	char address[64];

	if (sandbox)
		sandbox_subject(sandbox, &subject);
	address_to_text(&flow->address, address);
	audit_record(core->audit, "network.flow", &subject,
		json_pack("{s:s, s:i, s:i, s:s, s:i, s:I, s:I, s:I}", "address", address, "port",
			(int)flow->port, "rule", (int)flow->rule, "end", end_name(flow->end),
			"error", (int)flow->error, "bytes_sent", (json_int_t)flow->bytes_sent,
			"bytes_received", (json_int_t)flow->bytes_received, "duration_us",
			(json_int_t)flow->duration_us));
}

static int on_message(struct peer *peer _unused_, struct channel_message *message, void *userdata)
{
	struct core *core = userdata;
	const struct wire_gate_state *state = message->body;

	switch (message->header->type) {
	case WIRE_GATE_READY:
		if (message->body_size != 0)
			return -EPROTO;
		core->gate_up = true;
		return 0;
	case WIRE_GATE_FLOW:
		if (message->body_size != sizeof(struct wire_gate_flow))
			return -EPROTO;
		record_flow(core, message->body);
		return 0;
	case WIRE_GATE_STATE:
		if (message->body_size != sizeof(*state))
			return -EPROTO;
		core->counts.n_flows = state->n_flows;
		return 0;
	}
	return -EPROTO;
}

void egress_open(struct sandbox *sandbox)
{
	const struct wire_gate_open body = {
		.sandbox = sandbox->id, .netns_cookie = sandbox->netns_cookie};
	struct channel *channel = peer_channel(sandbox->core->gate);

	if (channel && sandbox->listen_fd >= 0)
		channel_send(channel, WIRE_GATE_OPEN, 0, &body, sizeof(body), NULL, 0,
			&sandbox->listen_fd, 1);
}

void egress_close(const struct sandbox *sandbox)
{
	const struct wire_gate_close body = {.sandbox = sandbox->id};
	struct channel *channel = peer_channel(sandbox->core->gate);

	if (channel && sandbox->listen_fd >= 0)
		channel_send(channel, WIRE_GATE_CLOSE, 0, &body, sizeof(body), NULL, 0, NULL, 0);
}

int egress_listen(struct sandbox *sandbox, struct failure *why)
{
	int r;

	if (sandbox->listen_fd >= 0)
		return 0;
	r = launch_listen_inside(
		sandbox->pidfd, &sandbox->listen_fd, &sandbox->gate_port, &sandbox->netns_cookie);
	if (r < 0)
		return failure_set(why, r, "gate", "the relay's socket inside was not opened");
	egress_open(sandbox);
	return 0;
}

static void on_up(struct peer *peer, void *userdata)
{
	struct core *core = userdata;
	const struct wire_gate_config body = {.n_flows_max = FLOWS_MAX,
		.n_flows_per_sandbox_max = FLOWS_PER_SANDBOX_MAX,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.idle_timeout_ms = IDLE_TIMEOUT_MS};
	_cleanup_close_ int flows_fd = -1;
	struct sandbox *sandbox;
	size_t position = 0;
	int r = enforce_flows_fd(core->enforce, &flows_fd);

	core->gate = peer;
	if (r == 0)
		r = channel_send(peer_channel(peer), WIRE_GATE_CONFIG, 0, &body, sizeof(body), NULL,
			0, &flows_fd, 1);
	if (r < 0) {
		log_error("cloche-gate was not configured: %s", strerror(-r));
		return;
	}
	while ((sandbox = table_next(core->sandboxes, &position)))
		egress_open(sandbox);
}

static void on_down(struct peer *peer _unused_, void *userdata)
{
	struct core *core = userdata;

	core->gate_up = false;
	core->counts.n_flows = 0;
}

int egress_start(struct core *core, struct failure *why)
{
	const struct peer_config config = {.name = "cloche-gate",
		.program = core->gate_program,
		.user = core->config->gate_user,
		.fallback_id = GATE_FALLBACK_ID,
		.message = on_message,
		.up = on_up,
		.down = on_down,
		.userdata = core};

	snprintf(core->gate_program, sizeof(core->gate_program), "%s/cloche-gate",
		core->config->libexec_dir);
	return peer_start(core->loop, &config, &core->gate, why);
}
