/* GET /v1/audit and /v1/events: a range of audit records, or all that come from now on.
 *
 * cloched answers with whole lines, as many as fit a message; one question is open at a time, and
 * the next is asked when the client has taken what was there. A page is answered whole, with where
 * to go on in its head; everything else is a stream, which is broken off when something fails, so
 * that a client which saw its end has seen all. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/stream.h"
#include "api/v1/audit-lines.h"
#include "api/v1/audit-query.h"
#include "api/v1/routes.h"

#define EVENTS_LIMIT_DEFAULT 1000
#define BATCH_MAX 256                    /* records of one message */
#define PAGE_BYTES_MAX (4 * 1024 * 1024) /* `Cloche-Next` says where to go on */
#define WAIT_MS (15 * 1000)

struct events {
	struct request *request;
	struct audit_request query;
	uint64_t cookie;
};

static void ask(struct events *events);
static void on_drained(void *userdata);

static void events_free(struct events *events)
{
	const struct wire_caller *caller = &events->query.wire.caller;

	if (events->cookie) {
		calls_forget(server_calls(events->request->server), events->cookie);
		calls_tell(server_calls(events->request->server), WIRE_API_EVENTS_CANCEL,
			events->cookie, caller, sizeof(*caller));
	}
	free(events);
}

static void on_ended(struct request *request)
{
	events_free(request->context);
}

static bool is_page(const struct events *events)
{
	return !events->query.follow && events->query.n_left != UINT64_MAX;
}

static bool is_at_limit(const struct events *events)
{
	return events->query.n_left == 0;
}

static void page_goes_on(struct events *events, const struct wire_events_reply *reply)
{
	struct request *request = events->request;

	if (reply->more && !is_at_limit(events) && request->answer.size < PAGE_BYTES_MAX) {
		ask(events);
		return;
	}
	respond_packed(request);
	respond_header(request, "Cloche-Next", "%" PRIu64, events->query.wire.after);
	respond_header(request, "Cloche-First", "%" PRIu64, reply->first);
	respond(request, 200, audit_lines_type(events->query.form));
}

static void stream_goes_on(
	struct events *events, const struct wire_events_reply *reply, bool waited)
{
	struct request *request = events->request;

	if (waited && reply->n_records == 0 && !reply->more)
		audit_lines_keep_alive(stream_writer(request), events->query.form);
	stream_flush(request);
	if (is_at_limit(events) || (!events->query.follow && !reply->more))
		stream_finish(request);
	else if (!stream_is_full(request))
		ask(events);
}

/* The first answer says whether the key may ask at all, so it is not waited for. A whole range ends
 * with what is there now: a log that grows faster than it is read has no other end. */
static int stream_starts(struct events *events, const struct wire_events_reply *reply)
{
	struct wire_events_query *wire = &events->query.wire;
	struct request *request = events->request;

	if (request->stream)
		return 0;
	respond_packed(request);
	respond_header(request, "Cloche-First", "%" PRIu64, reply->first);
	if (events->query.follow) {
		wire->wait_ms = WAIT_MS;
		respond_header(request, "Cloche-Next", "%" PRIu64, reply->next);
	} else {
		if (wire->until == 0 || wire->until > reply->last)
			wire->until = reply->last;
		respond_header(request, "Cloche-Last", "%" PRIu64, wire->until);
	}
	return stream_begin(request, 200, audit_lines_type(events->query.form), on_drained, events);
}

static void fail(struct events *events, const struct wire_api_error *error)
{
	if (events->request->stream)
		stream_break(events->request);
	else
		respond_error(events->request, error);
}

/* Writes what came and asks for more. */
static int take_reply(struct events *events, const struct wire_events_reply *reply, size_t size)
{
	static const struct wire_api_error no_memory = {
		.code = WIRE_CODE_UNAVAILABLE, .detail = "out of memory; try again later"};
	struct audit_request *query = &events->query;
	struct request *request = events->request;
	struct writer *writer = &request->answer;
	bool waited = query->wire.wait_ms > 0;

	if (!is_page(events)) {
		if (stream_starts(events, reply) < 0) {
			fail(events, &no_memory);
			return ANSWER_LAST;
		}
		writer = stream_writer(request);
	}
	if (audit_lines_write(writer, query->form, (const char *)(reply + 1), size - sizeof(*reply),
		    reply->n_records) < 0)
		return -EPROTO;
	query->wire.after = reply->next;
	if (query->n_left != UINT64_MAX)
		query->n_left -= reply->n_records;
	if (is_page(events))
		page_goes_on(events, reply);
	else
		stream_goes_on(events, reply, waited);
	return ANSWER_LAST;
}

static int on_reply(const struct answer *answer, void *userdata)
{
	const struct wire_events_reply *reply = answer->body;
	struct events *events = userdata;

	events->cookie = 0;
	if (answer->error) {
		fail(events, answer->error);
		return ANSWER_LAST;
	}
	if (answer->type != WIRE_API_EVENTS_REPLY || answer->size < sizeof(*reply) ||
		reply->n_records > events->query.wire.limit)
		return -EPROTO;
	return take_reply(events, reply, answer->size);
}

static void ask(struct events *events)
{
	static const struct wire_api_error busy = {.code = WIRE_CODE_UNAVAILABLE,
		.detail = "the supervisor cannot be asked now; try again in a moment"};
	struct wire_events_query *wire = &events->query.wire;
	struct question question = {.type = WIRE_API_EVENTS,
		.body = wire,
		.body_size = sizeof(*wire),
		.callback = on_reply,
		.userdata = events};

	wire->limit = events->query.n_left < BATCH_MAX ? (uint32_t)events->query.n_left : BATCH_MAX;
	if (calls_ask(server_calls(events->request->server), &question, &events->cookie) < 0)
		fail(events, &busy);
}

static void on_drained(void *userdata)
{
	struct events *events = userdata;

	if (!events->cookie)
		ask(events);
}

static void read_log(struct request *request, uint64_t limit_default)
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
	if (audit_query_read(request, limit_default, &events->query))
		ask(events);
}

/* The whole range in one stream, unless a limit says how long a page is. */
void audit_export(struct request *request)
{
	read_log(request, UINT64_MAX);
}

void events_read(struct request *request)
{
	read_log(request, EVENTS_LIMIT_DEFAULT);
}
