#include "api/http/receive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/http/auth.h"
#include "api/http/connection.h"
#include "api/http/gzip.h"
#include "api/http/request.h"
#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/stream.h"
#include "api/http/upgrade.h"
#include "supervisor/base/clock.h"

/* A refused body up to this many times the limit is read and dropped, so that the answer is not
 * lost in the reset of a connection that is closed while data arrives. */
#define DISCARD_TIMES 4
#define BODY_FIRST_BYTES 4096

static void refuse(struct request *request, enum wire_api_code code, const char *detail)
{
	if (request->refused.code || request->refused_status)
		return;
	request->refused.code = code;
	snprintf(request->refused.detail, sizeof(request->refused.detail), "%s", detail);
}

static void refuse_too_large(struct request *request)
{
	const struct server_limits *limits = server_limits(request->server);
	char detail[128];

	snprintf(detail, sizeof(detail), "the body is larger than %zu bytes; send less",
		limits->body_bytes_max);
	refuse(request, WIRE_CODE_TOO_LARGE, detail);
}

/* libmicrohttpd makes it the end of a name, which would be another one than a proxy or a log saw.
 */
static bool has_nul(const struct request *request)
{
	const char *target = request_target(request);

	return target && strstr(target, "%00");
}

static void find_route(struct request *request)
{
	const struct route_table *routes = server_routes(request->server);
	struct route_match *match = &request->match;
	char allowed[sizeof(request->headers[0].value)];

	route_find(routes, request->method, request->path, match);
	if (match->route && match->too_long) {
		refuse(request, WIRE_CODE_INVALID, "a name in the path is too long");
		return;
	}
	/* What follows a preview's port is passed on as it was sent. */
	if (match->route && !(match->route->flags & ROUTE_TAIL) && has_nul(request)) {
		refuse(request, WIRE_CODE_INVALID, "neither a path nor a query has a zero byte");
		return;
	}
	if (match->route) {
		request->route = match->route;
		request->parameters = (const char(*)[WIRE_NAME_SIZE])match->parameters;
		return;
	}
	if (!match->path_known) {
		refuse(request, WIRE_CODE_NOT_FOUND,
			"there is nothing at this path; the paths begin with /v1/");
		return;
	}
	route_allowed(routes, request->path, allowed, sizeof(allowed));
	respond_header(request, "Allow", "%s", allowed);
	request->refused_status = 405;
	if (strcmp(request->method, "OPTIONS") == 0)
		request->refused_status = 204;
}

/* A handshake has no body, so nothing of a stranger's is kept before the ticket is looked at. */
static bool may_have_ticket(const struct request *request)
{
	return request_header(request, MHD_HTTP_HEADER_UPGRADE) &&
	       !request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH) &&
	       !request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static void check_key(struct request *request)
{
	const char *header = request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
	int r = auth_take_key(header, request->caller.key);

	if (r == 0 || (request->route->flags & ROUTE_OPEN))
		return;
	if (r == -ENOENT && (request->route->flags & ROUTE_TICKET) && may_have_ticket(request))
		return;
	refuse(request, WIRE_CODE_UNAUTHENTICATED,
		r == -ENOENT ? "a key is needed: send the header \"Authorization: Bearer KEY\""
			     : "the Authorization header must be \"Bearer KEY\"");
}

static bool is_json(const char *type)
{
	static const char json[] = "application/json";

	if (!type || strncasecmp(type, json, sizeof(json) - 1) != 0)
		return false;
	type += sizeof(json) - 1;
	return *type == '\0' || *type == ';' || *type == ' ';
}

static void check_body(struct request *request)
{
	const struct server_limits *limits = server_limits(request->server);
	const char *length = request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
	bool has_body = request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL ||
			(length && strcmp(length, "0") != 0);

	if (!has_body)
		return;
	if (length && strtoull(length, NULL, 10) > limits->body_bytes_max)
		refuse_too_large(request);
	if (request->route && (request->route->flags & ROUTE_BODY) &&
		!is_json(request_header(request, MHD_HTTP_HEADER_CONTENT_TYPE)) &&
		!request->refused.code)
		request->refused_status = 415;
}

static struct request *request_new(struct server *server, struct connection *connection,
	struct MHD_Connection *mhd, const char *url, const char *method)
{
	struct request *request = calloc(1, sizeof(*request));
	size_t length = strlen(url);

	if (!request)
		return NULL;
	request->server = server;
	request->connection = connection;
	request->mhd = mhd;
	request->started_ns = clock_monotonic_ns();
	snprintf(request->method, sizeof(request->method), "%s", method);
	memcpy(request->caller.remote, connection->remote, sizeof(request->caller.remote));
	if (length >= sizeof(request->path)) {
		memcpy(request->path, url, sizeof(request->path) - 1);
		find_route(request);
		if (!request->route || !(request->route->flags & ROUTE_TAIL)) {
			request->route = NULL;
			request->refused_status = 0;
			request->refused.code = 0;
			request->n_headers = 0;
			refuse(request, WIRE_CODE_NOT_FOUND, "no path is this long");
		}
	} else {
		memcpy(request->path, url, length + 1);
		find_route(request);
	}
	if (request->route)
		check_key(request);
	check_body(request);
	connection_begins(connection, request);
	return request;
}

static bool body_grow(struct request *request, size_t wanted)
{
	size_t room = request->body_room ? request->body_room : BODY_FIRST_BYTES;
	char *larger;

	if (wanted <= request->body_room)
		return true;
	while (room < wanted)
		room *= 2;
	if (!server_hold(request->server, room - request->body_room))
		return false;
	larger = realloc(request->body, room);
	if (!larger) {
		server_release(request->server, room - request->body_room);
		return false;
	}
	request->body = larger;
	request->body_room = room;
	return true;
}

