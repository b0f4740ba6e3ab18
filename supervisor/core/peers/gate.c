/* The relay process and the sockets that it serves: cloched opens them inside each sandbox and
 * keeps a copy, so that a new gate gets the very same ones and connections wait instead of failing
 * over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/datagram.h"
#include "supervisor/base/address.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/peers/peer.h"
#include "supervisor/core/peers/resolvers.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/wire/gate.h"
#include "supervisor/wire/strings.h"

#define GATE_FALLBACK_ID 61181
#define DNS_A 1 /* RFC 1035, 3.2.2; RFC 3596 */
#define DNS_AAAA 28
#define FLOWS_MAX 6000 /* each takes six descriptors; a process has 20,000 at least */
#define FLOWS_PER_SANDBOX_MAX 512
#define CONNECT_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS 600000
#define DATAGRAM_FLOWS_MAX 4096 /* each takes one descriptor */
#define DATAGRAM_FLOWS_PER_SANDBOX_MAX 256
#define DATAGRAM_TIMEOUT_MS 120000 /* what RFC 4787 asks of a NAT */

_Static_assert(FLOWS_PER_SANDBOX_MAX + DATAGRAM_FLOWS_PER_SANDBOX_MAX <= WIRE_GATE_REVIEW_MAX,
	"a swap looks at each");
_Static_assert(DATAGRAM_TIMEOUT_MS * 2 * NS_PER_MS < ABI_DATAGRAM_IDLE_NS,
	"the gate forgets a destination before the kernel gives its row away");

const char *egress_end_name(uint16_t end)
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

/* A text of the gate's, which may hold what a program inside chose. NULL for an empty one. */
static json_t *text(const char *field)
{
	return field[0] ? audit_text(field, strlen(field)) : NULL;
}

static void describe_flow(const struct wire_gate_flow *flow, json_t *body)
{
	static const struct abi_address nothing;
	char address[ADDRESS_TEXT_SIZE];

	address_to_text(flow->address.bytes, address);
	json_object_set_new(body, "address", json_string(address));
	json_object_set_new(body, "port", json_integer(flow->port));
	json_object_set_new(
		body, "protocol", json_string(flow->protocol == IPPROTO_UDP ? "udp" : "tcp"));
	json_object_set_new(body, "rule", json_integer(flow->rule));
	json_object_set_new(body, "name", text(flow->name));
	json_object_set_new(body, "said", text(flow->said));
	if (memcmp(&flow->dialled, &nothing, sizeof(nothing)) != 0) {
		address_to_text(flow->dialled.bytes, address);
		json_object_set_new(body, "dialled", json_string(address));
	}
	json_object_set_new(body, "end", json_string(egress_end_name(flow->end)));
	json_object_set_new(body, "error", json_integer(flow->error));
	json_object_set_new(body, "bytes_sent", json_integer((json_int_t)flow->bytes_sent));
	json_object_set_new(body, "bytes_received", json_integer((json_int_t)flow->bytes_received));
	json_object_set_new(body, "duration_us", json_integer((json_int_t)flow->duration_us));
}

static int on_flow(struct core *core, const struct channel_message *message)
{
	const struct wire_gate_flow *flow = message->body;
	const struct sandbox *sandbox;
	struct audit_subject subject;
	json_t *body;

	if (message->body_size != sizeof(*flow) || !WIRE_TEXT_VALID(flow->name) ||
		!WIRE_TEXT_VALID(flow->said))
		return -EPROTO;
	subject = (struct audit_subject){.sandbox = flow->sandbox};
	sandbox = table_get(core->sandboxes, flow->sandbox);
	if (sandbox)
		sandbox_subject(sandbox, &subject);
	if (flow->end < CORE_FLOW_ENDS_MAX)
		core->counts.flow_ends[flow->end]++;
	destinations_flow(core, flow);
	body = json_object();
	describe_flow(flow, body);
	audit_record(core->audit, "network.flow", &subject, body);
	return 0;
}

