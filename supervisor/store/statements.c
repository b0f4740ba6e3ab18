#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/store/database.h"

int store_errno(const struct store *store, int code)
{
	int system;

	switch (code & 0xff) { /* the low byte is the primary code (sqlite.org/rescode.html) */
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CONSTRAINT:
		return code == SQLITE_CONSTRAINT_FOREIGNKEY ? -ENOENT : -EEXIST;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_TOOBIG:
		return -E2BIG;
	}
	system = store->database ? sqlite3_system_errno(store->database) : 0;
	return system > 0 ? -system : -EIO;
}

sqlite3_stmt *store_statement(struct store *store, enum store_statement which)
{
	return store->statements[which];
}

void store_finish(struct store *store, enum store_statement which)
{
	sqlite3_reset(store->statements[which]);
	sqlite3_clear_bindings(store->statements[which]);
}

int store_run(struct store *store, enum store_statement which)
{
	int code = sqlite3_step(store->statements[which]);
	int r = store_errno(store, code);

	store_finish(store, which);
	return r;
}

int store_change(struct store *store, enum store_statement which)
{
	int r = store_run(store, which);

	if (r < 0)
		return r;
	return sqlite3_changes(store->database) > 0 ? 0 : -ENOENT;
}

int store_each(
	struct store *store, enum store_statement which, store_row_callback row, void *userdata)
{
	sqlite3_stmt *statement = store->statements[which];
	int code, r = 0;

	if (sqlite3_stmt_busy(statement))
		return -EBUSY;
	while (r == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
		r = row(statement, userdata);
	if (r == 0)
		r = store_errno(store, code);
	store_finish(store, which);
	return r;
}

int store_begin(struct store *store)
{
	return store_run(store, STORE_BEGIN);
}

int store_commit(struct store *store)
{
	int r;

	/* A full disk makes SQLite end the transaction by itself, and then nothing was kept. */
	if (sqlite3_get_autocommit(store->database))
		return -ENOSPC;
	r = store_run(store, STORE_COMMIT);
	if (r < 0)
		store_rollback(store);
	return r;
}

void store_rollback(struct store *store)
{
	if (!sqlite3_get_autocommit(store->database))
		store_run(store, STORE_ROLLBACK);
}

int store_save(struct store *store)
{
	return store_run(store, STORE_SAVE);
}

int store_save_end(struct store *store, int r)
{
	if (r == 0)
		r = store_run(store, STORE_SAVE_RELEASE);
	if (r < 0 && !sqlite3_get_autocommit(store->database)) {
		store_run(store, STORE_SAVE_ROLLBACK);
		store_run(store, STORE_SAVE_RELEASE);
	}
	return r;
}

/* Binding to a prepared statement with borrowed bytes fails only on our own wrong index. */
void store_bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

void store_bind_number(sqlite3_stmt *statement, int index, uint64_t value)
{
	sqlite3_bind_int64(statement, index, (sqlite3_int64)value);
}

void store_bind_bytes(sqlite3_stmt *statement, int index, const void *bytes, size_t size)
{
	sqlite3_bind_blob64(statement, index, size ? bytes : "", size, SQLITE_STATIC);
}

int store_column_text(sqlite3_stmt *statement, int index, char *ret_field, size_t size)
{
	const char *text = (const char *)sqlite3_column_text(statement, index);

	if (!text)
		return -EBADMSG;
	return snprintf(ret_field, size, "%s", text) < (int)size ? 0 : -EBADMSG;
}

uint64_t store_column_number(sqlite3_stmt *statement, int index)
{
	return (uint64_t)sqlite3_column_int64(statement, index);
}

void store_column_bytes(sqlite3_stmt *statement, int index, void *ret_bytes, size_t size)
{
	const void *bytes = sqlite3_column_blob(statement, index);
	size_t stored = (size_t)sqlite3_column_bytes(statement, index);

	memset(ret_bytes, 0, size);
	if (bytes)
		memcpy(ret_bytes, bytes, stored < size ? stored : size);
}
