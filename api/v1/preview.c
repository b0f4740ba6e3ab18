#include "api/v1/preview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/stream.h"
#include "api/http/upgrade.h"
#include "api/text/json.h"

#define READ_BYTES (64 * 1024)
#define DESCRIBE_MS 1000

static void close_socket(struct preview *preview)
{
	preview->source = loop_source_free(preview->source);
	loop_timer_disarm(preview->timer);
	if (preview->fd >= 0)
		close(steal_fd(&preview->fd));
}

/* cloched need not look after it any more. */
static void leave(struct preview *preview)
{
	struct calls *calls = server_calls(preview->server);

	if (preview->cookie == 0)
		return;
	calls_forget(calls, preview->cookie);
	calls_tell(calls, WIRE_API_PORT_LEFT, preview->cookie, &preview->request->caller,
		sizeof(preview->request->caller));
}

static void preview_ended(struct request *request)
{
	struct preview *preview = request->context;

	request->context = NULL;
	leave(preview);
	preview->tunnel = tunnel_free(preview->tunnel);
	if (preview->kind == PREVIEW_WEBSOCKET)
		server_leave_upgrade(preview->server);
	close_socket(preview);
	loop_source_free(preview->timer);
	writer_fini(&preview->out);
	writer_fini(&preview->in);
	server_leave_exec(preview->server);
	free(preview);
}

/* Before the answer began it can still be said what is wrong. */
static void fail(struct preview *preview, unsigned status, const char *detail)
{
	close_socket(preview);
	if (preview->answering)
		stream_break(preview->request);
	else
		respond_status(preview->request, status, detail);
}

static void describe(struct preview *preview, bool is_open)
{
	struct writer *writer = &preview->request->answer;

	close_socket(preview);
	json_write_open(writer, '{');
	json_write_name(writer, "url");
	writer_print(writer, "\"%s/\"", preview->prefix);
	json_write_number(writer, "port", preview->port);
	json_write_boolean(writer, "open", is_open);
	json_write_close(writer, '}');
	respond_json(preview->request, 200);
}

static void refuse_nobody(struct preview *preview)
{
	char detail[96];

	snprintf(detail, sizeof(detail), "nothing listens on port %u of the sandbox's loopback",
		preview->port);
	if (preview->kind == PREVIEW_DESCRIBE)
		describe(preview, false);
	else
		fail(preview, 502, detail);
}

static void refuse_form(struct preview *preview, ssize_t error)
{
	if (error == -EMSGSIZE)
		fail(preview, 502, "the head of the sandbox's answer is too large");
	else if (error == -ENOMEM)
		fail(preview, 502, "there is no memory for the sandbox's answer");
	else
		fail(preview, 502, "what listens in the sandbox does not answer in HTTP/1");
}

/* ---- out */

static size_t out_size(const struct preview *preview)
{
	return preview->out.size + preview->request->body_size;
}

static bool is_sending(const struct preview *preview)
{
	return preview->out_sent < out_size(preview);
}

static uint32_t wanted_events(const struct preview *preview)
{
	return EPOLLIN | (!preview->connected || is_sending(preview) ? EPOLLOUT : 0);
}

/* A server may answer and close before it has read all: then the rest is not sent, and the answer
 * is still read. */
