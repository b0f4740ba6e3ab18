/* GET /v1/events: a range of audit records, or all that come from now on.
 *
 * cloched answers with whole lines, as many as fit a message; one question is open at a time, and
 * the next is asked when the client has taken what was there. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/stream.h"
#include "api/v1/ids.h"
#include "api/v1/routes.h"

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 10000
#define BATCH_MAX 256                      /* records of one message */
#define ANSWER_BYTES_MAX (4 * 1024 * 1024) /* of a range; `Cloche-Next` says where to go on */
#define WAIT_MS (15 * 1000)

struct events {
	struct request *request;
	struct wire_events_query query;
	uint64_t cookie;
	uint64_t n_left; /* of a range */
	bool follow, sse, limited;
};

static void ask(struct events *events);
static void on_drained(void *userdata);

static void events_free(struct events *events)
{
	if (events->cookie) {
		calls_forget(server_calls(events->request->server), events->cookie);
		calls_tell(server_calls(events->request->server), WIRE_API_EVENTS_CANCEL,
			events->cookie, &events->query.caller, sizeof(events->query.caller));
	}
	free(events);
}

static void on_ended(struct request *request)
{
	events_free(request->context);
}

static int write_event(struct writer *writer, const char *line, size_t size)
{
	json_t *record = json_loadb(line, size, 0, NULL);
	json_int_t sequence = json_integer_value(json_object_get(record, "seq"));

	json_decref(record);
	if (sequence <= 0)
		return -EPROTO;
	writer_print(writer, "id: %" PRIu64 "\ndata: ", (uint64_t)sequence);
	writer_bytes(writer, line, size);
	writer_text(writer, "\n\n");
	return 0;
}

/* The tail is `n_records` lines, each ended by a newline. */
static int write_lines(struct events *events, struct writer *writer, const char *lines, size_t size,
	uint32_t n_records)
{
	uint32_t n_lines = 0;

	if (!events->sse)
		writer_bytes(writer, lines, size);
	while (size > 0) {
		const char *end = memchr(lines, '\n', size);

		if (!end || (events->sse && write_event(writer, lines, (size_t)(end - lines)) < 0))
			return -EPROTO;
		n_lines++;
		size -= (size_t)(end + 1 - lines);
		lines = end + 1;
	}
	return n_lines == n_records ? 0 : -EPROTO;
}

static const char *content_type(const struct events *events)
{
	return events->sse ? "text/event-stream" : "application/x-ndjson";
}

static void range_goes_on(struct events *events, bool more)
{
	struct request *request = events->request;

	if (more && events->n_left > 0 && request->answer.size < ANSWER_BYTES_MAX) {
		ask(events);
		return;
	}
	respond_header(request, "Cloche-Next", "%" PRIu64, events->query.after);
	respond(request, 200, content_type(events));
}

static void follow_goes_on(struct events *events, uint32_t n_records)
{
	struct request *request = events->request;

	if (n_records == 0 && events->sse)
		writer_text(stream_writer(request), ":\n\n");
	stream_flush(request);
	if (events->limited && events->n_left == 0)
		stream_finish(request);
	else if (!stream_is_full(request))
		ask(events);
}

/* The first answer says whether the key may ask at all, so it is not waited for. */
static int follow_begins(struct events *events, uint64_t next)
{
	struct request *request = events->request;

	if (request->stream)
		return 0;
	events->query.wait_ms = WAIT_MS;
	respond_header(request, "Cloche-Next", "%" PRIu64, next);
	return stream_begin(request, 200, content_type(events), on_drained, events);
}

static void fail(struct events *events, const struct wire_api_error *error)
{
	if (events->request->stream)
		stream_finish(events->request);
	else
		respond_error(events->request, error);
}

