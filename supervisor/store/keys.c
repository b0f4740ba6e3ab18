#include "supervisor/store/database.h"

int store_key_insert(struct store *store, const struct store_key *key)
{
	sqlite3_stmt *statement = store_statement(store, STORE_KEY_INSERT);

	store_bind_text(statement, 1, key->id);
	store_bind_text(statement, 2, key->hash);
	store_bind_number(statement, 3, key->tenant);
	store_bind_number(statement, 4, key->administrator);
	store_bind_text(statement, 5, key->description);
	store_bind_number(statement, 6, key->created_ns);
	return store_run(store, STORE_KEY_INSERT);
}

int store_key_delete(struct store *store, const char *id)
{
	store_bind_text(store_statement(store, STORE_KEY_DELETE), 1, id);
	return store_change(store, STORE_KEY_DELETE);
}

struct key_visit {
	void (*callback)(const struct store_key *key, void *userdata);
	void *userdata;
};

static int visit_key(sqlite3_stmt *row, void *userdata)
{
	const struct key_visit *visit = userdata;
	struct store_key key = {
		.tenant = (uint32_t)store_column_number(row, 2),
		.administrator = store_column_number(row, 3) == 1,
		.created_ns = store_column_number(row, 5),
	};
	int r = store_column_text(row, 0, key.id, sizeof(key.id));

	if (r == 0)
		r = store_column_text(row, 1, key.hash, sizeof(key.hash));
	if (r == 0)
		r = store_column_text(row, 4, key.description, sizeof(key.description));
	if (r == 0)
		visit->callback(&key, visit->userdata);
	return r;
}

int store_key_each(struct store *store,
	void (*callback)(const struct store_key *key, void *userdata), void *userdata)
{
	struct key_visit visit = {callback, userdata};

	return store_each(store, STORE_KEY_EACH, visit_key, &visit);
}
