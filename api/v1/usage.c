/* GET /v1/sandboxes/{id}/usage, GET /v1/usage. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/budgets.h"
#include "api/v1/ids.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "api/v1/usage.h"
#include "supervisor/base/utf8.h"

int usage_take_row(struct answer_rows *rows, struct wire_usage_row *ret_row)
{
	if (answer_rows_take(rows, ret_row, sizeof(*ret_row)) < 0 ||
		!WIRE_TEXT_VALID(ret_row->tenant) || !WIRE_TEXT_VALID(ret_row->label) ||
		!utf8_is_valid(ret_row->label, strlen(ret_row->label)))
		return -EPROTO;
	return 0;
}

/* MiB times milliseconds, with all digits that they have: 1/1024 GiB times 1/1000 s. */
void usage_write_gib_seconds(struct writer *writer, uint64_t mib_ms)
{
	const uint64_t unit = 1024 * 1000;

	json_write_name(writer, "memory_gib_seconds");
	writer_print(
		writer, "%" PRIu64 ".%06" PRIu64, mib_ms / unit, mib_ms % unit * 1000000 / unit);
}

static void write_usage(struct writer *writer, const struct wire_usage *usage)
{
	json_write_name(writer, "usage");
	json_write_open(writer, '{');
	json_write_number(writer, "cpu_ns", usage->cpu_ns);
	json_write_number(writer, "cpu_user_ns", usage->cpu_user_ns);
	json_write_number(writer, "cpu_system_ns", usage->cpu_system_ns);
	json_write_number(writer, "memory_bytes", usage->memory_bytes);
	json_write_number(writer, "memory_peak_bytes", usage->memory_peak_bytes);
	json_write_number(writer, "bytes_sent", usage->bytes_sent);
	json_write_number(writer, "bytes_received", usage->bytes_received);
	json_write_number(writer, "packets_sent", usage->packets_sent);
	json_write_number(writer, "packets_received", usage->packets_received);
	json_write_number(writer, "connections_allowed", usage->connections_allowed);
	json_write_number(writer, "connections_denied", usage->connections_denied);
	json_write_number(writer, "execs", usage->execs);
	json_write_number(writer, "oom_kills", usage->oom_kills);
	json_write_number(writer, "wall_ns", usage->wall_ns);
	json_write_number(writer, "sandboxes", usage->n_sandboxes);
	usage_write_gib_seconds(writer, usage->memory_mib_ms);
	json_write_number(writer, "block_read_bytes", usage->block_read_bytes);
	json_write_number(writer, "block_written_bytes", usage->block_written_bytes);
	json_write_number(writer, "dns_queries", usage->dns_queries);
	json_write_number(writer, "forks", usage->forks);
	json_write_number(writer, "syscalls", usage->syscalls);
	json_write_number(writer, "syscalls_refused", usage->syscalls_refused);
	json_write_close(writer, '}');
}

static void write_row(struct writer *writer, const struct wire_usage_row *row)
{
	char id[ID_SIZE];

	json_write_open(writer, '{');
	if (row->sandbox) {
		id_write_sandbox(row->sandbox, id);
		json_write_text(writer, "sandbox", id);
	}
	json_write_text(writer, "tenant", row->tenant);
	json_write_boolean(writer, "ended", row->ended);
	write_usage(writer, &row->usage);
	budgets_write(writer, row->usage.budgets, row->usage.budget_window_seconds);
	json_write_close(writer, '}');
}

static int on_one(struct request *request, const struct answer *answer)
{
	struct answer_rows rows;
	struct wire_usage_row row;

	if (answer_rows_begin(&rows, answer, WIRE_API_USAGES) < 0 || rows.page.n_rows != 1 ||
		usage_take_row(&rows, &row) < 0 || rows.left)
		return -EPROTO;
	write_row(&request->answer, &row);
	respond_json(request, 200);
	return ANSWER_LAST;
}

/* ---- GET /v1/usage: one row, or a list that cloched gives in pages */

struct listing {
	struct wire_usage_query query;
	char name[16]; /* of the list in the answer */
	bool begun;
};

static void write_label_row(struct writer *writer, const struct wire_usage_row *row)
{
	json_write_open(writer, '{');
	if (row->is_rest)
		json_write_null(writer, "value");
	else
		json_write_text(writer, "value", row->label);
	json_write_text(writer, "tenant", row->tenant);
	write_usage(writer, &row->usage);
	json_write_close(writer, '}');
}

static int on_page(struct request *request, const struct answer *answer)
{
	struct listing *listing = request->context;
	struct writer *writer = &request->answer;
	struct wire_usage_row row;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_USAGES) < 0)
		return -EPROTO;
	if (!listing->begun) {
		json_write_open(writer, '{');
		json_write_name(writer, listing->name);
		json_write_open(writer, '[');
	}
	listing->begun = true;
	for (uint32_t i = 0; i < rows.page.n_rows; i++) {
		if (usage_take_row(&rows, &row) < 0)
			return -EPROTO;
		if (listing->query.scope == WIRE_USAGE_LABELS)
			write_label_row(writer, &row);
		else
			write_row(writer, &row);
	}
	if (rows.left || (rows.page.next_cursor && rows.page.next_cursor <= listing->query.cursor))
		return -EPROTO;
	listing->query.cursor = rows.page.next_cursor;
	if (listing->query.cursor) {
		request_ask(request, WIRE_API_USAGE, &listing->query, sizeof(listing->query), NULL,
			0, on_page);
		return ANSWER_LAST;
	}
	json_write_close(writer, ']');
	json_write_close(writer, '}');
	respond_json(request, 200);
	return ANSWER_LAST;
}

