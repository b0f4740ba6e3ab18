/* Candidates that are to outlive the process. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/store/store.h"

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
	CHECK_INT(store_shadow_put(store, tenant.id, "own"), 0);
	store = reopen();
	CHECK_INT(store_tenant_shadow_get(store, tenant.id, name), 0);
	CHECK_TEXT(name, "narrow");
	CHECK_INT(store_shadow_get(store, tenant.id, name), 0);
	CHECK_TEXT(name, "own");
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
