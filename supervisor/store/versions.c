#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/store/database.h"

static sqlite3_stmt *bind_version(struct store *store, enum store_statement which,
	const struct store_version *version, const char *text, size_t size_bytes)
{
	sqlite3_stmt *statement = store_statement(store, which);

	store_bind_text(statement, 1, version->name);
	store_bind_text(statement, 2, version->hash);
	store_bind_text(statement, 3, version->file_hash);
	store_bind_text(statement, 4, version->commit);
	store_bind_text(statement, 5, version->by_key);
	store_bind_number(statement, 6, version->time_ns);
	store_bind_bytes(statement, 7, text, size_bytes);
	return statement;
}

static int put_version(struct store *store, const struct store_version *version, const char *text,
	size_t size_bytes)
{
	sqlite3_stmt *statement;
	int r;

	bind_version(store, STORE_VERSION_PUT, version, text, size_bytes);
	r = store_run(store, STORE_VERSION_PUT);
	if (r < 0)
		return r;
	statement = store_statement(store, STORE_VERSION_TRIM);
	store_bind_text(statement, 1, version->name);
	store_bind_number(statement, 2, STORE_VERSIONS_MAX);
	return store_run(store, STORE_VERSION_TRIM);
}

int store_version_put(struct store *store, const struct store_version *version, const char *text,
	size_t size_bytes)
{
	int r = store_save(store);

	return r < 0 ? r : store_save_end(store, put_version(store, version, text, size_bytes));
}

struct version_visit {
	store_version_callback callback;
	void *userdata;
};

static int read_version(sqlite3_stmt *row, struct store_version *ret_version)
{
	struct store_version version = {.time_ns = store_column_number(row, 4)};
	int r = store_column_text(row, 0, version.hash, sizeof(version.hash));

	if (r == 0)
		r = store_column_text(row, 1, version.file_hash, sizeof(version.file_hash));
	if (r == 0)
		r = store_column_text(row, 2, version.commit, sizeof(version.commit));
	if (r == 0)
		r = store_column_text(row, 3, version.by_key, sizeof(version.by_key));
	*ret_version = version;
	return r;
}

static int visit_version(sqlite3_stmt *row, void *userdata)
{
	const struct version_visit *visit = userdata;
	struct store_version version;
	int r = read_version(row, &version);

	return r < 0 ? r : visit->callback(&version, visit->userdata);
}

int store_version_each(
	struct store *store, const char *name, store_version_callback callback, void *userdata)
{
	struct version_visit visit = {callback, userdata};

	store_bind_text(store_statement(store, STORE_VERSION_EACH), 1, name);
	return store_each(store, STORE_VERSION_EACH, visit_version, &visit);
}

struct version_text {
	char *text; /* NULL: none was found */
	size_t size_bytes;
};

static int copy_text(sqlite3_stmt *row, void *userdata)
{
	struct version_text *copy = userdata;

	copy->size_bytes = (size_t)sqlite3_column_bytes(row, 0);
	copy->text = malloc(copy->size_bytes + 1);
	if (!copy->text)
		return -ENOMEM;
	if (copy->size_bytes)
		memcpy(copy->text, sqlite3_column_blob(row, 0), copy->size_bytes);
	copy->text[copy->size_bytes] = '\0';
	return 0;
}

int store_version_text(struct store *store, const char *name, const char *hash, char **ret_text,
	size_t *ret_size_bytes)
{
	sqlite3_stmt *statement = store_statement(store, STORE_VERSION_TEXT);
	struct version_text copy = {0};
	int r;

	store_bind_text(statement, 1, name);
	store_bind_text(statement, 2, hash);
	r = store_each(store, STORE_VERSION_TEXT, copy_text, &copy);
	if (r == 0 && !copy.text)
		r = -ENOENT;
	if (r < 0) {
		free(copy.text);
		return r;
	}
	*ret_text = copy.text;
	*ret_size_bytes = copy.size_bytes;
	return 0;
}

int store_staged_put(struct store *store, const struct store_version *version, const char *text,
	size_t size_bytes)
{
	bind_version(store, STORE_STAGED_PUT, version, text, size_bytes);
	return store_run(store, STORE_STAGED_PUT);
}

int store_staged_delete(struct store *store, const char *name)
{
	store_bind_text(store_statement(store, STORE_STAGED_DELETE), 1, name);
	return store_run(store, STORE_STAGED_DELETE);
}

struct staged_visit {
	store_staged_callback callback;
	void *userdata;
};

static int visit_staged(sqlite3_stmt *row, void *userdata)
{
	const struct staged_visit *visit = userdata;
	struct store_version version;
	int r = read_version(row, &version);

	if (r == 0)
		r = store_column_text(row, 5, version.name, sizeof(version.name));
	return r < 0 ? r
		     : visit->callback(&version, sqlite3_column_blob(row, 6),
			       (size_t)sqlite3_column_bytes(row, 6), visit->userdata);
}

int store_staged_each(struct store *store, store_staged_callback callback, void *userdata)
{
	struct staged_visit visit = {callback, userdata};

	store_statement(store, STORE_STAGED_EACH);
	return store_each(store, STORE_STAGED_EACH, visit_staged, &visit);
}
