#include "supervisor/store/database.h"

int store_sink_insert(struct store *store, struct store_sink *sink)
{
	sqlite3_stmt *statement = store_statement(store, STORE_SINK_INSERT);
	int r;

	store_bind_number(statement, 1, sink->kind);
	store_bind_number(statement, 2, sink->tenant);
	store_bind_number(statement, 3, sink->internal);
	store_bind_number(statement, 4, sink->ocsf);
	store_bind_text(statement, 5, sink->url);
	store_bind_bytes(statement, 6, sink->secret, sizeof(sink->secret));
	store_bind_text(statement, 7, sink->types);
	store_bind_text(statement, 8, sink->verdict);
	store_bind_number(statement, 9, sink->created_ns);
	store_bind_number(statement, 10, sink->cursor);
	store_bind_number(statement, 11, sink->success_ns);
	store_bind_number(statement, 12, sink->failure_ns);
	store_bind_number(statement, 13, sink->n_failures);
	store_bind_text(statement, 14, sink->error);
	r = store_run(store, STORE_SINK_INSERT);
	if (r == 0)
		sink->id = (uint64_t)sqlite3_last_insert_rowid(store->database);
	return r;
}

int store_sink_delete(struct store *store, uint64_t id)
{
	store_bind_number(store_statement(store, STORE_SINK_DELETE), 1, id);
	return store_change(store, STORE_SINK_DELETE);
}

int store_sink_delete_of_tenant(struct store *store, uint32_t tenant)
{
	store_bind_number(store_statement(store, STORE_SINK_DELETE_OF_TENANT), 1, tenant);
	return store_run(store, STORE_SINK_DELETE_OF_TENANT);
}

int store_sink_progress(struct store *store, const struct store_sink *sink)
{
	sqlite3_stmt *statement = store_statement(store, STORE_SINK_PROGRESS);

	store_bind_number(statement, 1, sink->id);
	store_bind_number(statement, 2, sink->cursor);
	store_bind_number(statement, 3, sink->success_ns);
	store_bind_number(statement, 4, sink->failure_ns);
	store_bind_number(statement, 5, sink->n_failures);
	store_bind_text(statement, 6, sink->error);
	return store_change(store, STORE_SINK_PROGRESS);
}

struct sink_visit {
	void (*callback)(const struct store_sink *sink, void *userdata);
	void *userdata;
};

static int visit_sink(sqlite3_stmt *row, void *userdata)
{
	const struct sink_visit *visit = userdata;
	struct store_sink sink = {
		.id = store_column_number(row, 0),
		.kind = (uint32_t)store_column_number(row, 1),
		.tenant = (uint32_t)store_column_number(row, 2),
		.internal = store_column_number(row, 3) == 1,
		.ocsf = store_column_number(row, 4) == 1,
		.created_ns = store_column_number(row, 9),
		.cursor = store_column_number(row, 10),
		.success_ns = store_column_number(row, 11),
		.failure_ns = store_column_number(row, 12),
		.n_failures = store_column_number(row, 13),
	};
	int r = store_column_text(row, 5, sink.url, sizeof(sink.url));

	store_column_bytes(row, 6, sink.secret, sizeof(sink.secret));
	if (r == 0)
		r = store_column_text(row, 7, sink.types, sizeof(sink.types));
	if (r == 0)
		r = store_column_text(row, 8, sink.verdict, sizeof(sink.verdict));
	if (r == 0)
		r = store_column_text(row, 14, sink.error, sizeof(sink.error));
	if (r == 0)
		visit->callback(&sink, visit->userdata);
	return r;
}

int store_sink_each(struct store *store,
	void (*callback)(const struct store_sink *sink, void *userdata), void *userdata)
{
	struct sink_visit visit = {callback, userdata};

	return store_each(store, STORE_SINK_EACH, visit_sink, &visit);
}
