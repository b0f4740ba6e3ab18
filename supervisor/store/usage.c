#include <errno.h>

#include "supervisor/store/database.h"

int store_usage_get(struct store *store, uint64_t sandbox, uint32_t *ret_tenant, void *ret_usage,
	size_t usage_size)
{
	sqlite3_stmt *statement = store_statement(store, STORE_USAGE_GET);
	int code, r;

	store_bind_number(statement, 1, sandbox);
	code = sqlite3_step(statement);
	r = code == SQLITE_DONE ? -ENOENT : store_errno(store, code);
	if (r == 0) {
		*ret_tenant = (uint32_t)store_column_number(statement, 0);
		store_column_bytes(statement, 1, ret_usage, usage_size);
	}
	store_finish(store, STORE_USAGE_GET);
	return r;
}

struct usage_visit {
	void (*callback)(uint64_t sandbox, const void *usage, size_t usage_size, void *userdata);
	void *userdata;
};

static int visit_usage(sqlite3_stmt *row, void *userdata)
{
	const struct usage_visit *visit = userdata;

	visit->callback(store_column_number(row, 0), sqlite3_column_blob(row, 1),
		(size_t)sqlite3_column_bytes(row, 1), visit->userdata);
	return 0;
}

int store_usage_each(struct store *store, uint32_t tenant,
	void (*callback)(uint64_t sandbox, const void *usage, size_t usage_size, void *userdata),
	void *userdata)
{
	struct usage_visit visit = {callback, userdata};

	if (sqlite3_stmt_busy(store_statement(store, STORE_USAGE_EACH)))
		return -EBUSY;
	store_bind_number(store_statement(store, STORE_USAGE_EACH), 1, tenant);
	return store_each(store, STORE_USAGE_EACH, visit_usage, &visit);
}

int store_total_put(struct store *store, uint32_t tenant, const void *usage, size_t usage_size)
{
	sqlite3_stmt *statement = store_statement(store, STORE_TOTAL_PUT);

	store_bind_number(statement, 1, tenant);
	store_bind_bytes(statement, 2, usage, usage_size);
	return store_run(store, STORE_TOTAL_PUT);
}

int store_total_get(struct store *store, uint32_t tenant, void *ret_usage, size_t usage_size)
{
	sqlite3_stmt *statement = store_statement(store, STORE_TOTAL_GET);
	int code, r;

	store_bind_number(statement, 1, tenant);
	code = sqlite3_step(statement);
	r = code == SQLITE_DONE ? -ENOENT : store_errno(store, code);
	if (r == 0)
		store_column_bytes(statement, 0, ret_usage, usage_size);
	store_finish(store, STORE_TOTAL_GET);
	return r;
}