/* Returns false when the client sends so much that it is not worth an answer. */
static bool take_body(struct request *request, const char *bytes, size_t size)
{
	size_t max = server_limits(request->server)->body_bytes_max;

	request->body_size += size;
	if (request->body_size > max)
		refuse_too_large(request);
	if (request->body_size > max * DISCARD_TIMES)
		return false;
	if (request->refused.code || request->refused_status)
		return true;
	if (!body_grow(request, request->body_size + 1)) {
		refuse(request, WIRE_CODE_UNAVAILABLE,
			"too much memory is in use by other requests; try again in a moment");
		return true;
	}
	memcpy(request->body + request->body_size - size, bytes, size);
	return true;
}

static void dispatch(struct request *request)
{
	static const char *const none[] = {NULL};

	request->dispatched = true;
	connection_works(request->connection);
	if (request->refused.code)
		respond_error(request, &request->refused);
	else if (request->refused_status == 204)
		respond_empty(request, 204);
	else if (request->refused_status == 405)
		respond_status(request, 405,
			"this path does not take this method; the Allow header names those it "
			"takes");
	else if (request->refused_status == 415)
		respond_status(request, 415,
			"send the body as JSON, with the header \"Content-Type: "
			"application/json\"");
	if (request->status)
		return;
	if (!(request->route->flags & ROUTE_QUERY) && !request_arguments_check(request, none, NULL))
		return;
	request->route->handler(request);
	if (request->connection->hung_up)
		request_abandon(request);
}

static void pack_answer(struct request *request)
{
	struct writer packed = {0};

	if (!request->gzip)
		return;
	gzip_pack(request->gzip, &request->answer, &packed, true);
	writer_fini(&request->answer);
	request->answer = packed;
}

static struct MHD_Response *make_response(struct request *request)
{
	struct writer *answer = &request->answer;
	struct MHD_Response *response;

	if (request->upgrade)
		return upgrade_response(request);
	if (request->stream)
		return stream_response(request);
	pack_answer(request);
	if (answer->failed)
		return NULL;
	response =
		MHD_create_response_from_buffer(answer->size, answer->bytes, MHD_RESPMEM_MUST_FREE);
	if (response)
		*answer = (struct writer){0};
	return response;
}

static enum MHD_Result queue_response(struct request *request)
{
	struct MHD_Response *response = make_response(request);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (request->content_type)
		MHD_add_response_header(
			response, MHD_HTTP_HEADER_CONTENT_TYPE, request->content_type);
	if (request->gzip)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	for (size_t i = 0; i < request->n_headers; i++)
		MHD_add_response_header(
			response, request->headers[i].name, request->headers[i].value);
	for (const char *name = request->more_headers.bytes,
			*end = name + request->more_headers.size;
		name < end;) {
		const char *value = name + strlen(name) + 1;

		MHD_add_response_header(response, name, value);
		name = value + strlen(value) + 1;
	}
	if (request->stream) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
		MHD_set_connection_option(request->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
			server_limits(request->server)->stream_stalled_s);
	}
	result = MHD_queue_response(request->mhd, request->status, response);
	MHD_destroy_response(response);
	return result;
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void *receive_target(void *cls _unused_, const char *target, struct MHD_Connection *mhd)
{
	struct connection *connection = connection_of(mhd);

	if (connection) {
		free(connection->target);
		connection->target = strdup(target);
	}
	return NULL; /* the first context of the request */
}

enum MHD_Result receive_request(void *cls, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version _unused_, const char *upload, size_t *upload_size,
	void **context)
{
	struct request *request = *context;
	struct connection *connection = connection_of(mhd);

	if (!request) {
		if (!connection)
			return MHD_NO;
		*context = request_new(cls, connection, mhd, url, method);
		return *context ? MHD_YES : MHD_NO;
	}
	if (*upload_size > 0) {
		size_t size = *upload_size;

		*upload_size = 0;
		return take_body(request, upload, size) ? MHD_YES : MHD_NO;
	}
	if (!request->dispatched)
		dispatch(request);
	if (request->gone)
		return MHD_NO;
	if (request->status)
		return queue_response(request);
	request->suspended = true;
	MHD_suspend_connection(mhd);
	return MHD_YES;
}

/* Tells cloched, which writes it into the audit log. */
static void report(const struct request *request)
{
	struct wire_call call = {.caller = request->caller,
		.sandbox = request->sandbox,
		.status = request->status,
		.duration_us = (clock_monotonic_ns() - request->started_ns) / 1000};
	size_t length = strlen(request->path), cut = sizeof(call.path) - sizeof("…");

	if (!request->status || (request->route && (request->route->flags & ROUTE_SILENT)))
		return;
	memcpy(call.method, request->method, sizeof(call.method));
	if (length < sizeof(call.path)) {
		memcpy(call.path, request->path, length);
	} else {
		while ((request->path[cut] & 0xc0) == 0x80)
			cut--;
		memcpy(call.path, request->path, cut);
		memcpy(call.path + cut, "…", sizeof("…"));
	}
	calls_tell(server_calls(request->server), WIRE_API_CALL, 0, &call, sizeof(call));
}

void receive_completed(void *cls _unused_, struct MHD_Connection *mhd _unused_, void **context,
	enum MHD_RequestTerminationCode how _unused_)
{
	struct request *request = *context;

	if (!request)
		return;
	*context = NULL;
	connection_ends(request->connection);
	report(request);
	request_free(request);
}