static void send_some(struct preview *preview)
{
	const struct request *request = preview->request;

	while (is_sending(preview)) {
		size_t head_size = preview->out.size;
		bool in_head = preview->out_sent < head_size;
		const char *from = in_head ? preview->out.bytes + preview->out_sent
					   : request->body + (preview->out_sent - head_size);
		size_t left = (in_head ? head_size : out_size(preview)) - preview->out_sent;
		ssize_t sent = send(preview->fd, from, left, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		preview->out_sent = sent < 0 ? out_size(preview) : preview->out_sent + (size_t)sent;
	}
}

/* ---- in */

static void finish(struct preview *preview)
{
	close_socket(preview);
	stream_finish(preview->request);
}

static void take_body(struct preview *preview, const char *bytes, size_t size)
{
	struct writer *writer = stream_writer(preview->request);

	if (preview_body_feed(&preview->body, bytes, size, writer) < 0 || writer->failed) {
		fail(preview, 0, NULL);
		return;
	}
	if (preview->body.done) {
		finish(preview);
		return;
	}
	stream_flush(preview->request);
	if (stream_is_full(preview->request))
		preview->source = loop_source_free(preview->source);
}

static void on_drained(void *userdata);

static ssize_t take_switch(struct preview *preview, const struct preview_head *head)
{
	int r = preview->kind == PREVIEW_WEBSOCKET ? preview_begin_upgrade(preview, head) : -EPROTO;

	if (r < 0)
		return r;
	preview->source = loop_source_free(preview->source);
	loop_timer_disarm(preview->timer);
	preview->switching = true;
	return 0;
}

/* Interim answers (103 and the like) are passed over. */
static void take_head(struct preview *preview)
{
	struct writer *in = &preview->in;

	for (;;) {
		struct preview_head head = {0};
		ssize_t used = preview_head_parse(in->bytes, in->size, preview->to_head, &head);

		if (used > 0 && head.status == 101 && take_switch(preview, &head) < 0)
			used = -EPROTO;
		if (used > 0 && head.status >= 200) {
			preview_body_begin(&preview->body, &head);
			used = preview_begin_answer(preview, &head, on_drained) < 0 ? -ENOMEM
										    : used;
			preview->answering = used > 0 || preview->request->stream;
		}
		writer_fini(&head.headers);
		if (used < 0) {
			refuse_form(preview, used);
			return;
		}
		if (used == 0)
			return;
		in->size -= (size_t)used;
		memmove(in->bytes, in->bytes + used, in->size);
		if (preview->switching)
			return;
		if (preview->answering)
			break;
		if (in->size == 0)
			return;
	}
	if (preview->body.done)
		finish(preview);
	else
		take_body(preview, in->bytes, in->size);
}

static void take_end(struct preview *preview)
{
	if (preview->answering && preview_body_end(&preview->body) == 0)
		finish(preview);
	else
		fail(preview, 502, "the server in the sandbox closed before it had answered");
}

static void receive_some(struct preview *preview)
{
	char *buffer = loop_scratch(server_loop(preview->server), READ_BYTES);
	ssize_t got = buffer ? recv(preview->fd, buffer, READ_BYTES, MSG_DONTWAIT) : -1;
	const struct server_limits *limits = server_limits(preview->server);

	if (!buffer)
		fail(preview, 502, "there is no memory for the sandbox's answer");
	else if (got < 0 && errno != EAGAIN && errno != EINTR)
		fail(preview, 502, "the server in the sandbox closed before it had answered");
	else if (got == 0)
		take_end(preview);
	if (got <= 0)
		return;
	if (preview->answering) {
		loop_timer_arm(preview->timer, limits->preview_idle_ms, 0);
		take_body(preview, buffer, (size_t)got);
		return;
	}
	writer_bytes(&preview->in, buffer, (size_t)got);
	if (preview->in.failed)
		refuse_form(preview, -ENOMEM);
	else
		take_head(preview);
	if (preview->fd >= 0 && preview->answering)
		loop_timer_arm(preview->timer, limits->preview_idle_ms, 0);
}

/* ---- the socket */

/* Returns false when it is settled: refused, or open and only that was asked. */
static bool take_connected(struct preview *preview)
{
	socklen_t size = sizeof(int);
	int error = 0;

	if (getsockopt(preview->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
		refuse_nobody(preview);
		return false;
	}
	preview->connected = true;
	if (preview->kind == PREVIEW_DESCRIBE)
		describe(preview, true);
	return preview->kind != PREVIEW_DESCRIBE;
}

static void on_io(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct preview *preview = userdata;

	if (!preview->connected && !take_connected(preview))
		return;
	if (events & EPOLLOUT)
		send_some(preview);
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		receive_some(preview);
	if (preview->source && loop_source_set_events(preview->source, wanted_events(preview)) < 0)
		fail(preview, 502, "the connection to the sandbox cannot be watched");
}

/* The client has read what there was. */
static void on_drained(void *userdata)
{
	struct preview *preview = userdata;

	if (preview->source || preview->fd < 0)
		return;
	if (loop_add_fd(server_loop(preview->server), preview->fd, wanted_events(preview), on_io,
		    preview, &preview->source) < 0)
		fail(preview, 502, NULL);
}

static void on_late(struct loop_source *source _unused_, void *userdata)
{
	struct preview *preview = userdata;

	/* A client that does not read is libmicrohttpd's to give up. */
	if (preview->answering && !preview->source) {
		loop_timer_arm(preview->timer, server_limits(preview->server)->preview_idle_ms, 0);
		return;
	}
	if (preview->kind == PREVIEW_DESCRIBE)
		describe(preview, false);
	else
		fail(preview, 504, "the server in the sandbox does not answer in time");
}

static int watch(struct preview *preview)
{
	const struct server_limits *limits = server_limits(preview->server);
	int r = loop_add_fd(server_loop(preview->server), preview->fd, EPOLLIN | EPOLLOUT, on_io,
		preview, &preview->source);

	if (r < 0)
		return r;
	return loop_timer_arm(preview->timer,
		preview->kind == PREVIEW_DESCRIBE ? DESCRIBE_MS : limits->preview_head_ms, 0);
}

/* The policy closed the port, or the sandbox is ending. */
static void take_closed(struct preview *preview)
{
	preview->cookie = 0;
	if (preview->switching) {
		preview->tunnel = tunnel_free(preview->tunnel);
		request_abandon(preview->request);
		return;
	}
	if (preview->fd < 0) /* all that there was has been responded */
		return;
	close_socket(preview);
	if (preview->answering)
		stream_break(preview->request);
	else
		respond_problem(preview->request, WIRE_CODE_FORBIDDEN,
			"port %u was closed to previews, or its sandbox ended, before it had "
			"answered",
			preview->port);
}

static int on_port(struct request *request, const struct answer *answer)
{
	struct preview *preview = request->context;
	const struct wire_port *row = answer->body;

	if (answer->size != sizeof(*row) || row->sandbox != request->sandbox ||
		row->port != preview->port || answer->n_fds > 1)
		return -EPROTO;
	if (answer->type == WIRE_API_PORT_CLOSED && preview->cookie != 0) {
		take_closed(preview);
		return ANSWER_LAST;
	}
	if (answer->type != WIRE_API_PORT || preview->cookie != 0)
		return -EPROTO;
	if (answer->n_fds == 0) {
		refuse_nobody(preview);
		return ANSWER_LAST;
	}
	preview->fd = steal_fd(&answer->fds[0]);
	if (watch(preview) < 0)
		fail(preview, 502, "the connection to the sandbox cannot be watched");
	if (preview->kind == PREVIEW_DESCRIBE)
		return ANSWER_LAST;
	preview->cookie = answer->cookie;
	return ANSWER_MORE;
}

static struct preview *preview_new(struct request *request, uint16_t port, enum preview_kind kind)
{
	struct preview *preview = calloc(1, sizeof(*preview));
	char id[ID_SIZE];

	if (!preview)
		return NULL;
	preview->request = request;
	preview->server = request->server;
	preview->port = port;
	preview->kind = kind;
	preview->to_head = strcmp(request->method, "HEAD") == 0;
	preview->fd = -1;
	id_write_sandbox(request->sandbox, id);
	snprintf(preview->prefix, sizeof(preview->prefix), "/v1/sandboxes/%s/ports/%u", id, port);
	if (loop_add_timer(server_loop(request->server), on_late, preview, &preview->timer) < 0) {
		free(preview);
		return NULL;
	}
	request->context = preview;
	request->ended = preview_ended;
	request->ends_with_client = true;
	return preview;
}

static bool enter(struct server *server, enum preview_kind kind)
{
	if (!server_enter_exec(server))
		return false;
	if (kind != PREVIEW_WEBSOCKET || server_enter_upgrade(server))
		return true;
	server_leave_exec(server);
	return false;
}

void preview_start(struct request *request, uint16_t port, enum preview_kind kind)
{
	const struct wire_port_open open = {.caller = request->caller,
		.sandbox = request->sandbox,
		.port = port,
		.is_watched = kind != PREVIEW_DESCRIBE};
	struct preview *preview;
	int r = 0;

	if (!enter(request->server, kind)) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE,
			"too many commands and previews are under way; try again in a moment");
		return;
	}
	preview = preview_new(request, port, kind);
	if (!preview) {
		server_leave_exec(request->server);
		if (kind == PREVIEW_WEBSOCKET)
			server_leave_upgrade(request->server);
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "there is no memory left");
		return;
	}
	if (kind != PREVIEW_DESCRIBE)
		r = preview_write_request(preview);
	if (r < 0)
		respond_problem(request, r == -EINVAL ? WIRE_CODE_INVALID : WIRE_CODE_UNAVAILABLE,
			r == -EINVAL ? "the path or a header cannot be passed on; write the "
				       "sandbox and the port as the API does, and no control "
				       "characters"
				     : "there is no memory left");
	else
		request_ask(request, WIRE_API_PORT_OPEN, &open, sizeof(open), NULL, 0, on_port);
}
