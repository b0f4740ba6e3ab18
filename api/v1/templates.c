/* /v1/templates: list; for administrators, change. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "api/v1/shadow.h"
#include "supervisor/wire/strings.h"
#include "supervisor/wire/templates.h"

static void write_template(struct writer *writer, const struct wire_template_row *row)
{
	json_write_open(writer, '{');
	json_write_text(writer, "name", row->name);
	json_write_boolean(writer, "available", row->available);
	json_write_text_or_null(writer, "reason", row->reason);
	json_write_text(writer, "runtime", row->runtime);
	json_write_number(writer, "warm", row->n_warm);
	json_write_number(writer, "target", row->n_target);
	shadow_write_state(writer, &row->shadow);
	json_write_close(writer, '}');
}

static int take_template(struct writer *writer, struct answer_rows *rows)
{
	struct wire_template_row row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.name) ||
		!WIRE_TEXT_VALID(row.runtime) || !WIRE_TEXT_VALID(row.reason) ||
		!WIRE_TEXT_VALID(row.shadow.policy))
		return -EPROTO;
	write_template(writer, &row);
	return 0;
}

static int on_listed(struct request *request, const struct answer *answer)
{
	return list_respond(request, answer, WIRE_API_TEMPLATES, "templates", take_template);
}

void templates_list(struct request *request)
{
	request_ask(request, WIRE_API_TEMPLATE_LIST, &request->caller, sizeof(request->caller),
		NULL, 0, on_listed);
}

static int on_changed(struct request *request, const struct answer *answer)
{
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_TEMPLATES) < 0 || rows.page.n_rows != 1 ||
		take_template(&request->answer, &rows) < 0 || rows.left)
		return -EPROTO;
	respond_json(request, 200);
	return ANSWER_LAST;
}

void templates_change(struct request *request)
{
	struct wire_template_patch patch = {.caller = request->caller};
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;

	if (!body_parse(request, &object))
		return;
	memcpy(patch.name, request->parameters[0], sizeof(patch.name));
	fields_begin(&fields, object, "", &error);
	patch.shadow.is_given = shadow_read(&fields, patch.shadow.policy);
	if (!patch.shadow.is_given)
		fields_refuse(&fields, "shadow", "is missing; it is all that can be changed");
	fields_end(&fields);
	if (body_accept(request, &error))
		request_ask(request, WIRE_API_TEMPLATE_PATCH, &patch, sizeof(patch), NULL, 0,
			on_changed);
}
