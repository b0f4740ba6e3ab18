/* GET /v1/sandboxes/{id}/usage, GET /v1/usage. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/ids.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "api/v1/usage.h"

int usage_take_row(struct answer_rows *rows, struct wire_usage_row *ret_row)
{
	if (answer_rows_take(rows, ret_row, sizeof(*ret_row)) < 0 ||
		!WIRE_TEXT_VALID(ret_row->tenant))
		return -EPROTO;
	return 0;
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
	json_write_close(writer, '}');
}

/* Null without any: not an object that says nothing. */
static void write_budgets(struct writer *writer, const struct wire_usage *usage)
{
	static const char *const names[WIRE_BUDGETS] = {
		"bytes_out", "bytes_in", "connections", "dns_queries"};
	bool any = false;

	for (size_t i = 0; i < WIRE_BUDGETS; i++)
		any = any || usage->budgets[i].limit;
	if (!any) {
		json_write_null(writer, "budgets");
		return;
	}
	json_write_name(writer, "budgets");
	json_write_open(writer, '{');
	for (size_t i = 0; i < WIRE_BUDGETS; i++) {
		if (!usage->budgets[i].limit)
			continue;
		json_write_name(writer, names[i]);
		json_write_open(writer, '{');
		json_write_number(writer, "limit", usage->budgets[i].limit);
		json_write_number(writer, "used", usage->budgets[i].used);
		json_write_close(writer, '}');
	}
	if (usage->budget_window_seconds)
		json_write_number(writer, "per_seconds", usage->budget_window_seconds);
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
	if (row->sandbox)
		write_budgets(writer, &row->usage);
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

static int take_row(struct writer *writer, struct answer_rows *rows)
{
	struct wire_usage_row row;

	if (usage_take_row(rows, &row) < 0)
		return -EPROTO;
	write_row(writer, &row);
	return 0;
}

static int on_all(struct request *request, const struct answer *answer)
{
	return list_respond(request, answer, WIRE_API_USAGES, "tenants", take_row);
}

void usage_of_sandbox(struct request *request)
{
	struct wire_usage_query query = {.caller = request->caller, .scope = WIRE_USAGE_SANDBOX};

	if (!body_take_sandbox(request))
		return;
	query.sandbox = request->sandbox;
	request_ask(request, WIRE_API_USAGE, &query, sizeof(query), NULL, 0, on_one);
}

void usage_of_tenant(struct request *request)
{
	static const char *const known[] = {"tenant", "group_by", NULL};
	struct wire_usage_query query = {.caller = request->caller, .scope = WIRE_USAGE_TENANT};
	const char *group_by;

	if (!request_arguments_check(request, known, NULL) ||
		!request_argument_text(request, "tenant", query.name, sizeof(query.name)))
		return;
	group_by = request_argument(request, "group_by", 0);
	if (group_by && (strcmp(group_by, "tenant") != 0 || query.name[0])) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"group_by\" can only be \"tenant\", and not together with "
			"\"tenant\"");
		return;
	}
	if (group_by)
		query.scope = WIRE_USAGE_TENANTS;
	request_ask(request, WIRE_API_USAGE, &query, sizeof(query), NULL, 0,
		group_by ? on_all : on_one);
}
