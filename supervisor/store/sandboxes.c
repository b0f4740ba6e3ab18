#include "supervisor/store/database.h"

/* The order of columns in STORE_SANDBOX_INSERT and STORE_SANDBOX_EACH; binding counts from 1. */
enum column {
	COLUMN_ID,
	COLUMN_CREATED,
	COLUMN_EXPIRES,
	COLUMN_TENANT,
	COLUMN_SLOT,
	COLUMN_UID_FIRST,
	COLUMN_STATE,
	COLUMN_CGROUP,
	COLUMN_MEMORY_INDEX,
	COLUMN_MEMORY,
	COLUMN_DISK,
	COLUMN_CPU,
	COLUMN_PIDS,
	COLUMN_WARM,
	COLUMN_TEMPLATE,
	COLUMN_POLICY,
	COLUMN_N_LABELS,
	COLUMN_LABELS,
	COLUMN_N_ENV,
	COLUMN_ENV,
};

int store_sandbox_insert(struct store *store, const struct store_sandbox *sandbox)
{
	sqlite3_stmt *row = store_statement(store, STORE_SANDBOX_INSERT);

	store_bind_number(row, COLUMN_ID + 1, sandbox->id);
	store_bind_number(row, COLUMN_CREATED + 1, sandbox->created_ns);
	store_bind_number(row, COLUMN_EXPIRES + 1, sandbox->expires_ns);
	store_bind_number(row, COLUMN_TENANT + 1, sandbox->tenant);
	store_bind_number(row, COLUMN_SLOT + 1, sandbox->slot);
	store_bind_number(row, COLUMN_UID_FIRST + 1, sandbox->uid_first);
	store_bind_number(row, COLUMN_STATE + 1, sandbox->state);
	store_bind_number(row, COLUMN_CGROUP + 1, sandbox->cgroup_id);
	store_bind_number(row, COLUMN_MEMORY_INDEX + 1, sandbox->memory_index);
	store_bind_number(row, COLUMN_MEMORY + 1, sandbox->memory_bytes);
	store_bind_number(row, COLUMN_DISK + 1, sandbox->disk_bytes);
	store_bind_number(row, COLUMN_CPU + 1, sandbox->cpu_millis);
	store_bind_number(row, COLUMN_PIDS + 1, sandbox->pids);
	store_bind_number(row, COLUMN_WARM + 1, sandbox->warm);
	store_bind_text(row, COLUMN_TEMPLATE + 1, sandbox->template);
	store_bind_text(row, COLUMN_POLICY + 1, sandbox->policy);
	store_bind_number(row, COLUMN_N_LABELS + 1, sandbox->n_labels);
	store_bind_bytes(row, COLUMN_LABELS + 1, sandbox->labels, sandbox->labels_size);
	store_bind_number(row, COLUMN_N_ENV + 1, sandbox->n_env);
	store_bind_bytes(row, COLUMN_ENV + 1, sandbox->env, sandbox->env_size);
	return store_run(store, STORE_SANDBOX_INSERT);
}

int store_sandbox_set_state(struct store *store, uint64_t id, uint32_t state)
{
	sqlite3_stmt *statement = store_statement(store, STORE_SANDBOX_SET_STATE);

	store_bind_number(statement, 1, id);
	store_bind_number(statement, 2, state);
	return store_change(store, STORE_SANDBOX_SET_STATE);
}

int store_sandbox_set_policy(struct store *store, uint64_t id, const char *policy)
{
	sqlite3_stmt *statement = store_statement(store, STORE_SANDBOX_SET_POLICY);

	store_bind_number(statement, 1, id);
	store_bind_text(statement, 2, policy);
	return store_change(store, STORE_SANDBOX_SET_POLICY);
}

