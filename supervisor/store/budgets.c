#include <errno.h>

#include "supervisor/store/database.h"

int store_budgets_put(struct store *store, uint32_t tenant, const struct store_budgets *budgets)
{
	sqlite3_stmt *statement = store_statement(store, STORE_BUDGETS_PUT);

	store_bind_number(statement, 1, tenant);
	store_bind_bytes(statement, 2, budgets, sizeof(*budgets));
	return store_run(store, STORE_BUDGETS_PUT);
}

int store_budgets_get(struct store *store, uint32_t tenant, struct store_budgets *ret_budgets)
{
	sqlite3_stmt *statement = store_statement(store, STORE_BUDGETS_GET);
	int code, r;

	store_bind_number(statement, 1, tenant);
	code = sqlite3_step(statement);
	r = code == SQLITE_DONE ? -ENOENT : store_errno(store, code);
	if (r == 0)
		store_column_bytes(statement, 0, ret_budgets, sizeof(*ret_budgets));
	store_finish(store, STORE_BUDGETS_GET);
	return r;
}