static void on_ended(struct request *request)
{
	free(request->context);
}

static void ask_list(
	struct request *request, const struct wire_usage_query *query, const char *name)
{
	struct listing *listing = calloc(1, sizeof(*listing));

	if (!listing) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "out of memory; try again later");
		return;
	}
	listing->query = *query;
	snprintf(listing->name, sizeof(listing->name), "%s", name);
	request->context = listing;
	request->ended = on_ended;
	request_ask(request, WIRE_API_USAGE, query, sizeof(*query), NULL, 0, on_page);
}

/* ---- by destination */

static int take_destination(struct writer *writer, struct answer_rows *rows)
{
	struct wire_destination_row row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.name) ||
		!utf8_is_valid(row.name, strlen(row.name)))
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_text_or_null(writer, "name", row.name[0] ? row.name : NULL);
	json_write_number(writer, "bytes_sent", row.bytes_sent);
	json_write_number(writer, "bytes_received", row.bytes_received);
	json_write_number(writer, "connections", row.connections);
	json_write_close(writer, '}');
	return 0;
}

static int on_destinations(struct request *request, const struct answer *answer)
{
	return list_respond(
		request, answer, WIRE_API_DESTINATIONS_REPLY, "destinations", take_destination);
}

/* True when the question was for destinations. */
static bool ask_destinations(struct request *request, const struct wire_usage_query *query)
{
	const char *group_by = request_argument(request, "group_by", 0);

	if (!group_by || strcmp(group_by, "destination") != 0 || usage_has_range(request))
		return false;
	request_ask(
		request, WIRE_API_DESTINATIONS, query, sizeof(*query), NULL, 0, on_destinations);
	return true;
}

void usage_of_sandbox(struct request *request)
{
	static const char *const known[] = {"group_by", "since", "until", "step", NULL};
	struct wire_usage_query query = {.caller = request->caller, .scope = WIRE_USAGE_SANDBOX};

	if (!request_arguments_check(request, known, NULL) || !body_take_sandbox(request))
		return;
	query.sandbox = request->sandbox;
	if (ask_destinations(request, &query))
		return;
	if (request_argument(request, "group_by", 0)) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"group_by\" of a sandbox can only be \"destination\", without "
			"\"since\"");
		return;
	}
	if (usage_has_range(request)) {
		usage_over_time(request, WIRE_USAGE_SANDBOX, query.sandbox, "");
		return;
	}
	request_ask(request, WIRE_API_USAGE, &query, sizeof(query), NULL, 0, on_one);
}

static void refuse_group(struct request *request)
{
	respond_problem(request, WIRE_CODE_INVALID,
		"query: \"group_by\" must be \"tenant\" (without \"tenant\"), \"sandbox\", "
		"\"label:KEY\" with a key of 1 to %d bytes and without \"since\", or, with it, "
		"\"host\"",
		WIRE_USAGE_LABEL_SIZE - 2);
}

static const struct group {
	const char *name; /* of `group_by` */
	uint32_t scope;
	const char *list;  /* in the answer without a range */
	bool names_tenant; /* `tenant` may be there */
	bool needs_a_range;
} groups[] = {
	{"tenant", WIRE_USAGE_TENANTS, "tenants", false, false},
	{"sandbox", WIRE_USAGE_SANDBOXES, "sandboxes", true, false},
	{"host", WIRE_USAGE_HOST, NULL, false, true},
};

/* Returns false when `group_by` makes no sense. */
static bool read_group(
	struct request *request, struct wire_usage_query *query, const char **ret_list)
{
	const char *text = request_argument(request, "group_by", 0);
	bool has_range = usage_has_range(request);

	if (!text)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (strcmp(text, groups[i].name) != 0)
			continue;
		query->scope = groups[i].scope;
		*ret_list = groups[i].list;
		return (!query->name[0] || groups[i].names_tenant) &&
		       (has_range || !groups[i].needs_a_range);
	}
	if (strncmp(text, "label:", 6) != 0 || !text[6] || has_range ||
		strlen(text + 6) >= sizeof(query->label) - 1)
		return false;
	query->scope = WIRE_USAGE_LABELS;
	*ret_list = "labels";
	snprintf(query->label, sizeof(query->label), "%s", text + 6);
	return true;
}

void usage_of_tenant(struct request *request)
{
	static const char *const known[] = {"tenant", "group_by", "since", "until", "step", NULL};
	struct wire_usage_query query = {.caller = request->caller, .scope = WIRE_USAGE_TENANT};
	const char *list = NULL;

	if (!request_arguments_check(request, known, NULL) ||
		!request_argument_text(request, "tenant", query.name, sizeof(query.name)))
		return;
	if (ask_destinations(request, &query))
		return;
	if (!read_group(request, &query, &list))
		refuse_group(request);
	else if (usage_has_range(request))
		usage_over_time(request, query.scope, 0, query.name);
	else if (list)
		ask_list(request, &query, list);
	else
		request_ask(request, WIRE_API_USAGE, &query, sizeof(query), NULL, 0, on_one);
}
