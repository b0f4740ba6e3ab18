/* /v1/tenants, for administrators: list, create, change, delete. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/body.h"
#include "api/v1/budgets.h"
#include "api/v1/list.h"
#include "api/v1/routes.h"
#include "api/v1/shadow.h"

#define SANDBOXES_MAX 1000000

static int take_tenant(struct writer *writer, struct answer_rows *rows)
{
	struct wire_tenant_row row;

	if (answer_rows_take(rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.name) ||
		!WIRE_TEXT_VALID(row.policy) || !WIRE_TEXT_VALID(row.shadow.policy))
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_text(writer, "name", row.name);
	json_write_text(writer, "policy", row.policy);
	json_write_number(writer, "sandboxes", row.n_sandboxes);
	if (row.n_sandboxes_max)
		json_write_number(writer, "sandboxes_max", row.n_sandboxes_max);
	else
		json_write_null(writer, "sandboxes_max");
	budgets_write(writer, row.budgets, row.budget_window_seconds);
	shadow_write_state(writer, &row.shadow);
	json_write_time(writer, "created_at", row.created_ns);
	json_write_close(writer, '}');
	return 0;
}

static int on_listed(struct request *request, const struct answer *answer)
{
	return list_respond(request, answer, WIRE_API_TENANTS, "tenants", take_tenant);
}

void tenants_list(struct request *request)
{
	request_ask(request, WIRE_API_TENANT_LIST, &request->caller, sizeof(request->caller), NULL,
		0, on_listed);
}

static int respond_one(struct request *request, const struct answer *answer, unsigned status)
{
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_TENANTS) < 0 || rows.page.n_rows != 1 ||
		take_tenant(&request->answer, &rows) < 0 || rows.left)
		return -EPROTO;
	respond_json(request, status);
	return ANSWER_LAST;
}

static int on_created(struct request *request, const struct answer *answer)
{
	return respond_one(request, answer, 201);
}

static int on_changed(struct request *request, const struct answer *answer)
{
	return respond_one(request, answer, 200);
}

void tenants_create(struct request *request)
{
	struct wire_tenant_create create = {.caller = request->caller};
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;
	uint64_t number;

	if (!body_parse(request, &object))
		return;
	fields_begin(&fields, object, "", &error);
	fields_text(&fields, "name", create.name, sizeof(create.name));
	if (!create.name[0])
		fields_refuse(&fields, "name", "is missing; give the tenant a name");
	fields_text(&fields, "policy", create.policy, sizeof(create.policy));
	if (fields_integer(&fields, "sandboxes_max", 1, SANDBOXES_MAX, &number))
		create.n_sandboxes_max = (uint32_t)number;
	budgets_read(&fields, &create.budgets);
	fields_end(&fields);
	if (body_accept(request, &error))
		request_ask(request, WIRE_API_TENANT_CREATE, &create, sizeof(create), NULL, 0,
			on_created);
}

void tenants_change(struct request *request)
{
	struct wire_tenant_patch patch = {.caller = request->caller};
	_cleanup_json_ json_t *object = NULL;
	struct wire_api_error error = {0};
	struct fields fields;

	if (!body_parse(request, &object))
		return;
	memcpy(patch.name, request->parameters[0], sizeof(patch.name));
	fields_begin(&fields, object, "", &error);
	patch.shadow.is_given = shadow_read(&fields, patch.shadow.policy);
	if (!fields_get(&fields, "budgets") == !patch.shadow.is_given)
		fields_refuse(&fields, "budgets", "or else \"shadow\": give the one to change");
	budgets_read(&fields, &patch.budgets);
	fields_end(&fields);
	if (body_accept(request, &error))
		request_ask(
			request, WIRE_API_TENANT_PATCH, &patch, sizeof(patch), NULL, 0, on_changed);
}

static int on_deleted(struct request *request, const struct answer *answer)
{
	if (answer->type != WIRE_API_DONE || answer->size != 0)
		return -EPROTO;
	respond_empty(request, 204);
	return ANSWER_LAST;
}

void tenants_delete(struct request *request)
{
	struct wire_name_ref ref = {.caller = request->caller};

	memcpy(ref.name, request->parameters[0], sizeof(ref.name));
	request_ask(request, WIRE_API_TENANT_DELETE, &ref, sizeof(ref), NULL, 0, on_deleted);
}
