/* Candidates by name: of sandboxes, tenants and templates. */
#include <errno.h>

#include "supervisor/store/database.h"

struct shadow_copy {
	char *policy;
	bool found;
};

static int copy_shadow(sqlite3_stmt *row, void *userdata)
{
	struct shadow_copy *copy = userdata;

	copy->found = true;
	return store_column_text(row, 0, copy->policy, STORE_NAME_SIZE);
}

/* The statement is bound. */
static int get(struct store *store, enum store_statement which, char ret_policy[STORE_NAME_SIZE])
{
	struct shadow_copy copy = {ret_policy, false};
	int r = store_each(store, which, copy_shadow, &copy);

	return r == 0 && !copy.found ? -ENOENT : r;
}

int store_shadow_put(struct store *store, uint64_t sandbox, bool administrators, const char *policy)
{
	enum store_statement which = policy[0] ? STORE_SHADOW_PUT : STORE_SHADOW_DELETE;
	sqlite3_stmt *statement = store_statement(store, which);

	store_bind_number(statement, 1, sandbox);
	store_bind_number(statement, 2, administrators);
	if (policy[0])
		store_bind_text(statement, 3, policy);
	return store_run(store, which);
}

int store_shadow_get(struct store *store, uint64_t sandbox, bool administrators,
	char ret_policy[STORE_NAME_SIZE])
{
	sqlite3_stmt *statement = store_statement(store, STORE_SHADOW_GET);

	store_bind_number(statement, 1, sandbox);
	store_bind_number(statement, 2, administrators);
	return get(store, STORE_SHADOW_GET, ret_policy);
}

int store_tenant_shadow_put(struct store *store, uint32_t tenant, const char *policy)
{
	enum store_statement which =
		policy[0] ? STORE_TENANT_SHADOW_PUT : STORE_TENANT_SHADOW_DELETE;
	sqlite3_stmt *statement = store_statement(store, which);

	store_bind_number(statement, 1, tenant);
	if (policy[0])
		store_bind_text(statement, 2, policy);
	return store_run(store, which);
}

int store_tenant_shadow_get(struct store *store, uint32_t tenant, char ret_policy[STORE_NAME_SIZE])
{
	store_bind_number(store_statement(store, STORE_TENANT_SHADOW_GET), 1, tenant);
	return get(store, STORE_TENANT_SHADOW_GET, ret_policy);
}

int store_template_shadow_put(struct store *store, const char *template, const char *policy)
{
	enum store_statement which =
		policy[0] ? STORE_TEMPLATE_SHADOW_PUT : STORE_TEMPLATE_SHADOW_DELETE;
	sqlite3_stmt *statement = store_statement(store, which);

	store_bind_text(statement, 1, template);
	if (policy[0])
		store_bind_text(statement, 2, policy);
	return store_run(store, which);
}

int store_template_shadow_get(
	struct store *store, const char *template, char ret_policy[STORE_NAME_SIZE])
{
	store_bind_text(store_statement(store, STORE_TEMPLATE_SHADOW_GET), 1, template);
	return get(store, STORE_TEMPLATE_SHADOW_GET, ret_policy);
}
