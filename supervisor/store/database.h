/* Inside the store: the connection, its prepared statements, and how their results become errnos.
 */
#pragma once

#include <sqlite3.h>

#include "supervisor/store/store.h"

enum store_statement {
	STORE_BEGIN,
	STORE_COMMIT,
	STORE_ROLLBACK,
	STORE_SAVE,
	STORE_SAVE_RELEASE,
	STORE_SAVE_ROLLBACK,
	STORE_TENANT_INSERT,
	STORE_TENANT_DELETE,
	STORE_TENANT_EACH,
	STORE_KEY_INSERT,
	STORE_KEY_DELETE,
	STORE_KEY_DELETE_OF_TENANT,
	STORE_KEY_EACH,
	STORE_SANDBOX_INSERT,
	STORE_SANDBOX_SET_STATE,
	STORE_SANDBOX_SET_POLICY,
	STORE_SANDBOX_DELETE,
	STORE_SANDBOX_OF_TENANT,
	STORE_SANDBOX_EACH,
	STORE_NAME_INSERT,
	STORE_NAME_DELETE,
	STORE_NAME_EACH,
	STORE_USAGE_PUT,
	STORE_USAGE_TRIM,
	STORE_USAGE_EXPIRE,
	STORE_FAILED_PUT,
	STORE_FAILED_GET,
	STORE_FAILED_DELETE,
	STORE_LABEL_PUT,
	STORE_LABEL_ADD,
	STORE_LABEL_GET,
	STORE_LABEL_EACH,
	STORE_LABEL_COUNT,
	STORE_DESTINATION_ADD,
	STORE_DESTINATION_PUT,
	STORE_DESTINATION_COUNT,
	STORE_DESTINATION_LEAST,
	STORE_DESTINATION_EACH,
	STORE_DESTINATION_DELETE,
	STORE_DESTINATION_FORGET,
	STORE_DESTINATION_EXPIRE,
	STORE_SAMPLE_PUT,
	STORE_SAMPLE_AT,
	STORE_SAMPLE_AFTER,
	STORE_SAMPLE_EXPIRE,
	STORE_SAMPLE_DELETE,
	STORE_LABEL_DELETE,
	STORE_USAGE_GET,
	STORE_USAGE_EACH,
	STORE_BUDGETS_PUT,
	STORE_BUDGETS_GET,
	STORE_BUDGETS_DELETE,
	STORE_SHADOW_PUT,
	STORE_SHADOW_DELETE,
	STORE_SHADOW_DELETE_ALL,
	STORE_SHADOW_GET,
	STORE_TENANT_SHADOW_PUT,
	STORE_TENANT_SHADOW_DELETE,
	STORE_TENANT_SHADOW_GET,
	STORE_TEMPLATE_SHADOW_PUT,
	STORE_TEMPLATE_SHADOW_DELETE,
	STORE_TEMPLATE_SHADOW_GET,
	STORE_STAGED_PUT,
	STORE_STAGED_DELETE,
	STORE_STAGED_EACH,
	STORE_VERSION_PUT,
	STORE_VERSION_TRIM,
	STORE_VERSION_EACH,
	STORE_VERSION_TEXT,
	STORE_TOTAL_PUT,
	STORE_TOTAL_GET,
	STORE_SINK_INSERT,
	STORE_SINK_DELETE,
	STORE_SINK_DELETE_OF_TENANT,
	STORE_SINK_PROGRESS,
	STORE_SINK_EACH,
	STORE_N_STATEMENTS,
};

struct store {
	sqlite3 *database;
	sqlite3_stmt *statements[STORE_N_STATEMENTS];
};

/* SQLite's extended result code as a negative errno; 0 for SQLITE_OK, _ROW and _DONE. */
int store_errno(const struct store *store, int code);

/* A prepared statement is reset and its bindings cleared by finishing it, in every case. */
sqlite3_stmt *store_statement(struct store *store, enum store_statement which);
/* Steps a statement that returns no rows, finishes it. Returns 0 or -errno. */
int store_run(struct store *store, enum store_statement which);
/* As store_run(), but -ENOENT when no row was changed. */
int store_change(struct store *store, enum store_statement which);
void store_finish(struct store *store, enum store_statement which);

/* Calls `row` for each row of a bound statement and finishes it; stops at the first negative
 * return. -EBUSY when called from inside its own callback. */
typedef int (*store_row_callback)(sqlite3_stmt *statement, void *userdata);
int store_each(
	struct store *store, enum store_statement which, store_row_callback row, void *userdata);

/* Several changes as one, inside or outside of the caller's own store_begin(). */
int store_save(struct store *store);
/* Keeps the changes if `r` is 0, undoes them otherwise. Returns what came of it. */
int store_save_end(struct store *store, int r);

void store_bind_text(sqlite3_stmt *statement, int index, const char *text);
void store_bind_number(sqlite3_stmt *statement, int index, uint64_t value);
void store_bind_bytes(sqlite3_stmt *statement, int index, const void *bytes, size_t size);

/* Copies a column into a field. -EBADMSG when it does not fit: a name that was cut is another name.
 */
int store_column_text(sqlite3_stmt *statement, int index, char *ret_field, size_t size);
uint64_t store_column_number(sqlite3_stmt *statement, int index);
/* Copies a column into `ret_bytes`: rows of an older, shorter form are filled up with zeros. */
void store_column_bytes(sqlite3_stmt *statement, int index, void *ret_bytes, size_t size);
