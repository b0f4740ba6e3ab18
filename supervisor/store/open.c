#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/store/database.h"

#define STAGE "open state"
#define APPLICATION_ID 0x436c6f63 /* "Cloc" */

/* Script n brings a file from version n to n + 1. Only ever appended to. */
static const char *const schema_steps[] = {
	"CREATE TABLE tenants ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT," /* AUTOINCREMENT: an id is never used again */
	" name TEXT NOT NULL UNIQUE,"
	" policy TEXT NOT NULL,"
	" sandboxes_max INTEGER NOT NULL,"
	" created_ns INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE keys ("
	" id TEXT NOT NULL PRIMARY KEY,"
	" hash TEXT NOT NULL UNIQUE,"
	" tenant INTEGER NOT NULL REFERENCES tenants (id),"
	" administrator INTEGER NOT NULL,"
	" description TEXT NOT NULL,"
	" created_ns INTEGER NOT NULL"
	") STRICT;"
	"CREATE TABLE sandboxes ("
	" id INTEGER PRIMARY KEY,"
	" created_ns INTEGER NOT NULL,"
	" expires_ns INTEGER NOT NULL,"
	" tenant INTEGER NOT NULL,"
	" slot INTEGER NOT NULL,"
	" uid_first INTEGER NOT NULL,"
	" state INTEGER NOT NULL,"
	" cgroup_id INTEGER NOT NULL,"
	" memory_index INTEGER NOT NULL,"
	" memory_bytes INTEGER NOT NULL,"
	" disk_bytes INTEGER NOT NULL,"
	" cpu_millis INTEGER NOT NULL,"
	" pids INTEGER NOT NULL,"
	" warm INTEGER NOT NULL,"
	" template TEXT NOT NULL,"
	" policy TEXT NOT NULL,"
	" n_labels INTEGER NOT NULL,"
	" labels BLOB NOT NULL,"
	" n_env INTEGER NOT NULL,"
	" env BLOB NOT NULL"
	") STRICT;"
	"CREATE INDEX sandboxes_of_tenant ON sandboxes (tenant);"
	"CREATE TABLE usage ("
	" place INTEGER PRIMARY KEY AUTOINCREMENT," /* order of ending: the oldest go first */
	" sandbox INTEGER NOT NULL UNIQUE,"
	" tenant INTEGER NOT NULL,"
	" ended_ns INTEGER NOT NULL,"
	" usage BLOB NOT NULL"
	") STRICT;"
	"CREATE INDEX usage_of_tenant ON usage (tenant, place);"
	"CREATE TABLE totals ("
	" tenant INTEGER PRIMARY KEY,"
	" usage BLOB NOT NULL"
	") STRICT;",
	"CREATE TABLE names ("
	" sandbox INTEGER NOT NULL,"
	" place INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" PRIMARY KEY (sandbox, place)"
	") STRICT, WITHOUT ROWID;",
	"CREATE TABLE label_totals ("
	" tenant INTEGER NOT NULL,"
	" label TEXT NOT NULL,"
	" usage BLOB NOT NULL,"
	" PRIMARY KEY (tenant, label)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE failed_usage ("
	" sandbox INTEGER PRIMARY KEY,"
	" usage BLOB NOT NULL"
	") STRICT;",
	"CREATE TABLE samples ("
	" tenant INTEGER NOT NULL,"
	" time_ns INTEGER NOT NULL,"
	" point BLOB NOT NULL,"
	" PRIMARY KEY (tenant, time_ns)"
	") STRICT, WITHOUT ROWID;"
	"CREATE INDEX samples_by_time ON samples (time_ns);",
	"CREATE TABLE budgets ("
	" tenant INTEGER PRIMARY KEY,"
	" budgets BLOB NOT NULL"
	") STRICT;",
	"CREATE TABLE sinks ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT,"
	" kind INTEGER NOT NULL,"
	" tenant INTEGER NOT NULL,"
	" internal INTEGER NOT NULL,"
	" ocsf INTEGER NOT NULL,"
	" url TEXT NOT NULL,"
	" secret BLOB NOT NULL,"
	" types TEXT NOT NULL,"
	" verdict TEXT NOT NULL,"
	" created_ns INTEGER NOT NULL,"
	" cursor INTEGER NOT NULL,"
	" success_ns INTEGER NOT NULL,"
	" failure_ns INTEGER NOT NULL,"
	" n_failures INTEGER NOT NULL,"
	" error TEXT NOT NULL"
	") STRICT;",
	"CREATE TABLE destinations ("
	" tenant INTEGER NOT NULL,"
	" sandbox INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" bytes_sent INTEGER NOT NULL,"
	" bytes_received INTEGER NOT NULL,"
	" connections INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, sandbox, name)"
	") STRICT, WITHOUT ROWID;",
	"CREATE TABLE policy_versions ("
	" place INTEGER PRIMARY KEY AUTOINCREMENT," /* order of time: the oldest go first */
	" name TEXT NOT NULL,"
	" hash TEXT NOT NULL,"
	" file_hash TEXT NOT NULL,"
	" commit_id TEXT NOT NULL,"
	" by_key TEXT NOT NULL,"
	" time_ns INTEGER NOT NULL,"
	" text BLOB NOT NULL"
	") STRICT;"
	"CREATE INDEX versions_of_policy ON policy_versions (name, place);",
	"CREATE TABLE shadows ("
	" sandbox INTEGER PRIMARY KEY,"
	" policy TEXT NOT NULL"
	") STRICT;",
	"CREATE TABLE tenant_shadows ("
	" tenant INTEGER PRIMARY KEY,"
	" policy TEXT NOT NULL"
	") STRICT;"
	"CREATE TABLE template_shadows ("
	" template TEXT PRIMARY KEY,"
	" policy TEXT NOT NULL"
	") STRICT;",
	"CREATE TABLE staged_policies ("
	" name TEXT PRIMARY KEY,"
	" hash TEXT NOT NULL,"
	" file_hash TEXT NOT NULL,"
	" commit_id TEXT NOT NULL,"
	" by_key TEXT NOT NULL,"
	" time_ns INTEGER NOT NULL,"
	" text BLOB NOT NULL"
	") STRICT;",
	/* Who named it was not kept: the tenant is the one who may do less. */
	"CREATE TABLE sandbox_shadows ("
	" sandbox INTEGER NOT NULL,"
	" administrators INTEGER NOT NULL,"
	" policy TEXT NOT NULL,"
	" PRIMARY KEY (sandbox, administrators)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO sandbox_shadows SELECT sandbox, 0, policy FROM shadows;"
	"DROP TABLE shadows;",
};

