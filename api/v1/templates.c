/* GET /v1/templates. */
#include <errno.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "supervisor/wire/strings.h"

static void write_template(struct writer *writer, const struct wire_template_row *row)
{
	json_write_open(writer, '{');
	json_write_text(writer, "name", row->name);
	json_write_boolean(writer, "available", row->available);
	json_write_text_or_null(writer, "reason", row->reason);
	json_write_text(writer, "runtime", row->runtime);
	json_write_number(writer, "warm", row->n_warm);
	json_write_number(writer, "target", row->n_target);
	json_write_close(writer, '}');
}

static int take_template(struct writer *writer, struct answer_rows *rows)
{
	struct wire_template_row row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.name) ||
		!WIRE_TEXT_VALID(row.runtime) || !WIRE_TEXT_VALID(row.reason))
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
