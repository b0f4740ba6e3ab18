/* /v1/policies: list, get, reload. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "supervisor/wire/strings.h"

static bool row_is_valid(const struct wire_policy_row *row)
{
	return WIRE_TEXT_VALID(row->name) && WIRE_TEXT_VALID(row->hash) &&
	       WIRE_TEXT_VALID(row->description);
}

static void write_policy(struct writer *writer, const struct wire_policy_row *row)
{
	json_write_open(writer, '{');
	json_write_text(writer, "name", row->name);
	json_write_text(writer, "hash", row->hash);
	json_write_text(writer, "description", row->description);
	json_write_text(writer, "mode", row->learns ? "learn" : "enforce");
	json_write_number(writer, "rules", row->n_rules);
	json_write_number(writer, "sandboxes", row->n_sandboxes);
	json_write_close(writer, '}');
}

static int take_policy(struct writer *writer, struct answer_rows *rows)
{
	struct wire_policy_row row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !row_is_valid(&row))
		return -EPROTO;
	write_policy(writer, &row);
	return 0;
}

static int on_listed(struct request *request, const struct answer *answer)
{
	return list_respond(request, answer, WIRE_API_POLICIES, "policies", take_policy);
}

void policies_list(struct request *request)
{
	request_ask(request, WIRE_API_POLICY_LIST, &request->caller, sizeof(request->caller), NULL,
		0, on_listed);
}

void policies_reload(struct request *request)
{
	if (body_take_none(request))
		request_ask(request, WIRE_API_POLICY_RELOAD, &request->caller,
			sizeof(request->caller), NULL, 0, on_listed);
}

static int on_got(struct request *request, const struct answer *answer)
{
	const char *known = request_header(request, "If-None-Match");
	const struct wire_policy_row *row = answer->body;
	char tag[WIRE_HASH_SIZE + 2];

	if (answer->type != WIRE_API_POLICY || answer->size < sizeof(*row) || !row_is_valid(row))
		return -EPROTO;
	snprintf(tag, sizeof(tag), "\"%s\"", row->hash);
	respond_header(request, "ETag", "%s", tag);
	if (known && (strstr(known, tag) || strcmp(known, "*") == 0)) {
		respond_empty(request, 304);
		return ANSWER_LAST;
	}
	writer_bytes(&request->answer, row + 1, answer->size - sizeof(*row));
	respond_json(request, 200);
	return ANSWER_LAST;
}

void policies_get(struct request *request)
{
	static const char *const known[] = {"stage", NULL};
	struct wire_name_ref ref = {.caller = request->caller};
	enum wire_api_type type = WIRE_API_POLICY_GET;
	const char *stage;

	if (!request_arguments_check(request, known, NULL))
		return;
	stage = request_argument(request, "stage", 0);
	if (stage && strcmp(stage, "shadow") == 0) {
		type = WIRE_API_POLICY_GET_STAGED;
	} else if (stage && strcmp(stage, "enforce") != 0) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"stage\" must be \"shadow\" or \"enforce\"");
		return;
	}
	memcpy(ref.name, request->parameters[0], sizeof(ref.name));
	request_ask(request, type, &ref, sizeof(ref), NULL, 0, on_got);
}
