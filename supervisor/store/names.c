#include <errno.h>

#include "supervisor/store/database.h"

int store_name_insert(struct store *store, uint64_t sandbox, uint32_t place, const char *name)
{
	sqlite3_stmt *statement = store_statement(store, STORE_NAME_INSERT);

	store_bind_number(statement, 1, sandbox);
	store_bind_number(statement, 2, place);
	store_bind_text(statement, 3, name);
	return store_run(store, STORE_NAME_INSERT);
}

struct name_visit {
	store_name_callback callback;
	void *userdata;
};

static int visit_name(sqlite3_stmt *row, void *userdata)
{
	const struct name_visit *visit = userdata;
	char name[STORE_HOST_SIZE];
	int r = store_column_text(row, 1, name, sizeof(name));

	if (r < 0)
		return r;
	return visit->callback((uint32_t)store_column_number(row, 0), name, visit->userdata);
}

int store_name_each(
	struct store *store, uint64_t sandbox, store_name_callback callback, void *userdata)
{
	struct name_visit visit = {callback, userdata};

	store_bind_number(store_statement(store, STORE_NAME_EACH), 1, sandbox);
	return store_each(store, STORE_NAME_EACH, visit_name, &visit);
}
