#include "api/http/request.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/connection.h"
#include "api/http/gzip.h"
#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/stream.h"
#include "api/http/upgrade.h"

static int on_answer(const struct answer *answer, void *userdata)
{
	struct request *request = userdata;

	request->cookie = 0;
	if (answer->error && !request->takes_errors) {
		request->sandbox =
			answer->error->code == WIRE_CODE_NOT_FOUND ? 0 : request->sandbox;
		respond_error(request, answer->error);
		return ANSWER_LAST;
	}
	return request->answered(request, answer);
}

void request_ask(struct request *request, uint16_t type, const void *body, size_t body_size,
	const void *tail, size_t tail_size, request_answered answered)
{
	struct question question = {.type = type,
		.body = body,
		.body_size = body_size,
		.tail = tail,
		.tail_size = tail_size,
		.callback = on_answer,
		.userdata = request};
	int r;

	request->answered = answered;
	r = calls_ask(server_calls(request->server), &question, &request->cookie);
	if (r == -EBUSY || r == -ENOBUFS)
		respond_problem(request, WIRE_CODE_UNAVAILABLE,
			"too many requests wait for an answer; try again in a moment");
	else if (r == -EMSGSIZE)
		respond_problem(request, WIRE_CODE_TOO_LARGE,
			"the request is too large for the supervisor; make it smaller");
	else if (r < 0)
		respond_problem(request, WIRE_CODE_UNAVAILABLE,
			"the supervisor cannot be reached; try again in a moment");
}

enum request_form request_form(const struct request *request)
{
	const char *accept = request_header(request, MHD_HTTP_HEADER_ACCEPT);

	if (accept && strcasestr(accept, "text/event-stream"))
		return REQUEST_FORM_SSE;
	if (accept && strcasestr(accept, "application/x-ndjson"))
		return REQUEST_FORM_NDJSON;
	return REQUEST_FORM_JSON;
}

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

struct header_walk {
	void (*callback)(const char *name, const char *value, void *userdata);
	void *userdata;
};

static enum MHD_Result walk_header(
	void *userdata, enum MHD_ValueKind kind _unused_, const char *name, const char *value)
{
	const struct header_walk *walk = userdata;

	walk->callback(name, value ? value : "", walk->userdata);
	return MHD_YES;
}

void request_headers_each(const struct request *request,
	void (*callback)(const char *name, const char *value, void *userdata), void *userdata)
{
	struct header_walk walk = {callback, userdata};

	MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, walk_header, &walk);
}

const char *request_target(const struct request *request)
{
	return request->connection->target;
}

struct argument_search {
	const char *name;
	size_t index, n_found;
	const char *value;
};

static enum MHD_Result find_argument(
	void *userdata, enum MHD_ValueKind kind _unused_, const char *name, const char *value)
{
	struct argument_search *search = userdata;

	if (strcmp(name, search->name) != 0)
		return MHD_YES;
	if (search->n_found++ == search->index)
		search->value = value ? value : "";
	return MHD_YES;
}

const char *request_argument(const struct request *request, const char *name, size_t index)
{
	struct argument_search search = {.name = name, .index = index};

	MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, find_argument, &search);
	return search.value;
}

struct argument_check {
	struct request *request;
	const char *const *known;
	const char *repeatable;
	uint32_t seen;
	bool refused;
};

static void list_known(const char *const *known, char *ret_text, size_t size)
{
	size_t used = 0;

	snprintf(ret_text, size, "none are taken here");
	for (size_t i = 0; known[i] && used < size; i++)
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
			i ? ", " : "those taken here are ", known[i]);
}

static enum MHD_Result check_argument(void *userdata, enum MHD_ValueKind kind _unused_,
	const char *name, const char *value _unused_)
{
	struct argument_check *check = userdata;
	char known[200];
	size_t i = 0;

	while (check->known[i] && strcmp(check->known[i], name) != 0)
		i++;
	if (check->known[i] &&
		(!(check->seen & 1u << i) ||
			(check->repeatable && strcmp(name, check->repeatable) == 0))) {
		check->seen |= 1u << i;
		return MHD_YES;
	}
	check->refused = true;
	list_known(check->known, known, sizeof(known));
	if (check->known[i])
		respond_problem(check->request, WIRE_CODE_INVALID,
			"query: \"%s\" is there twice; give it once", name);
	else
		respond_problem(check->request, WIRE_CODE_INVALID,
			"query: unknown argument \"%.64s\"; %s", name, known);
	return MHD_NO;
}

bool request_arguments_check(
	struct request *request, const char *const *known, const char *repeatable)
{
	struct argument_check check = {
		.request = request, .known = known, .repeatable = repeatable};

	MHD_get_connection_values(request->mhd, MHD_GET_ARGUMENT_KIND, check_argument, &check);
	return !check.refused;
}

bool request_argument_number(
	struct request *request, const char *name, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *text = request_argument(request, name, 0);
	unsigned long long value;

	if (!text)
		return true;
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (!text[0] || text[strspn(text, "0123456789")] || errno || value < min || value > max) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"%s\" must be a whole number from %llu to %llu", name,
			(unsigned long long)min, (unsigned long long)max);
		return false;
	}
	*ret_value = value;
	return true;
}

bool request_argument_text(struct request *request, const char *name, char *ret_text, size_t size)
{
	const char *text = request_argument(request, name, 0);
	size_t length;

	if (!text)
		return true;
	length = strlen(text);
	if (length >= size) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"%s\" is %zu bytes long; at most %zu are allowed", name, length,
			size - 1);
		return false;
	}
	memcpy(ret_text, text, length + 1);
	return true;
}

void request_drop_body(struct request *request)
{
	server_release(request->server, request->body_room);
	free(request->body);
	request->body = NULL;
	request->body_size = request->body_room = 0;
}

void request_drop_gzip(struct request *request)
{
	if (!request->gzip)
		return;
	request->gzip = gzip_free(request->gzip);
	server_release(request->server, GZIP_HELD_BYTES);
}

void request_wake(struct request *request)
{
	if (!request->suspended)
		return;
	request->suspended = false;
	MHD_resume_connection(request->mhd);
	listener_wake(request->connection->listener);
}

void request_abandon(struct request *request)
{
	if (!request->ends_with_client)
		return;
	request->gone = true;
	upgrade_close(request);
	request_wake(request);
}

void request_free(struct request *request)
{
	if (!request)
		return;
	if (request->cookie)
		calls_forget(server_calls(request->server), request->cookie);
	if (request->ended)
		request->ended(request);
	request->stream = stream_free(request->stream);
	request_drop_gzip(request);
	request->upgrade = upgrade_free(request->upgrade);
	writer_fini(&request->answer);
	writer_fini(&request->more_headers);
	request_drop_body(request);
	free(request);
}
