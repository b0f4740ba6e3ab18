/* Totals by label, and what a sandbox that died by itself had used. */
#include <errno.h>
#include <stdio.h>

#include "supervisor/store/database.h"

static int get_blob(
	struct store *store, enum store_statement which, void *ret_usage, size_t usage_size)
{
	sqlite3_stmt *statement = store_statement(store, which);
	int code = sqlite3_step(statement);
	int r = code == SQLITE_DONE ? -ENOENT : store_errno(store, code);

	if (r == 0)
		store_column_bytes(statement, 0, ret_usage, usage_size);
	store_finish(store, which);
	return r;
}

int store_failed_put(struct store *store, uint64_t sandbox, const void *usage, size_t usage_size)
{
	store_bind_number(store_statement(store, STORE_FAILED_PUT), 1, sandbox);
	store_bind_bytes(store_statement(store, STORE_FAILED_PUT), 2, usage, usage_size);
	return store_run(store, STORE_FAILED_PUT);
}

int store_failed_get(struct store *store, uint64_t sandbox, void *ret_usage, size_t usage_size)
{
	store_bind_number(store_statement(store, STORE_FAILED_GET), 1, sandbox);
	return get_blob(store, STORE_FAILED_GET, ret_usage, usage_size);
}

int store_label_get(
	struct store *store, uint32_t tenant, const char *label, void *ret_usage, size_t usage_size)
{
	store_bind_number(store_statement(store, STORE_LABEL_GET), 1, tenant);
	store_bind_text(store_statement(store, STORE_LABEL_GET), 2, label);
	return get_blob(store, STORE_LABEL_GET, ret_usage, usage_size);
}

static int put(struct store *store, enum store_statement which, uint32_t tenant, const char *label,
	const void *usage, size_t usage_size)
{
	sqlite3_stmt *statement = store_statement(store, which);

	store_bind_number(statement, 1, tenant);
	store_bind_text(statement, 2, label);
	store_bind_bytes(statement, 3, usage, usage_size);
	if (which == STORE_LABEL_PUT)
		return store_change(store, which);
	store_bind_number(statement, 4, STORE_LABELS_MAX);
	return store_run(store, which);
}

int store_label_put(struct store *store, uint32_t tenant, const char *label, const void *usage,
	size_t usage_size)
{
	int r = put(store, STORE_LABEL_PUT, tenant, label, usage, usage_size);

	return r == -ENOENT ? put(store, STORE_LABEL_ADD, tenant, label, usage, usage_size) : r;
}

int store_label_count(struct store *store, uint32_t tenant, size_t *ret_n)
{
	sqlite3_stmt *statement = store_statement(store, STORE_LABEL_COUNT);
	int r;

	store_bind_number(statement, 1, tenant);
	r = store_errno(store, sqlite3_step(statement));
	if (r == 0)
		*ret_n = (size_t)store_column_number(statement, 0);
	store_finish(store, STORE_LABEL_COUNT);
	return r;
}

struct label_visit {
	void (*callback)(const char *label, const void *usage, size_t usage_size, void *userdata);
	void *userdata;
};

static int visit_label(sqlite3_stmt *row, void *userdata)
{
	const struct label_visit *visit = userdata;
	char label[STORE_LABEL_SIZE];
	int r = store_column_text(row, 0, label, sizeof(label));

	if (r == 0)
		visit->callback(label, sqlite3_column_blob(row, 1),
			(size_t)sqlite3_column_bytes(row, 1), visit->userdata);
	return r;
}

int store_label_each(struct store *store, uint32_t tenant, const char *key,
	void (*callback)(const char *label, const void *usage, size_t usage_size, void *userdata),
	void *userdata)
{
	sqlite3_stmt *statement = store_statement(store, STORE_LABEL_EACH);
	struct label_visit visit = {callback, userdata};
	char first[STORE_LABEL_SIZE + 2], end[STORE_LABEL_SIZE + 2];

	if (sqlite3_stmt_busy(statement))
		return -EBUSY;
	snprintf(first, sizeof(first), "%s=", key);
	snprintf(end, sizeof(end), "%s>", key); /* the character after '=' */
	store_bind_number(statement, 1, tenant);
	store_bind_text(statement, 2, first);
	store_bind_text(statement, 3, end);
	return store_each(store, STORE_LABEL_EACH, visit_label, &visit);
}
