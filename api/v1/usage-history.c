/* GET /v1/usage and GET /v1/sandboxes/{id}/usage with "since": what was used between two points in
 * time, whole or step by step. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/text/time.h"
#include "api/v1/ids.h"
#include "api/v1/usage.h"
#include "supervisor/base/clock.h"
#include "supervisor/wire/strings.h"

#define STEP_SECONDS_MAX (7 * 86400)

struct listing {
	struct wire_history_query query;
	bool begun;
};

static uint64_t grown(uint64_t begin, uint64_t end)
{
	return end > begin ? end - begin : 0;
}

static void write_usage(struct writer *writer, const struct wire_history_row *row)
{
	const struct wire_usage_point *begin = &row->begin, *end = &row->end;
#define GROWN(member) json_write_number(writer, #member, grown(begin->member, end->member))

	json_write_name(writer, "usage");
	json_write_open(writer, '{');
	GROWN(cpu_ns);
	json_write_number(writer, "memory_bytes", end->memory_bytes);
	usage_write_gib_seconds(writer, grown(begin->memory_mib_ms, end->memory_mib_ms));
	GROWN(bytes_sent);
	GROWN(bytes_received);
	GROWN(connections_allowed);
	GROWN(connections_denied);
	GROWN(execs);
	GROWN(dns_queries);
	GROWN(block_read_bytes);
	GROWN(block_written_bytes);
	json_write_number(writer, "sandboxes", grown(begin->n_sandboxes, end->n_sandboxes));
	json_write_close(writer, '}');
#undef GROWN
}

static void write_row(struct writer *writer, const struct wire_history_row *row)
{
	char id[ID_SIZE];

	json_write_open(writer, '{');
	if (row->sandbox) {
		id_write_sandbox(row->sandbox, id);
		json_write_text(writer, "sandbox", id);
	}
	json_write_text_or_null(writer, "tenant", row->tenant[0] ? row->tenant : NULL);
	json_write_time(writer, "since", row->begin.time_ns);
	json_write_time(writer, "until", row->end.time_ns);
	write_usage(writer, row);
	json_write_close(writer, '}');
}

static int on_page(struct request *request, const struct answer *answer)
{
	struct listing *listing = request->context;
	struct writer *writer = &request->answer;
	struct wire_history_row row;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_HISTORY_REPLY) < 0)
		return -EPROTO;
	if (!listing->begun) {
		json_write_open(writer, '{');
		json_write_name(writer, "rows");
		json_write_open(writer, '[');
	}
	listing->begun = true;
	for (uint32_t i = 0; i < rows.page.n_rows; i++) {
		if (answer_rows_take(&rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.tenant))
			return -EPROTO;
		write_row(writer, &row);
	}
	if (rows.left || (rows.page.next_cursor && rows.page.next_cursor <= listing->query.cursor))
		return -EPROTO;
	listing->query.cursor = rows.page.next_cursor;
	if (listing->query.cursor) {
		request_ask(request, WIRE_API_HISTORY, &listing->query, sizeof(listing->query),
			NULL, 0, on_page);
		return ANSWER_LAST;
	}
	json_write_close(writer, ']');
	json_write_close(writer, '}');
	respond_json(request, 200);
	return ANSWER_LAST;
}

static void on_ended(struct request *request)
{
	explicit_bzero(request->context, sizeof(struct listing));
	free(request->context);
}

/* Absent: stays as it is. */
static bool read_time(struct request *request, const char *name, uint64_t *ret_ns)
{
	const char *text = request_argument(request, name, 0);

	if (!text || time_parse(text, ret_ns) == 0)
		return true;
	respond_problem(request, WIRE_CODE_INVALID,
		"query: \"%s\" must be a time as 2026-11-21T21:40:00Z", name);
	return false;
}

bool usage_has_range(struct request *request)
{
	return request_argument(request, "since", 0) || request_argument(request, "until", 0) ||
	       request_argument(request, "step", 0);
}

void usage_over_time(struct request *request, uint32_t scope, uint64_t sandbox, const char *tenant)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	uint64_t step_s = 0;

	if (!listing) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "out of memory; try again later");
		return;
	}
	listing->query = (struct wire_history_query){
		.caller = request->caller, .scope = scope, .sandbox = sandbox};
	snprintf(listing->query.name, sizeof(listing->query.name), "%s", tenant);
	request->context = listing;
	request->ended = on_ended;
	if (!request_argument(request, "since", 0)) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"until\" and \"step\" go together with \"since\"");
		return;
	}
	if (!read_time(request, "since", &listing->query.since_ns) ||
		!read_time(request, "until", &listing->query.until_ns) ||
		(request_argument(request, "step", 0) &&
			!request_argument_number(request, "step", 10, STEP_SECONDS_MAX, &step_s)))
		return;
	/* So that all pages are cut from the same range. */
	if (listing->query.until_ns == 0)
		listing->query.until_ns = clock_realtime_ns();
	listing->query.step_ns = step_s * NS_PER_SECOND;
	request_ask(request, WIRE_API_HISTORY, &listing->query, sizeof(listing->query), NULL, 0,
		on_page);
}