static int on_name(struct core *core, const struct channel_message *message)
{
	const struct wire_gate_name *ask = message->body;
	struct sandbox *sandbox;

	if (message->body_size != sizeof(*ask) || !WIRE_TEXT_VALID(ask->name))
		return -EPROTO;
	sandbox = table_get(core->sandboxes, ask->sandbox);
	if (sandbox && (sandbox->phase == PHASE_CLAIMED || sandbox->phase == PHASE_RUNNING))
		names_ask(sandbox, message->header->cookie, ask->name);
	return 0;
}

static int on_dns(struct core *core, const struct channel_message *message)
{
	const struct wire_gate_dns *query = message->body;
	struct sandbox *sandbox;
	struct audit_subject subject;
	json_t *shadow = NULL;
	struct policy_recorded_answer answer;

	if (message->body_size != sizeof(*query) || !WIRE_TEXT_VALID(query->name))
		return -EPROTO;
	answer = (struct policy_recorded_answer){.name = query->name,
		.type = query->type,
		.rcode = query->rcode,
		.extended_error = query->error == 0xffff ? -1 : query->error,
		.n_records = query->n_records};
	subject = (struct audit_subject){.sandbox = query->sandbox};
	sandbox = table_get(core->sandboxes, query->sandbox);
	if (sandbox)
		sandbox_subject(sandbox, &subject);
	if (sandbox)
		shadow = shadow_note_query(sandbox, &answer);
	audit_record(core->audit, "network.dns", &subject,
		json_pack("{s:s, s:o, s:i, s:i, s:b, s:o*, s:o*, s:o*, s:o*}", "verdict",
			query->rcode == 0 ? "allow" : "deny", "name",
			audit_text(query->name, strlen(query->name)), "qtype", (int)query->type,
			"rcode", (int)query->rcode, "tcp", (int)query->over_tcp, "extended_error",
			query->error == 0xffff ? NULL : json_integer(query->error), "records",
			query->n_records ? json_integer(query->n_records) : NULL, "bytes",
			query->n_records ? json_integer(query->records_bytes) : NULL, "shadow",
			shadow));
	return 0;
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
		return on_flow(core, message);
	case WIRE_GATE_NAME:
		return on_name(core, message);
	case WIRE_GATE_DNS:
		return on_dns(core, message);
	case WIRE_GATE_USED:
		return destinations_used(core, message);
	case WIRE_GATE_REVIEW:
		return swap_review(core, message);
	case WIRE_GATE_SWAPPED:
		return swap_done(core, message);
	case WIRE_GATE_STATE:
		if (message->body_size != sizeof(*state))
			return -EPROTO;
		core->counts.n_flows = state->n_flows;
		return 0;
	}
	return -EPROTO;
}

int egress_send(struct core *core, uint16_t type, uint64_t cookie, const void *body,
	size_t body_size, const void *tail, size_t tail_size)
{
	struct channel *channel = core->gate ? peer_channel(core->gate) : NULL;

	if (!channel)
		return -EPIPE;
	return channel_send(channel, type, cookie, body, body_size, tail, tail_size, NULL, 0);
}

static void send_datagrams(struct sandbox *sandbox)
{
	const struct wire_gate_close body = {.sandbox = sandbox->id};
	struct channel *channel = peer_channel(sandbox->core->gate);

	if (channel && sandbox->sockets.datagram_port != 0)
		channel_send(channel, WIRE_GATE_OPEN_DATAGRAMS, 0, &body, sizeof(body), NULL, 0,
			&sandbox->sockets.datagram_fd, 1);
}

void egress_open(struct sandbox *sandbox)
{
	const struct launch_sockets *sockets = &sandbox->sockets;
	const struct wire_gate_open body = {
		.sandbox = sandbox->id, .netns_cookie = sockets->netns_cookie};
	const int fds[] = {sockets->relay_fd, sockets->dns_udp_fd, sockets->dns_tcp_fd};
	struct channel *channel = peer_channel(sandbox->core->gate);

	if (!channel || sockets->relay_port == 0)
		return;
	channel_send(
		channel, WIRE_GATE_OPEN, 0, &body, sizeof(body), NULL, 0, fds, ARRAY_SIZE(fds));
	send_datagrams(sandbox);
	names_send_all(sandbox);
}

