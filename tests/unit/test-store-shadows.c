/* Candidates that are to outlive the process. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/store/database.h"

static char path[64];
static struct store *opened;

static struct store *reopen(void)
{
	opened = store_free(opened);
	CHECK_INT(store_open(path, &opened, NULL), 0);
	return opened;
}

static struct store *open_fresh(void)
{
	snprintf(path, sizeof(path), "/tmp/cloche-test-shadows-%d.db", (int)getpid());
	unlink(path);
	return reopen();
}

static void end(void)
{
	opened = store_free(opened);
	unlink(path);
}

TEST(store_keeps_candidates_and_forgets_them_with_what_they_are_for)
{
	struct store *store = open_fresh();
	struct store_tenant tenant = {.name = "acme", .policy = "deny-all", .created_ns = 99};
	char name[STORE_NAME_SIZE];

	CHECK_INT(store_tenant_insert(store, &tenant), 0);
	CHECK_INT(store_tenant_shadow_get(store, tenant.id, name), -ENOENT);
	CHECK_INT(store_tenant_shadow_put(store, tenant.id, "narrow"), 0);
	CHECK_INT(store_template_shadow_put(store, "python", "first"), 0);
	CHECK_INT(store_template_shadow_put(store, "python", "second"), 0);
	store = reopen();
	CHECK_INT(store_tenant_shadow_get(store, tenant.id, name), 0);
	CHECK_TEXT(name, "narrow");
	CHECK_INT(store_tenant_shadow_get(store, tenant.id + 1, name), -ENOENT);
	CHECK_INT(store_template_shadow_get(store, "python", name), 0);
	CHECK_TEXT(name, "second");
	CHECK_INT(store_template_shadow_get(store, "node", name), -ENOENT);
	CHECK_INT(store_template_shadow_put(store, "python", ""), 0);
	CHECK_INT(store_template_shadow_get(store, "python", name), -ENOENT);
	CHECK_INT(store_tenant_delete(store, tenant.id), 0);
	CHECK_INT(store_tenant_shadow_get(store, tenant.id, name), -ENOENT);
	end();
}

static void check_both(
	struct store *store, uint64_t sandbox, const char *administrators, const char *tenants)
{
	char name[STORE_NAME_SIZE];

	CHECK_INT(store_shadow_get(store, sandbox, true, name), administrators[0] ? 0 : -ENOENT);
	if (administrators[0])
		CHECK_TEXT(name, administrators);
	CHECK_INT(store_shadow_get(store, sandbox, false, name), tenants[0] ? 0 : -ENOENT);
	if (tenants[0])
		CHECK_TEXT(name, tenants);
}

TEST(store_keeps_an_administrators_candidate_beside_the_tenants)
{
	const struct store_sandbox row = {.id = 7, .tenant = 1, .labels = "", .env = ""};
	struct store *store = open_fresh();

	CHECK_INT(store_sandbox_insert(store, &row), 0);
	CHECK_INT(store_shadow_put(store, 7, false, "theirs"), 0);
	CHECK_INT(store_shadow_put(store, 7, true, "ours"), 0);
	CHECK_INT(store_shadow_put(store, 8, true, "first"), 0);
	CHECK_INT(store_shadow_put(store, 8, true, "second"), 0);
	store = reopen();
	check_both(store, 7, "ours", "theirs");
	check_both(store, 8, "second", "");
	CHECK_INT(store_shadow_put(store, 7, true, ""), 0);
	check_both(store, 7, "", "theirs");
	CHECK_INT(store_shadow_put(store, 7, true, "ours"), 0);
	CHECK_INT(store_shadow_put(store, 7, false, ""), 0);
	check_both(store, 7, "ours", "");
	CHECK_INT(store_sandbox_end(store, 7, 1, 99, NULL, 0), 0);
	check_both(store, 7, "", "");
	check_both(store, 8, "second", "");
	end();
}

TEST(store_takes_candidates_of_before_for_the_tenants)
{
	struct store *store = open_fresh();
	sqlite3 *database;

	opened = store_free(store);
	CHECK_INT(sqlite3_open(path, &database), SQLITE_OK);
	CHECK_INT(sqlite3_exec(database,
			  "DROP TABLE sandbox_shadows; CREATE TABLE shadows"
			  " (sandbox INTEGER PRIMARY KEY, policy TEXT NOT NULL) STRICT;"
			  "INSERT INTO shadows VALUES (7, 'narrow'), (8, '-');"
			  "PRAGMA user_version = 11",
			  NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(database);
	store = reopen();
	check_both(store, 7, "", "narrow");
	check_both(store, 8, "", "-");
	end();
}