static int on_reply(const struct answer *answer, void *userdata)
{
	static const struct wire_api_error no_memory = {
		.code = WIRE_CODE_UNAVAILABLE, .detail = "out of memory; try again later"};
	const struct wire_events_reply *reply = answer->body;
	struct events *events = userdata;
	struct request *request = events->request;

	events->cookie = 0;
	if (answer->error) {
		fail(events, answer->error);
		return ANSWER_LAST;
	}
	if (answer->type != WIRE_API_EVENTS_REPLY || answer->size < sizeof(*reply) ||
		reply->n_records > events->query.limit)
		return -EPROTO;
	if (events->follow && follow_begins(events, reply->next) < 0) {
		fail(events, &no_memory);
		return ANSWER_LAST;
	}
	if (write_lines(events, events->follow ? stream_writer(request) : &request->answer,
		    (const char *)(reply + 1), answer->size - sizeof(*reply), reply->n_records) < 0)
		return -EPROTO;
	events->query.after = reply->next;
	if (events->limited)
		events->n_left -= reply->n_records;
	if (events->follow)
		follow_goes_on(events, reply->n_records);
	else
		range_goes_on(events, reply->more);
	return ANSWER_LAST;
}

static void ask(struct events *events)
{
	static const struct wire_api_error busy = {.code = WIRE_CODE_UNAVAILABLE,
		.detail = "the supervisor cannot be asked now; try again in a moment"};
	struct question question = {.type = WIRE_API_EVENTS,
		.body = &events->query,
		.body_size = sizeof(events->query),
		.callback = on_reply,
		.userdata = events};

	events->query.limit = BATCH_MAX;
	if (events->limited && events->n_left < BATCH_MAX)
		events->query.limit = (uint32_t)events->n_left;
	if (calls_ask(server_calls(events->request->server), &question, &events->cookie) < 0)
		fail(events, &busy);
}

static void on_drained(void *userdata)
{
	struct events *events = userdata;

	if (!events->cookie)
		ask(events);
}

static bool read_follow(struct request *request, bool *ret_follow)
{
	const char *text = request_argument(request, "follow", 0);

	*ret_follow = text && strcmp(text, "true") == 0;
	if (!text || *ret_follow || strcmp(text, "false") == 0)
		return true;
	respond_problem(request, WIRE_CODE_INVALID, "query: \"follow\" must be true or false");
	return false;
}

static bool read_sandbox(struct request *request, uint64_t *ret_sandbox)
{
	const char *text = request_argument(request, "sandbox", 0);

	if (!text || id_read_sandbox(text, ret_sandbox))
		return true;
	respond_problem(request, WIRE_CODE_INVALID,
		"query: \"sandbox\" must be a sandbox's id, like sb-0123456789abcdef");
	return false;
}

/* A browser that lost its connection says which record it saw last; that wins. */
static bool read_last_event(struct request *request, uint64_t *after)
{
	const char *text = request_header(request, "Last-Event-ID");

	if (!text)
		return true;
	errno = 0;
	*after = strtoull(text, NULL, 10);
	if (text[0] && !text[strspn(text, "0123456789")] && errno == 0)
		return true;
	respond_problem(request, WIRE_CODE_INVALID, "the header Last-Event-ID must be a sequence");
	return false;
}

/* Returns false when something was wrong, which is responded. */
static bool read_query(struct request *request, struct events *events)
{
	static const char *const known[] = {"after", "sandbox", "type", "limit", "follow", NULL};
	struct wire_events_query *query = &events->query;

	query->caller = request->caller;
	events->n_left = LIMIT_DEFAULT;
	if (!request_arguments_check(request, known, NULL) ||
		!request_argument_number(request, "after", 0, UINT64_MAX, &query->after) ||
		!request_argument_number(request, "limit", 1, LIMIT_MAX, &events->n_left) ||
		!request_argument_text(request, "type", query->type, sizeof(query->type)) ||
		!read_sandbox(request, &query->sandbox) || !read_follow(request, &events->follow) ||
		!read_last_event(request, &query->after))
		return false;
	request->sandbox = query->sandbox;
	events->sse = request_form(request) == REQUEST_FORM_SSE;
	events->limited = !events->follow || request_argument(request, "limit", 0);
	return true;
}

void events_read(struct request *request)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "out of memory; try again later");
		return;
	}
	events->request = request;
	request->context = events;
	request->ended = on_ended;
	request->ends_with_client = true;
	if (read_query(request, events))
		ask(events);
}