void egress_close(struct sandbox *sandbox)
{
	const struct wire_gate_close body = {.sandbox = sandbox->id};
	struct launch_sockets *sockets = &sandbox->sockets;

	if (sockets->relay_port == 0)
		return;
	egress_send(sandbox->core, WIRE_GATE_CLOSE, 0, &body, sizeof(body), NULL, 0);
	close(sockets->relay_fd);
	close(sockets->dns_udp_fd);
	close(sockets->dns_tcp_fd);
	if (sockets->datagram_port != 0)
		close(sockets->datagram_fd);
	*sockets = (struct launch_sockets){0};
}

static int listen_streams(struct sandbox *sandbox, struct failure *why)
{
	int r;

	if (sandbox->sockets.relay_port != 0)
		return 0;
	r = launch_open_inside(sandbox->pidfd, &sandbox->sockets);
	if (r < 0)
		return failure_set(why, r, "gate", "the gate's sockets inside were not opened");
	enforce_slot_set_ports(sandbox->core->enforce, sandbox->slot, sandbox->sockets.relay_port,
		sandbox->sockets.dns_port);
	egress_open(sandbox);
	return 0;
}

static int listen_datagrams(struct sandbox *sandbox, struct failure *why)
{
	int r;

	if (sandbox->sockets.datagram_port != 0)
		return 0;
	r = launch_open_datagrams(sandbox->pidfd, &sandbox->sockets);
	if (r < 0)
		return failure_set(
			why, r, "gate", "the gate's socket for datagrams was not opened");
	enforce_slot_set_datagram_port(
		sandbox->core->enforce, sandbox->slot, sandbox->sockets.datagram_port);
	send_datagrams(sandbox);
	return 0;
}

int egress_listen(struct sandbox *sandbox, const struct policy *policy, struct failure *why)
{
	int r = policy_has_network(policy) ? listen_streams(sandbox, why) : 0;

	return r == 0 && policy_has_datagrams(policy) ? listen_datagrams(sandbox, why) : r;
}

static void on_up(struct peer *peer, void *userdata)
{
	struct core *core = userdata;
	struct wire_gate_config body = {.n_flows_max = FLOWS_MAX,
		.n_flows_per_sandbox_max = FLOWS_PER_SANDBOX_MAX,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS,
		.idle_timeout_ms = IDLE_TIMEOUT_MS,
		.n_datagram_flows_max = DATAGRAM_FLOWS_MAX,
		.n_datagram_flows_per_sandbox_max = DATAGRAM_FLOWS_PER_SANDBOX_MAX,
		.datagram_timeout_ms = DATAGRAM_TIMEOUT_MS};
	_cleanup_close_ int flows_fd = -1, datagrams_fd = -1;
	struct sandbox *sandbox;
	size_t position = 0;
	int r = enforce_flows_fd(core->enforce, &flows_fd), fds[2];

	body.n_resolvers = (uint32_t)resolvers_find(core->config->resolver, body.resolvers);
	core->gate = peer;
	if (r == 0)
		r = enforce_datagrams_fd(core->enforce, &datagrams_fd);
	fds[0] = flows_fd;
	fds[1] = datagrams_fd;
	if (r == 0)
		r = channel_send(peer_channel(peer), WIRE_GATE_CONFIG, 0, &body, sizeof(body), NULL,
			0, fds, ARRAY_SIZE(fds));
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

	struct sandbox *sandbox;
	size_t position = 0;

	core->gate_up = false;
	core->counts.n_flows = 0;
	while ((sandbox = table_next(core->sandboxes, &position)))
		swap_gate_down(sandbox);
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
