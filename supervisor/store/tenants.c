#include <errno.h>

#include "supervisor/store/database.h"

int store_tenant_insert(struct store *store, struct store_tenant *tenant)
{
	sqlite3_stmt *statement = store_statement(store, STORE_TENANT_INSERT);
	int r;

	store_bind_text(statement, 1, tenant->name);
	store_bind_text(statement, 2, tenant->policy);
	store_bind_number(statement, 3, tenant->n_sandboxes_max);
	store_bind_number(statement, 4, tenant->created_ns);
	r = store_run(store, STORE_TENANT_INSERT);
	if (r == 0)
		tenant->id = (uint32_t)sqlite3_last_insert_rowid(store->database);
	return r;
}

static int refuse_row(sqlite3_stmt *statement _unused_, void *userdata _unused_)
{
	return -EBUSY;
}

static int delete_tenant(struct store *store, uint32_t id)
{
	int r;

	store_bind_number(store_statement(store, STORE_SANDBOX_OF_TENANT), 1, id);
	r = store_each(store, STORE_SANDBOX_OF_TENANT, refuse_row, NULL);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_KEY_DELETE_OF_TENANT), 1, id);
	r = store_run(store, STORE_KEY_DELETE_OF_TENANT);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_BUDGETS_DELETE), 1, id);
	r = store_run(store, STORE_BUDGETS_DELETE);
	if (r < 0)
		return r;
	r = store_tenant_shadow_put(store, id, "");
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_LABEL_DELETE), 1, id);
	r = store_run(store, STORE_LABEL_DELETE);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_DESTINATION_FORGET), 1, id);
	r = store_run(store, STORE_DESTINATION_FORGET);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_SAMPLE_DELETE), 1, id);
	r = store_run(store, STORE_SAMPLE_DELETE);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_TENANT_DELETE), 1, id);
	return store_change(store, STORE_TENANT_DELETE);
}

int store_tenant_delete(struct store *store, uint32_t id)
{
	int r = store_save(store);

	return r < 0 ? r : store_save_end(store, delete_tenant(store, id));
}

struct tenant_visit {
	void (*callback)(const struct store_tenant *tenant, void *userdata);
	void *userdata;
};

static int visit_tenant(sqlite3_stmt *row, void *userdata)
{
	const struct tenant_visit *visit = userdata;
	struct store_tenant tenant = {
		.id = (uint32_t)store_column_number(row, 0),
		.n_sandboxes_max = (uint32_t)store_column_number(row, 3),
		.created_ns = store_column_number(row, 4),
	};
	int r = store_column_text(row, 1, tenant.name, sizeof(tenant.name));

	if (r == 0)
		r = store_column_text(row, 2, tenant.policy, sizeof(tenant.policy));
	if (r == 0)
		visit->callback(&tenant, visit->userdata);
	return r;
}

int store_tenant_each(struct store *store,
	void (*callback)(const struct store_tenant *tenant, void *userdata), void *userdata)
{
	struct tenant_visit visit = {callback, userdata};

	return store_each(store, STORE_TENANT_EACH, visit_tenant, &visit);
}