#define SCHEMA_VERSION ((int)ARRAY_SIZE(schema_steps))

static const char *const statement_texts[STORE_N_STATEMENTS] = {
	[STORE_BEGIN] = "BEGIN IMMEDIATE",
	[STORE_COMMIT] = "COMMIT",
	[STORE_ROLLBACK] = "ROLLBACK",
	[STORE_SAVE] = "SAVEPOINT change",
	[STORE_SAVE_RELEASE] = "RELEASE change",
	[STORE_SAVE_ROLLBACK] = "ROLLBACK TO change",
	[STORE_TENANT_INSERT] = "INSERT INTO tenants (name, policy, sandboxes_max, created_ns)"
				" VALUES (?, ?, ?, ?)",
	[STORE_TENANT_DELETE] = "DELETE FROM tenants WHERE id = ?",
	[STORE_TENANT_EACH] = "SELECT id, name, policy, sandboxes_max, created_ns FROM tenants"
			      " ORDER BY id",
	[STORE_KEY_INSERT] = "INSERT INTO keys"
			     " (id, hash, tenant, administrator, description, created_ns)"
			     " VALUES (?, ?, ?, ?, ?, ?)",
	[STORE_KEY_DELETE] = "DELETE FROM keys WHERE id = ?",
	[STORE_KEY_DELETE_OF_TENANT] = "DELETE FROM keys WHERE tenant = ?",
	[STORE_KEY_EACH] = "SELECT id, hash, tenant, administrator, description, created_ns"
			   " FROM keys ORDER BY created_ns, id",
	[STORE_SANDBOX_INSERT] =
		"INSERT INTO sandboxes (id, created_ns, expires_ns, tenant, slot, uid_first, state,"
		" cgroup_id, memory_index, memory_bytes, disk_bytes, cpu_millis, pids, warm,"
		" template, policy, n_labels, labels, n_env, env)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[STORE_SANDBOX_SET_STATE] = "UPDATE sandboxes SET state = ?2 WHERE id = ?1",
	[STORE_SANDBOX_SET_POLICY] = "UPDATE sandboxes SET policy = ?2 WHERE id = ?1",
	[STORE_SANDBOX_DELETE] = "DELETE FROM sandboxes WHERE id = ?",
	[STORE_SANDBOX_OF_TENANT] = "SELECT id FROM sandboxes WHERE tenant = ? LIMIT 1",
	[STORE_SANDBOX_EACH] =
		"SELECT id, created_ns, expires_ns, tenant, slot, uid_first, state,"
		" cgroup_id, memory_index, memory_bytes, disk_bytes, cpu_millis, pids, warm,"
		" template, policy, n_labels, labels, n_env, env FROM sandboxes"
		" ORDER BY created_ns, id",
	[STORE_NAME_INSERT] = "INSERT INTO names (sandbox, place, name) VALUES (?, ?, ?)",
	[STORE_NAME_DELETE] = "DELETE FROM names WHERE sandbox = ?",
	[STORE_NAME_EACH] = "SELECT place, name FROM names WHERE sandbox = ? ORDER BY place",
	[STORE_USAGE_PUT] = "INSERT INTO usage (sandbox, tenant, ended_ns, usage)"
			    " VALUES (?, ?, ?, ?)",
	[STORE_USAGE_TRIM] = "DELETE FROM usage"
			     " WHERE place <= (SELECT max(place) FROM usage) - ?",
	[STORE_USAGE_EXPIRE] =
		"DELETE FROM usage WHERE place IN"
		" (SELECT place FROM (SELECT place, ended_ns FROM usage ORDER BY place LIMIT 8)"
		" WHERE ended_ns < ?)",
	[STORE_FAILED_PUT] = "INSERT OR REPLACE INTO failed_usage (sandbox, usage) VALUES (?, ?)",
	[STORE_FAILED_GET] = "SELECT usage FROM failed_usage WHERE sandbox = ?",
	[STORE_FAILED_DELETE] = "DELETE FROM failed_usage WHERE sandbox = ?",
	[STORE_LABEL_PUT] = "UPDATE label_totals SET usage = ?3 WHERE tenant = ?1 AND label = ?2",
	[STORE_LABEL_ADD] = "INSERT INTO label_totals (tenant, label, usage) SELECT ?1, ?2, ?3"
			    " WHERE (SELECT count(*) FROM label_totals WHERE tenant = ?1) < ?4",
	[STORE_LABEL_GET] = "SELECT usage FROM label_totals WHERE tenant = ? AND label = ?",
	[STORE_LABEL_EACH] = "SELECT label, usage FROM label_totals"
			     " WHERE tenant = ?1 AND label >= ?2 AND label < ?3 ORDER BY label",
	[STORE_LABEL_COUNT] = "SELECT count(*) FROM label_totals WHERE tenant = ?",
	[STORE_DESTINATION_ADD] =
		"UPDATE destinations SET bytes_sent = bytes_sent + ?4,"
		" bytes_received = bytes_received + ?5, connections = connections + ?6"
		" WHERE tenant = ?1 AND sandbox = ?2 AND name = ?3",
	[STORE_DESTINATION_PUT] =
		"INSERT INTO destinations"
		" (tenant, sandbox, name, bytes_sent, bytes_received, connections)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET"
		" bytes_sent = bytes_sent + excluded.bytes_sent,"
		" bytes_received = bytes_received + excluded.bytes_received,"
		" connections = connections + excluded.connections",
	[STORE_DESTINATION_COUNT] = "SELECT count(*) FROM destinations"
				    " WHERE tenant = ? AND sandbox = ? AND name != ''",
	[STORE_DESTINATION_LEAST] =
		"SELECT name, bytes_sent, bytes_received, connections FROM destinations"
		" WHERE tenant = ? AND sandbox = ? AND name != ''"
		" ORDER BY bytes_sent + bytes_received, name LIMIT 1",
	[STORE_DESTINATION_EACH] =
		"SELECT name, bytes_sent, bytes_received, connections FROM destinations"
		" WHERE tenant = ? AND sandbox = ?"
		" ORDER BY name = '', bytes_sent + bytes_received DESC, name",
	[STORE_DESTINATION_DELETE] =
		"DELETE FROM destinations WHERE tenant = ? AND sandbox = ? AND name = ?",
	[STORE_DESTINATION_FORGET] = "DELETE FROM destinations WHERE tenant = ?",
	[STORE_DESTINATION_EXPIRE] =
		"DELETE FROM destinations WHERE (tenant, sandbox) IN (SELECT tenant, sandbox"
		" FROM usage WHERE place = (SELECT max(place) FROM usage) - ?)",
	[STORE_SAMPLE_PUT] = "INSERT OR REPLACE INTO samples (tenant, time_ns, point)"
			     " VALUES (?, ?, ?)",
	[STORE_SAMPLE_AT] = "SELECT point FROM samples WHERE tenant = ? AND time_ns <= ?"
			    " ORDER BY time_ns DESC LIMIT 1",
	[STORE_SAMPLE_AFTER] = "SELECT point FROM samples WHERE tenant = ? AND time_ns > ?"
			       " ORDER BY time_ns LIMIT 1",
	[STORE_SAMPLE_EXPIRE] = "DELETE FROM samples WHERE time_ns < ?",
	[STORE_SAMPLE_DELETE] = "DELETE FROM samples WHERE tenant = ?",
	[STORE_LABEL_DELETE] = "DELETE FROM label_totals WHERE tenant = ?",
	[STORE_USAGE_GET] = "SELECT tenant, usage FROM usage WHERE sandbox = ?",
	[STORE_USAGE_EACH] = "SELECT sandbox, usage FROM usage WHERE tenant = ? ORDER BY place",
	[STORE_SINK_INSERT] =
		"INSERT INTO sinks (kind, tenant, internal, ocsf, url, secret, types, verdict,"
		" created_ns, cursor, success_ns, failure_ns, n_failures, error)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[STORE_SINK_DELETE] = "DELETE FROM sinks WHERE id = ?",
	[STORE_SINK_DELETE_OF_TENANT] = "DELETE FROM sinks WHERE tenant = ?",
	[STORE_SINK_PROGRESS] = "UPDATE sinks SET cursor = ?2, success_ns = ?3, failure_ns = ?4,"
				" n_failures = ?5, error = ?6 WHERE id = ?1",
	[STORE_SINK_EACH] = "SELECT id, kind, tenant, internal, ocsf, url, secret, types, verdict,"
			    " created_ns, cursor, success_ns, failure_ns, n_failures, error"
			    " FROM sinks ORDER BY id",
	[STORE_TOTAL_PUT] = "INSERT INTO totals (tenant, usage) VALUES (?, ?)"
			    " ON CONFLICT (tenant) DO UPDATE SET usage = excluded.usage",
	[STORE_BUDGETS_PUT] = "INSERT INTO budgets (tenant, budgets) VALUES (?, ?)"
			      " ON CONFLICT (tenant) DO UPDATE SET budgets = excluded.budgets",
	[STORE_BUDGETS_GET] = "SELECT budgets FROM budgets WHERE tenant = ?",
	[STORE_BUDGETS_DELETE] = "DELETE FROM budgets WHERE tenant = ?",
	[STORE_SHADOW_PUT] = "INSERT OR REPLACE INTO sandbox_shadows"
			     " (sandbox, administrators, policy) VALUES (?1, ?2, ?3)",
	[STORE_SHADOW_DELETE] = "DELETE FROM sandbox_shadows"
				" WHERE sandbox = ?1 AND administrators = ?2",
	[STORE_SHADOW_DELETE_ALL] = "DELETE FROM sandbox_shadows WHERE sandbox = ?",
	[STORE_SHADOW_GET] = "SELECT policy FROM sandbox_shadows"
			     " WHERE sandbox = ?1 AND administrators = ?2",
	[STORE_TENANT_SHADOW_PUT] =
		"INSERT OR REPLACE INTO tenant_shadows (tenant, policy) VALUES (?, ?)",
	[STORE_TENANT_SHADOW_DELETE] = "DELETE FROM tenant_shadows WHERE tenant = ?",
	[STORE_TENANT_SHADOW_GET] = "SELECT policy FROM tenant_shadows WHERE tenant = ?",
	[STORE_TEMPLATE_SHADOW_PUT] =
		"INSERT OR REPLACE INTO template_shadows (template, policy) VALUES (?, ?)",
	[STORE_TEMPLATE_SHADOW_DELETE] = "DELETE FROM template_shadows WHERE template = ?",
	[STORE_TEMPLATE_SHADOW_GET] = "SELECT policy FROM template_shadows WHERE template = ?",
	[STORE_STAGED_PUT] = "INSERT OR REPLACE INTO staged_policies"
			     " (name, hash, file_hash, commit_id, by_key, time_ns, text)"
			     " VALUES (?, ?, ?, ?, ?, ?, ?)",
	[STORE_STAGED_DELETE] = "DELETE FROM staged_policies WHERE name = ?",
	[STORE_STAGED_EACH] = "SELECT hash, file_hash, commit_id, by_key, time_ns, name, text"
			      " FROM staged_policies ORDER BY time_ns, name",
	[STORE_VERSION_PUT] = "INSERT INTO policy_versions"
			      " (name, hash, file_hash, commit_id, by_key, time_ns, text)"
			      " VALUES (?, ?, ?, ?, ?, ?, ?)",
	[STORE_VERSION_TRIM] = "DELETE FROM policy_versions WHERE name = ?1 AND place NOT IN"
			       " (SELECT place FROM policy_versions WHERE name = ?1"
			       " ORDER BY place DESC LIMIT ?2)",
	[STORE_VERSION_EACH] = "SELECT hash, file_hash, commit_id, by_key, time_ns"
			       " FROM policy_versions WHERE name = ? ORDER BY place DESC",
	[STORE_VERSION_TEXT] = "SELECT text FROM policy_versions WHERE name = ? AND hash = ?"
			       " ORDER BY place DESC LIMIT 1",
	[STORE_TOTAL_GET] = "SELECT usage FROM totals WHERE tenant = ?",
};

