/* Traffic by destination, of sandboxes and, as sandbox 0, of tenants. Bounded for each: when there
 * is no room, the one with the least traffic becomes a part of the rest (the empty name), if it has
 * less than the new one, which else does itself. So the rows always add up. */
#include <errno.h>
#include <string.h>

#include "supervisor/store/database.h"

static int change(struct store *store, enum store_statement which, uint32_t tenant,
	uint64_t sandbox, const char *name, const struct store_destination *more)
{
	sqlite3_stmt *statement = store_statement(store, which);

	store_bind_number(statement, 1, tenant);
	store_bind_number(statement, 2, sandbox);
	store_bind_text(statement, 3, name);
	if (which == STORE_DESTINATION_DELETE)
		return store_change(store, which);
	store_bind_number(statement, 4, more->bytes_sent);
	store_bind_number(statement, 5, more->bytes_received);
	store_bind_number(statement, 6, more->connections);
	return which == STORE_DESTINATION_ADD ? store_change(store, which)
					      : store_run(store, which);
}

static int put(struct store *store, uint32_t tenant, uint64_t sandbox, const char *name,
	const struct store_destination *more)
{
	return change(store, STORE_DESTINATION_PUT, tenant, sandbox, name, more);
}

static int count(struct store *store, uint32_t tenant, uint64_t sandbox, uint64_t *ret_n)
{
	sqlite3_stmt *statement = store_statement(store, STORE_DESTINATION_COUNT);
	int r;

	store_bind_number(statement, 1, tenant);
	store_bind_number(statement, 2, sandbox);
	r = store_errno(store, sqlite3_step(statement));
	if (r == 0)
		*ret_n = store_column_number(statement, 0);
	store_finish(store, STORE_DESTINATION_COUNT);
	return r;
}

static int read_row(sqlite3_stmt *row, struct store_destination *ret_destination)
{
	ret_destination->bytes_sent = store_column_number(row, 1);
	ret_destination->bytes_received = store_column_number(row, 2);
	ret_destination->connections = store_column_number(row, 3);
	return store_column_text(row, 0, ret_destination->name, sizeof(ret_destination->name));
}

static int find_least(
	struct store *store, uint32_t tenant, uint64_t sandbox, struct store_destination *ret_least)
{
	sqlite3_stmt *statement = store_statement(store, STORE_DESTINATION_LEAST);
	int code, r;

	store_bind_number(statement, 1, tenant);
	store_bind_number(statement, 2, sandbox);
	code = sqlite3_step(statement);
	r = code == SQLITE_DONE ? -ENOENT : store_errno(store, code);
	if (r == 0)
		r = read_row(statement, ret_least);
	store_finish(store, STORE_DESTINATION_LEAST);
	return r;
}

static int add_new(struct store *store, uint32_t tenant, uint64_t sandbox,
	const struct store_destination *more, uint32_t n_max)
{
	struct store_destination least;
	uint64_t n = 0;
	int r = count(store, tenant, sandbox, &n);

	if (r < 0 || n < n_max)
		return r < 0 ? r : put(store, tenant, sandbox, more->name, more);
	r = find_least(store, tenant, sandbox, &least);
	if (r < 0)
		return r;
	if (least.bytes_sent + least.bytes_received >= more->bytes_sent + more->bytes_received)
		return put(store, tenant, sandbox, "", more);
	r = put(store, tenant, sandbox, "", &least);
	if (r == 0)
		r = change(store, STORE_DESTINATION_DELETE, tenant, sandbox, least.name, NULL);
	return r == 0 ? put(store, tenant, sandbox, more->name, more) : r;
}

int store_destination_add(struct store *store, uint32_t tenant, uint64_t sandbox,
	const struct store_destination *more)
{
	const uint32_t n_max = sandbox ? STORE_DESTINATIONS_MAX : STORE_DESTINATIONS_OF_TENANT_MAX;
	int r = store_save(store);

	if (r < 0)
		return r;
	r = change(store, STORE_DESTINATION_ADD, tenant, sandbox, more->name, more);
	if (r == -ENOENT)
		r = more->name[0] ? add_new(store, tenant, sandbox, more, n_max)
				  : put(store, tenant, sandbox, "", more);
	return store_save_end(store, r);
}

struct destination_visit {
	void (*callback)(const struct store_destination *destination, void *userdata);
	void *userdata;
};

static int visit(sqlite3_stmt *row, void *userdata)
{
	const struct destination_visit *visit = userdata;
	struct store_destination destination;
	int r = read_row(row, &destination);

	if (r == 0)
		visit->callback(&destination, visit->userdata);
	return r;
}

int store_destination_each(struct store *store, uint32_t tenant, uint64_t sandbox,
	void (*callback)(const struct store_destination *destination, void *userdata),
	void *userdata)
{
	struct destination_visit visits = {callback, userdata};
	sqlite3_stmt *statement = store_statement(store, STORE_DESTINATION_EACH);

	if (sqlite3_stmt_busy(statement))
		return -EBUSY;
	store_bind_number(statement, 1, tenant);
	store_bind_number(statement, 2, sandbox);
	return store_each(store, STORE_DESTINATION_EACH, visit, &visits);
}