static int end_sandbox(struct store *store, uint64_t id, uint32_t tenant, uint64_t ended_ns,
	const void *usage, size_t usage_size)
{
	sqlite3_stmt *statement;
	int r;

	store_bind_number(store_statement(store, STORE_SANDBOX_DELETE), 1, id);
	r = store_change(store, STORE_SANDBOX_DELETE);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_NAME_DELETE), 1, id);
	r = store_run(store, STORE_NAME_DELETE);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_SHADOW_DELETE_ALL), 1, id);
	r = store_run(store, STORE_SHADOW_DELETE_ALL);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_FAILED_DELETE), 1, id);
	r = store_run(store, STORE_FAILED_DELETE);
	if (r < 0 || !usage)
		return r;
	statement = store_statement(store, STORE_USAGE_PUT);
	store_bind_number(statement, 1, id);
	store_bind_number(statement, 2, tenant);
	store_bind_number(statement, 3, ended_ns);
	store_bind_bytes(statement, 4, usage, usage_size);
	r = store_run(store, STORE_USAGE_PUT);
	if (r < 0)
		return r;
	store_bind_number(
		store_statement(store, STORE_DESTINATION_EXPIRE), 1, STORE_DESTINATIONS_KEPT);
	r = store_run(store, STORE_DESTINATION_EXPIRE);
	if (r < 0)
		return r;
	store_bind_number(store_statement(store, STORE_USAGE_TRIM), 1, STORE_USAGES_MAX);
	r = store_run(store, STORE_USAGE_TRIM);
	if (r < 0 || ended_ns < STORE_USAGE_KEPT_NS)
		return r;
	store_bind_number(
		store_statement(store, STORE_USAGE_EXPIRE), 1, ended_ns - STORE_USAGE_KEPT_NS);
	return store_run(store, STORE_USAGE_EXPIRE);
}

int store_sandbox_end(struct store *store, uint64_t id, uint32_t tenant, uint64_t ended_ns,
	const void *usage, size_t usage_size)
{
	int r = store_save(store);

	if (r < 0)
		return r;
	return store_save_end(store, end_sandbox(store, id, tenant, ended_ns, usage, usage_size));
}

struct sandbox_visit {
	void (*callback)(const struct store_sandbox *sandbox, void *userdata);
	void *userdata;
};

static int visit_sandbox(sqlite3_stmt *row, void *userdata)
{
	const struct sandbox_visit *visit = userdata;
	struct store_sandbox sandbox = {
		.id = store_column_number(row, COLUMN_ID),
		.created_ns = store_column_number(row, COLUMN_CREATED),
		.expires_ns = store_column_number(row, COLUMN_EXPIRES),
		.tenant = (uint32_t)store_column_number(row, COLUMN_TENANT),
		.slot = (uint32_t)store_column_number(row, COLUMN_SLOT),
		.uid_first = (uint32_t)store_column_number(row, COLUMN_UID_FIRST),
		.state = (uint32_t)store_column_number(row, COLUMN_STATE),
		.cgroup_id = store_column_number(row, COLUMN_CGROUP),
		.memory_index = (uint32_t)store_column_number(row, COLUMN_MEMORY_INDEX),
		.memory_bytes = store_column_number(row, COLUMN_MEMORY),
		.disk_bytes = store_column_number(row, COLUMN_DISK),
		.cpu_millis = (uint32_t)store_column_number(row, COLUMN_CPU),
		.pids = (uint32_t)store_column_number(row, COLUMN_PIDS),
		.warm = store_column_number(row, COLUMN_WARM) == 1,
		.n_labels = (uint32_t)store_column_number(row, COLUMN_N_LABELS),
		.labels = sqlite3_column_blob(row, COLUMN_LABELS),
		.labels_size = (size_t)sqlite3_column_bytes(row, COLUMN_LABELS),
		.n_env = (uint32_t)store_column_number(row, COLUMN_N_ENV),
		.env = sqlite3_column_blob(row, COLUMN_ENV),
		.env_size = (size_t)sqlite3_column_bytes(row, COLUMN_ENV),
	};
	int r = store_column_text(row, COLUMN_TEMPLATE, sandbox.template, sizeof(sandbox.template));

	if (r == 0)
		r = store_column_text(row, COLUMN_POLICY, sandbox.policy, sizeof(sandbox.policy));
	if (r == 0)
		visit->callback(&sandbox, visit->userdata);
	return r;
}

int store_sandbox_each(struct store *store,
	void (*callback)(const struct store_sandbox *sandbox, void *userdata), void *userdata)
{
	struct sandbox_visit visit = {callback, userdata};

	return store_each(store, STORE_SANDBOX_EACH, visit_sandbox, &visit);
}
