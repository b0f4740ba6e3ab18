#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
	tenant_show_budgets(
		core, tenant, ret_row->usage.budgets, &ret_row->usage.budget_window_seconds);
}

/* The tenant that is asked about: the caller's own, or any by name for an administrator. NULL when
 * that was refused. */
const struct tenant *usage_find_tenant(struct request *request, const char *name)
{
	const struct tenant *tenant = request->key->tenant;

	if (!name[0] || strcmp(name, tenant->row.name) == 0)
		return tenant;
	tenant =
		request_scope(request) ? NULL : tenants_find(request->control->core->tenants, name);
	if (!tenant)
		request_fail(request, WIRE_CODE_NOT_FOUND, "There is no tenant \"%s\".", name);
	return tenant;
}

static void tenant_row(struct request *request, const struct tenant *tenant)
{
	struct wire_usage_row row;

	fill_tenant_row(request->control->core, tenant, &row);
	answer_row(request, &row);
}

/* In order of id; the cursor is the last id of the page. */
static void all_rows(struct request *request, uint64_t cursor)
{
	struct core *core = request->control->core;
	const struct tenant *each;
	struct rows rows = {0};
	uint32_t n = 0;

	tenants_usage(core);
	while ((each = tenants_next(core->tenants, cursor))) {
		struct wire_usage_row row = {.usage = each->now};

		if (n++ == WIRE_PAGE_MAX) {
			rows.page.next_cursor = cursor;
			break;
		}
		cursor = each->row.id;
		snprintf(row.tenant, sizeof(row.tenant), "%s", each->row.name);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	rows_answer(&rows, request, WIRE_API_USAGES);
}

/* ---- each sandbox that lives, in order of id */

static void sandbox_rows(struct request *request, const struct tenant *tenant, uint64_t cursor)
{
	struct core *core = request->control->core;
	size_t n = 0;
	uint64_t *ids = sandbox_ids(core, tenant, cursor, &n);
	struct rows rows = {.failed = !ids};

	for (size_t i = 0; i < n && i < WIRE_PAGE_MAX; i++) {
		struct wire_usage_row row = {.sandbox = ids[i]};
		struct sandbox *sandbox = sandbox_find(core, tenant, ids[i]);

		snprintf(row.tenant, sizeof(row.tenant), "%s", sandbox_tenant(sandbox)->row.name);
		if (sandbox_usage(sandbox, &row.usage) == 0)
			rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	if (n > WIRE_PAGE_MAX)
		rows.page.next_cursor = ids[WIRE_PAGE_MAX - 1];
	free(ids);
	rows_answer(&rows, request, WIRE_API_USAGES);
}

/* ---- by label */

static void label_rows(
	struct request *request, const struct tenant *tenant, const struct wire_usage_query *query)
{
	struct core *core = request->control->core;
	struct usage_label *labels = NULL;
	struct rows rows = {0};
	size_t n = 0, at = query->cursor;
	int r = usage_by_label(core, tenant, query->label, &labels, &n);

	if (r < 0) {
		request_fail(request, WIRE_CODE_INTERNAL, "The totals cannot be read: %s.",
			strerror(-r));
		return;
	}
	for (; at < n && at - query->cursor < WIRE_PAGE_MAX; at++) {
		struct wire_usage_row row = {
			.is_rest = labels[at].is_rest, .usage = labels[at].usage};

		snprintf(row.tenant, sizeof(row.tenant), "%s", tenant->row.name);
		snprintf(row.label, sizeof(row.label), "%s", labels[at].value);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	rows.page.next_cursor = at < n ? at : 0;
	free(labels);
	rows_answer(&rows, request, WIRE_API_USAGES);
}

/* ---- by destination */

static void add_destination(const struct store_destination *destination, void *userdata)
{
	struct wire_destination_row row = {.bytes_sent = destination->bytes_sent,
		.bytes_received = destination->bytes_received,
		.connections = destination->connections};

	snprintf(row.name, sizeof(row.name), "%s", destination->name);
	rows_add(userdata, &row, sizeof(row), NULL, 0);
}

/* The tenant of a sandbox that lives or has ended; NULL when it is not for the caller. */
static const struct tenant *tenant_of(const struct request *request, uint64_t id)
{
	struct core *core = request->control->core;
	const struct tenant *scope = request_scope(request), *tenant = NULL;
	const struct sandbox *sandbox = sandbox_find(core, scope, id);
	struct wire_usage usage;
	uint32_t tenant_id;

	if (sandbox)
		return sandbox_tenant(sandbox);
	if (store_usage_get(core->store, id, &tenant_id, &usage, sizeof(usage)) == 0)
		tenant = tenants_get(core->tenants, tenant_id);
	return !scope || tenant == scope ? tenant : NULL;
}

void handle_destinations(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_usage_query *query = body;
	struct core *core = request->control->core;
	const struct tenant *tenant;
	struct rows rows = {0};
	int r;

	if (!WIRE_TEXT_VALID(query->name)) {
		request_fail(request, WIRE_CODE_INVALID, "The tenant's name is not a text.");
		return;
	}
	if (query->scope == WIRE_USAGE_SANDBOX) {
		tenant = tenant_of(request, query->sandbox);
		if (!tenant)
			request_fail(request, WIRE_CODE_NOT_FOUND,
				"No sandbox sb-%016lx is or was there.",
				(unsigned long)query->sandbox);
	} else {
		tenant = usage_find_tenant(request, query->name);
	}
	if (!tenant)
		return;
	r = store_destination_each(core->store, tenant->row.id,
		query->scope == WIRE_USAGE_SANDBOX ? query->sandbox : 0, add_destination, &rows);
	if (r == 0) {
		rows_answer(&rows, request, WIRE_API_DESTINATIONS_REPLY);
		return;
	}
	free(rows.bytes);
	request_fail(
		request, WIRE_CODE_INTERNAL, "The destinations cannot be read: %s.", strerror(-r));
}

void handle_usage(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_usage_query *query = body;
	const struct tenant *tenant = NULL;

	if (!WIRE_TEXT_VALID(query->name) || !WIRE_TEXT_VALID(query->label)) {
		request_fail(request, WIRE_CODE_INVALID,
			"The tenant's name or the label is not a text.");
		return;
	}
	if (query->scope == WIRE_USAGE_TENANT || query->scope == WIRE_USAGE_LABELS ||
		query->scope == WIRE_USAGE_SANDBOXES) {
		tenant = usage_find_tenant(request, query->name);
		if (!tenant)
			return;
	}
	switch ((enum wire_usage_scope)query->scope) {
	case WIRE_USAGE_SANDBOX:
		sandbox_row(request, query->sandbox);
		return;
	case WIRE_USAGE_TENANT:
		tenant_row(request, tenant);
		return;
	case WIRE_USAGE_LABELS:
		label_rows(request, tenant, query);
		return;
	case WIRE_USAGE_SANDBOXES:
		/* An administrator who names no tenant sees the host's. */
		sandbox_rows(request, query->name[0] || request_scope(request) ? tenant : NULL,
			query->cursor);
		return;
	case WIRE_USAGE_TENANTS:
		if (request_scope(request))
			request_fail(request, WIRE_CODE_FORBIDDEN,
				"Only an administrator's key may see all tenants; yours speaks for "
				"\"%s\".",
				request->key->tenant->row.name);
		else
			all_rows(request, query->cursor);
		return;
	case WIRE_USAGE_HOST:
		break;
	}
	request_fail(request, WIRE_CODE_INVALID, "There is no usage scope %u.", query->scope);
}
