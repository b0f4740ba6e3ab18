#include <errno.h>

#include "supervisor/store/database.h"

int store_sample_put(struct store *store, uint32_t tenant, uint64_t time_ns, const void *point,
	size_t point_size)
{
	sqlite3_stmt *statement = store_statement(store, STORE_SAMPLE_PUT);

	store_bind_number(statement, 1, tenant);
	store_bind_number(statement, 2, time_ns);
	store_bind_bytes(statement, 3, point, point_size);
	return store_run(store, STORE_SAMPLE_PUT);
}

static int get(struct store *store, enum store_statement which, uint32_t tenant, uint64_t time_ns,
	void *ret_point, size_t point_size)
{
	sqlite3_stmt *statement = store_statement(store, which);
	int code, r;

	store_bind_number(statement, 1, tenant);
	store_bind_number(statement, 2, time_ns);
	code = sqlite3_step(statement);
	r = code == SQLITE_DONE ? -ENOENT : store_errno(store, code);
	if (r == 0)
		store_column_bytes(statement, 0, ret_point, point_size);
	store_finish(store, which);
	return r;
}

int store_sample_at(
	struct store *store, uint32_t tenant, uint64_t time_ns, void *ret_point, size_t point_size)
{
	return get(store, STORE_SAMPLE_AT, tenant, time_ns, ret_point, point_size);
}

int store_sample_after(
	struct store *store, uint32_t tenant, uint64_t time_ns, void *ret_point, size_t point_size)
{
	return get(store, STORE_SAMPLE_AFTER, tenant, time_ns, ret_point, point_size);
}

int store_sample_expire(struct store *store, uint64_t time_ns)
{
	store_bind_number(store_statement(store, STORE_SAMPLE_EXPIRE), 1, time_ns);
	return store_run(store, STORE_SAMPLE_EXPIRE);
}
