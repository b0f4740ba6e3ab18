/* Tickets for WebSockets from browsers: "?cloche_ticket=…" at the end of the preview's address. The
 * server inside does not see it. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/ticket.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/preview.h"
#include "supervisor/base/clock.h"

#define LIFE_DEFAULT_S 60
#define LIFE_MAX_S 3600

static const char parameter[] = "cloche_ticket=";

static bool is_ticket(const char *argument, size_t size)
{
	return size >= sizeof(parameter) - 1 &&
	       memcmp(argument, parameter, sizeof(parameter) - 1) == 0;
}

void preview_write_target(struct writer *out, const char *target)
{
	const char *query = strchr(target, '?');
	char separator = '?';

	if (!query || !strstr(query, parameter)) {
		writer_text(out, target);
		return;
	}
	writer_bytes(out, target, (size_t)(query - target));
	while (*query) {
		size_t size = strcspn(++query, "&");

		if (!is_ticket(query, size)) {
			writer_bytes(out, &separator, 1);
			writer_bytes(out, query, size);
			separator = '&';
		}
		query += size;
	}
}

bool preview_redeem_ticket(struct request *request, uint16_t port)
{
	const char *target = request_target(request);
	const char *query = target ? strchr(target, '?') : NULL;

	while (query && *query) {
		size_t size = strcspn(++query, "&"), name = sizeof(parameter) - 1;

		if (is_ticket(query, size))
			return ticket_redeem(server_tickets(request->server), query + name,
				size - name, request->sandbox, port, clock_monotonic_ns(),
				request->caller.key);
		query += size;
	}
	return false;
}

/* ---- issuing one */

struct wish {
	uint16_t port;
	uint64_t life_s;
};

static void wish_ended(struct request *request)
{
	free(request->context);
}

static void write_ticket(struct request *request, const struct wish *wish, const char *text)
{
	struct writer *writer = &request->answer;
	char id[ID_SIZE];

	id_write_sandbox(request->sandbox, id);
	json_write_open(writer, '{');
	json_write_name(writer, "url");
	writer_print(
		writer, "\"/v1/sandboxes/%s/ports/%u/?%s%s\"", id, wish->port, parameter, text);
	json_write_number(writer, "port", wish->port);
	json_write_text(writer, "ticket", text);
	json_write_time(writer, "expires_at", clock_realtime_ns() + wish->life_s * NS_PER_SECOND);
	json_write_close(writer, '}');
	respond_header(request, "Cache-Control", "no-store");
	respond_json(request, 201);
}

/* cloched has said that the key may reach the port; its connection was only for that. */
static int on_port(struct request *request, const struct answer *answer)
{
	const struct wish *wish = request->context;
	const struct wire_port *row = answer->body;
	struct ticket_use use = {.sandbox = request->sandbox, .port = wish->port};
	char text[TICKET_SIZE];
	int r;

	if (answer->type != WIRE_API_PORT || answer->size != sizeof(*row) ||
		row->sandbox != request->sandbox || row->port != wish->port || answer->n_fds > 1)
		return -EPROTO;
	memcpy(use.key, request->caller.key, sizeof(use.key));
	r = ticket_issue(server_tickets(request->server), &use, clock_monotonic_ns(),
		wish->life_s * NS_PER_SECOND, text);
	if (r == 0)
		write_ticket(request, wish, text);
	else
		respond_problem(request, r == -EDQUOT ? WIRE_CODE_LIMIT : WIRE_CODE_UNAVAILABLE,
			"there are too many tickets; wait until some have expired");
	return ANSWER_LAST;
}

void preview_issue_ticket(struct request *request, uint16_t port)
{
	const struct wire_port_open open = {
		.caller = request->caller, .sandbox = request->sandbox, .port = port};
	struct wish *wish = calloc(1, sizeof(*wish));
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;

	if (!wish) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "there is no memory left");
		return;
	}
	*wish = (struct wish){port, LIFE_DEFAULT_S};
	request->context = wish;
	request->ended = wish_ended;
	if (!body_parse(request, &object))
		return;
	fields_begin(&fields, object, "", &error);
	fields_integer(&fields, "ttl_seconds", 1, LIFE_MAX_S, &wish->life_s);
	fields_end(&fields);
	if (body_accept(request, &error))
		request_ask(request, WIRE_API_PORT_OPEN, &open, sizeof(open), NULL, 0, on_port);
}
