#include "api/http/respond.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/http/gzip.h"
#include "api/http/server.h"
#include "api/text/json.h"

struct problem {
	unsigned status;
	const char *slug, *title;
};

static const struct problem other_problems[] = {
	{405, "method-not-allowed", "Method not allowed"},
	{415, "unsupported-media-type", "Unsupported media type"},
	{501, "not-implemented", "Not implemented"},
	{502, "bad-gateway", "Bad gateway"},
	{504, "gateway-timeout", "Gateway timeout"},
};

static struct problem problem_of(enum wire_api_code code)
{
	switch (code) {
	case WIRE_CODE_INVALID:
		return (struct problem){400, "invalid", "Invalid request"};
	case WIRE_CODE_UNAUTHENTICATED:
		return (struct problem){401, "unauthenticated", "Unauthenticated"};
	case WIRE_CODE_FORBIDDEN:
		return (struct problem){403, "forbidden", "Forbidden"};
	case WIRE_CODE_NOT_FOUND:
		return (struct problem){404, "not-found", "Not found"};
	case WIRE_CODE_CONFLICT:
		return (struct problem){409, "conflict", "Conflict"};
	case WIRE_CODE_LIMIT:
		return (struct problem){429, "limit", "Limit reached"};
	case WIRE_CODE_UNAVAILABLE:
		return (struct problem){503, "unavailable", "Unavailable"};
	case WIRE_CODE_TOO_LARGE:
		return (struct problem){413, "too-large", "Too large"};
	case WIRE_CODE_COMMAND:
		return (struct problem){422, "command", "Command could not be started"};
	case WIRE_CODE_PRECONDITION:
		return (struct problem){412, "precondition", "Precondition failed"};
	case WIRE_CODE_INTERNAL:
		break;
	}
	return (struct problem){500, "internal", "Internal error"};
}

void respond_header(struct request *request, const char *name, const char *format, ...)
{
	struct request_header *header;
	va_list arguments;

	if (request->n_headers == REQUEST_HEADERS_MAX)
		return;
	header = &request->headers[request->n_headers++];
	header->name = name;
	va_start(arguments, format);
	vsnprintf(header->value, sizeof(header->value), format, arguments);
	va_end(arguments);
}

void respond_header_text(struct request *request, const char *name, const char *value)
{
	writer_bytes(&request->more_headers, name, strlen(name) + 1);
	writer_bytes(&request->more_headers, value, strlen(value) + 1);
}

void respond_packed(struct request *request)
{
	if (request->gzip)
		return;
	respond_header(request, "Vary", "Accept-Encoding");
	if (!gzip_is_accepted(request_header(request, "Accept-Encoding")) ||
		!server_hold(request->server, GZIP_HELD_BYTES))
		return;
	if (gzip_new(&request->gzip) < 0)
		server_release(request->server, GZIP_HELD_BYTES);
}

void respond(struct request *request, unsigned status, const char *content_type)
{
	request->status = status;
	request->content_type = content_type;
	request_wake(request);
}

void respond_json(struct request *request, unsigned status)
{
	respond(request, status, "application/json");
}

void respond_empty(struct request *request, unsigned status)
{
	writer_fini(&request->answer);
	respond(request, status, NULL);
}

static void respond_with(struct request *request, struct problem problem, const char *detail)
{
	struct writer *writer = &request->answer;

	writer_fini(writer);
	request_drop_gzip(request);
	json_write_open(writer, '{');
	json_write_name(writer, "type");
	writer_print(writer, "\"urn:cloche:error:%s\"", problem.slug);
	json_write_text(writer, "title", problem.title);
	json_write_number(writer, "status", problem.status);
	json_write_text(writer, "detail", detail);
	json_write_close(writer, '}');
	if (problem.status == 401)
		respond_header(request, "WWW-Authenticate", "Bearer realm=\"cloche\"");
	if (problem.status == 503 || problem.status == 429)
		respond_header(request, "Retry-After", "1");
	respond(request, problem.status, "application/problem+json");
}

void respond_error(struct request *request, const struct wire_api_error *error)
{
	respond_with(request, problem_of(error->code), error->detail);
}

void respond_problem(struct request *request, enum wire_api_code code, const char *format, ...)
{
	char detail[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	respond_with(request, problem_of(code), detail);
}

void respond_status(struct request *request, unsigned status, const char *detail)
{
	for (size_t i = 0; i < ARRAY_SIZE(other_problems); i++)
		if (other_problems[i].status == status)
			respond_with(request, other_problems[i], detail);
}