struct store *store_free(struct store *store)
{
	if (!store)
		return NULL;
	for (size_t i = 0; i < STORE_N_STATEMENTS; i++)
		sqlite3_finalize(store->statements[i]);
	sqlite3_close(store->database);
	free(store);
	return NULL;
}

static void cleanup_store(struct store **store)
{
	store_free(*store);
}

static int execute(struct store *store, const char *text)
{
	return store_errno(store, sqlite3_exec(store->database, text, NULL, NULL, NULL));
}

static int read_number(struct store *store, const char *text, int *ret_value)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(store->database, text, -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*ret_value = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return store_errno(store, code);
}

/* Born with mode 0600: SQLite gives its side files the mode of the main one. The descriptor may
 * only be closed here because a file that did not exist cannot be open already: closing any
 * descriptor of a file drops the process's POSIX locks on it. */
static int make_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	close(fd);
	return 0;
}

static int refuse_foreign(struct store *store, int version, struct failure *why)
{
	int id = 0, n_objects = 0, r;

	r = read_number(store, "PRAGMA application_id", &id);
	if (r == 0)
		r = read_number(store, "SELECT count(*) FROM sqlite_schema", &n_objects);
	if (r < 0)
		return failure_set(why, r, STAGE, "%s", sqlite3_errmsg(store->database));
	if (id != APPLICATION_ID && (id != 0 || version != 0 || n_objects != 0))
		return failure_set(why, -EINVAL, STAGE,
			"This is a database of another program; choose another state directory.");
	return 0;
}

