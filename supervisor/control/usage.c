#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

static void answer_row(struct request *request, const struct wire_usage_row *row)
{
	struct rows rows = {0};

	rows_add(&rows, row, sizeof(*row), NULL, 0);
	rows_answer(&rows, request, WIRE_API_USAGES);
}

static void sandbox_row(struct request *request, uint64_t id)
{
	struct core *core = request->control->core;
	const struct tenant *scope = request_scope(request);
	struct wire_usage_row row = {.sandbox = id};
	struct sandbox *sandbox = sandbox_find(core, scope, id);
	const struct tenant *tenant;
	uint32_t tenant_id;
	int r;

	if (sandbox) {
		tenant = sandbox_tenant(sandbox);
		r = sandbox_usage(sandbox, &row.usage);
	} else {
		r = store_usage_get(core->store, id, &tenant_id, &row.usage, sizeof(row.usage));
		tenant = r == 0 ? tenants_get(core->tenants, tenant_id) : NULL;
		row.ended = 1;
	}
	if (r == -ENOENT || !tenant || (scope && tenant != scope)) {
		request_fail(request, WIRE_CODE_NOT_FOUND, "No sandbox sb-%016lx is or was there.",
			(unsigned long)id);
		return;
	}
	if (r < 0) {
		request_fail(request, WIRE_CODE_INTERNAL, "Its counters cannot be read: %s.",
			strerror(-r));
		return;
	}
	snprintf(row.tenant, sizeof(row.tenant), "%s", tenant->row.name);
	answer_row(request, &row);
}

static void fill_tenant_row(
	const struct core *core, const struct tenant *tenant, struct wire_usage_row *ret_row)
{
	*ret_row = (struct wire_usage_row){0};
	snprintf(ret_row->tenant, sizeof(ret_row->tenant), "%s", tenant->row.name);
	tenant_usage(core, tenant, &ret_row->usage);
}

static void tenant_row(struct request *request, const char *name)
{
	struct core *core = request->control->core;
	const struct tenant *tenant = request->key->tenant;
	struct wire_usage_row row;

	if (name[0] && strcmp(name, tenant->row.name) != 0) {
		tenant = request_scope(request) ? NULL : tenants_find(core->tenants, name);
		if (!tenant) {
			request_fail(
				request, WIRE_CODE_NOT_FOUND, "There is no tenant \"%s\".", name);
			return;
		}
	}
	fill_tenant_row(core, tenant, &row);
	answer_row(request, &row);
}

static void all_rows(struct request *request)
{
	struct core *core = request->control->core;
	struct rows rows = {0};

	for (const struct tenant *each = tenants_first(core->tenants); each; each = each->next) {
		struct wire_usage_row row;

		if (rows.size + sizeof(row) + 64 > WIRE_FRAME_MAX)
			break;
		fill_tenant_row(core, each, &row);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	rows_answer(&rows, request, WIRE_API_USAGES);
}

void handle_usage(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_usage_query *query = body;

	if (!WIRE_TEXT_VALID(query->name)) {
		request_fail(request, WIRE_CODE_INVALID, "The tenant's name is not a text.");
		return;
	}
	switch ((enum wire_usage_scope)query->scope) {
	case WIRE_USAGE_SANDBOX:
		sandbox_row(request, query->sandbox);
		return;
	case WIRE_USAGE_TENANT:
		tenant_row(request, query->name);
		return;
	case WIRE_USAGE_TENANTS:
		if (request_scope(request))
			request_fail(request, WIRE_CODE_FORBIDDEN,
				"Only an administrator's key may see all tenants; yours speaks for "
				"\"%s\".",
				request->key->tenant->row.name);
		else
			all_rows(request);
		return;
	}
	request_fail(request, WIRE_CODE_INVALID, "There is no usage scope %u.", query->scope);
}