static int step_schema(struct store *store, int version)
{
	char text[80];
	int r = execute(store, "BEGIN IMMEDIATE");

	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		APPLICATION_ID, version + 1);
	r = execute(store, schema_steps[version]);
	if (r == 0)
		r = execute(store, text);
	if (r == 0)
		r = execute(store, "COMMIT");
	if (r < 0 && !sqlite3_get_autocommit(store->database))
		execute(store, "ROLLBACK");
	return r;
}

static int bring_up_to_date(struct store *store, struct failure *why)
{
	int version = 0, r = read_number(store, "PRAGMA user_version", &version);

	if (r < 0)
		return failure_set(why, r, STAGE, "%s", sqlite3_errmsg(store->database));
	r = refuse_foreign(store, version, why);
	if (r < 0)
		return r;
	if (version > SCHEMA_VERSION || version < 0)
		return failure_set(why, -EPROTONOSUPPORT, STAGE,
			"The state has version %d and this cloched knows up to %d; run the newer "
			"cloched that wrote it.",
			version, SCHEMA_VERSION);
	for (; version < SCHEMA_VERSION; version++) {
		r = step_schema(store, version);
		if (r < 0)
			return failure_set(why, r, STAGE, "Version %d of the state: %s",
				version + 1, sqlite3_errmsg(store->database));
	}
	return 0;
}

static int prepare_all(struct store *store, struct failure *why)
{
	for (int i = 0; i < STORE_N_STATEMENTS; i++) {
		int code = sqlite3_prepare_v3(store->database, statement_texts[i], -1,
			SQLITE_PREPARE_PERSISTENT, &store->statements[i], NULL);

		if (code != SQLITE_OK)
			return failure_set(why, store_errno(store, code), STAGE,
				"The tables are not as this cloched made them: %s",
				sqlite3_errmsg(store->database));
	}
	return 0;
}

/* The exclusive lock keeps a second cloched from the same state, and with it the WAL index needs no
 * shared memory file (sqlite.org/wal.html#noshm). It goes with the process, however that ends. */
static int configure(struct store *store, struct failure *why)
{
	int r;

	sqlite3_extended_result_codes(store->database, 1);
	sqlite3_db_config(store->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	r = execute(store, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
			   "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
			   "PRAGMA journal_size_limit = 16777216");
	if (r == -EBUSY)
		return failure_set(why, r, STAGE,
			"Another process has the state open; end it, or choose another "
			"--state-dir.");
	if (r == -EBADMSG)
		return failure_set(why, r, STAGE,
			"The file is damaged or no database; move it away to start afresh.");
	if (r < 0)
		return failure_set(why, r, STAGE, "%s", sqlite3_errmsg(store->database));
	return 0;
}

static int open_steps(struct store *store, const char *path, struct failure *why)
{
	int r = make_file(path), code;

	if (r < 0)
		return failure_set(why, r, STAGE, "Cannot make the file: %s.", strerror(-r));
	code = sqlite3_open_v2(path, &store->database,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		return failure_set(why, store_errno(store, code), STAGE, "%s",
			store->database ? sqlite3_errmsg(store->database) : sqlite3_errstr(code));
	r = configure(store, why);
	if (r == 0)
		r = bring_up_to_date(store, why);
	if (r == 0)
		r = prepare_all(store, why);
	return r;
}

int store_open(const char *path, struct store **ret_store, struct failure *why)
{
	_cleanup_(cleanup_store) struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	r = open_steps(store, path, why);
	if (r < 0) {
		failure_at(why, "%s", path);
		return r;
	}
	*ret_store = steal_ptr(&store);
	return 0;
}
