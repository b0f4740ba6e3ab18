#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/store/database.h"

static char directory[64], path[128];
static struct store *opened;

#define BIG_BYTES 32768 /* takes pages of its own */

static void remove_files(void)
{
	char side[160];

	unlink(path);
	snprintf(side, sizeof(side), "%s-wal", path);
	unlink(side);
	snprintf(side, sizeof(side), "%s-shm", path);
	unlink(side);
}

static void remove_directory(void)
{
	opened = store_free(opened);
	remove_files();
	rmdir(directory);
}

/* A path where no file is yet; what an earlier test left is closed and removed. */
static const char *fresh_path(void)
{
	if (!directory[0]) {
		snprintf(directory, sizeof(directory), "/tmp/cloche-test-store-XXXXXX");
		CHECK(mkdtemp(directory) != NULL);
		snprintf(path, sizeof(path), "%s/state.db", directory);
		atexit(remove_directory);
	}
	opened = store_free(opened);
	remove_files();
	return path;
}

static struct store *reopen(void)
{
	opened = store_free(opened);
	CHECK_INT(store_open(path, &opened, NULL), 0);
	return opened;
}

static struct store *open_fresh(void)
{
	fresh_path();
	return reopen();
}

static uint32_t add_tenant(struct store *store, const char *name)
{
	struct store_tenant tenant = {.n_sandboxes_max = 7, .created_ns = 99};

	snprintf(tenant.name, sizeof(tenant.name), "%s", name);
	snprintf(tenant.policy, sizeof(tenant.policy), "deny-all");
	CHECK_INT(store_tenant_insert(store, &tenant), 0);
	return tenant.id;
}

static struct store_key make_key(uint32_t tenant, const char *id, const char *hash)
{
	struct store_key key = {.tenant = tenant, .administrator = true, .created_ns = 5};

	snprintf(key.id, sizeof(key.id), "%s", id);
	snprintf(key.hash, sizeof(key.hash), "%s", hash);
	snprintf(key.description, sizeof(key.description), "of %s", id);
	return key;
}

static struct store_sandbox make_sandbox(uint64_t id, uint32_t tenant)
{
	return (struct store_sandbox){.id = id,
		.created_ns = 1,
		.expires_ns = UINT64_MAX,
		.tenant = tenant,
		.slot = 3,
		.uid_first = 0xffff0000,
		.state = 2,
		.cgroup_id = 0x8000000000000001,
		.memory_index = 4,
		.memory_bytes = 512 << 20,
		.disk_bytes = 1,
		.cpu_millis = 1500,
		.pids = 64,
		.warm = true,
		.template = "python",
		.policy = "web",
		.labels = "a=1\0b=2",
		.labels_size = 8,
		.n_labels = 2,
		.env = "",
		.env_size = 0,
		.n_env = 0};
}

struct seen {
	struct store *store;
	struct store_tenant tenant;
	struct store_key key;
	struct store_sandbox sandbox;
	char labels[32];
	uint64_t ids[8];
	char usage[8];
	int n, r;
};

static void see_tenant(const struct store_tenant *tenant, void *userdata)
{
	struct seen *seen = userdata;

	seen->tenant = *tenant;
	seen->n++;
}

static void see_key(const struct store_key *key, void *userdata)
{
	struct seen *seen = userdata;

	seen->key = *key;
	seen->n++;
}

static void see_sandbox(const struct store_sandbox *sandbox, void *userdata)
{
	struct seen *seen = userdata;

	seen->sandbox = *sandbox;
	if (sandbox->labels_size && sandbox->labels_size <= sizeof(seen->labels))
		memcpy(seen->labels, sandbox->labels, sandbox->labels_size);
	seen->ids[seen->n++] = sandbox->id;
}

static void see_usage(uint64_t sandbox, const void *usage, size_t usage_size, void *userdata)
{
	struct seen *seen = userdata;

	seen->ids[seen->n++] = sandbox;
	memcpy(seen->usage, usage, usage_size < 8 ? usage_size : 8);
}

static int count_tenants(struct store *store)
{
	struct seen seen = {.n = 0};

	CHECK_INT(store_tenant_each(store, see_tenant, &seen), 0);
	return seen.n;
}

static int count_sandboxes(struct store *store)
{
	struct seen seen = {.n = 0};

	CHECK_INT(store_sandbox_each(store, see_sandbox, &seen), 0);
	return seen.n;
}

TEST(store_file_is_readable_by_its_owner_only)
{
	struct stat info;

	open_fresh();
	CHECK_INT(stat(path, &info), 0);
	CHECK_INT(info.st_mode & 07777, 0600);
}

TEST(store_keeps_every_field_of_a_tenant)
{
	struct seen seen = {.n = 0};
	uint32_t id = add_tenant(open_fresh(), "acme");

	CHECK_INT(store_tenant_each(reopen(), see_tenant, &seen), 0);
	CHECK_INT(seen.n, 1);
	CHECK_INT(seen.tenant.id, id);
	CHECK_TEXT(seen.tenant.name, "acme");
	CHECK_TEXT(seen.tenant.policy, "deny-all");
	CHECK_INT(seen.tenant.n_sandboxes_max, 7);
	CHECK_INT(seen.tenant.created_ns, 99);
}

TEST(store_refuses_a_tenant_name_that_is_taken)
{
	struct store *store = open_fresh();
	struct store_tenant again = {.name = "acme", .policy = "web"};

	add_tenant(store, "acme");
	CHECK_INT(store_tenant_insert(store, &again), -EEXIST);
	CHECK_INT(again.id, 0);
	CHECK_INT(count_tenants(store), 1);
}

TEST(store_never_uses_a_tenant_id_again)
{
	struct store *store = open_fresh();
	uint32_t first = add_tenant(store, "acme");

	CHECK_INT(first, 1);
	CHECK_INT(store_tenant_delete(store, first), 0);
	CHECK_INT(add_tenant(reopen(), "acme"), 2);
}

TEST(store_deletes_the_keys_with_their_tenant)
{
	struct store *store = open_fresh();
	struct seen seen = {.n = 0};
	uint32_t acme = add_tenant(store, "acme"), other = add_tenant(store, "other");
	struct store_key keys[] = {make_key(acme, "ck_1", "h1"), make_key(other, "ck_2", "h2")};

	CHECK_INT(store_key_insert(store, &keys[0]), 0);
	CHECK_INT(store_key_insert(store, &keys[1]), 0);
	CHECK_INT(store_tenant_delete(store, acme), 0);
	CHECK_INT(store_key_each(store, see_key, &seen), 0);
	CHECK_INT(seen.n, 1);
	CHECK_TEXT(seen.key.id, "ck_2");
}

TEST(store_keeps_a_tenant_and_its_keys_while_it_has_sandboxes)
{
	struct store *store = open_fresh();
	struct seen seen = {.n = 0};
	uint32_t acme = add_tenant(store, "acme");
	struct store_key key = make_key(acme, "ck_1", "h1");
	struct store_sandbox sandbox = make_sandbox(9, acme);

	CHECK_INT(store_key_insert(store, &key), 0);
	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_tenant_delete(store, acme), -EBUSY);
	CHECK_INT(store_key_each(store, see_key, &seen), 0);
	CHECK_INT(seen.n, 1);
	CHECK_INT(store_sandbox_end(store, 9, acme, 2, "u", 1), 0);
	CHECK_INT(store_tenant_delete(store, acme), 0);
	CHECK_INT(store_tenant_delete(store, acme), -ENOENT);
}

TEST(store_keeps_every_field_of_a_key)
{
	struct store *store = open_fresh();
	struct seen seen = {.n = 0};
	struct store_key key = make_key(add_tenant(store, "acme"), "ck_1", "h1");

	CHECK_INT(store_key_insert(store, &key), 0);
	CHECK_INT(store_key_each(reopen(), see_key, &seen), 0);
	CHECK_INT(seen.n, 1);
	CHECK_TEXT(seen.key.id, "ck_1");
	CHECK_TEXT(seen.key.hash, "h1");
	CHECK_TEXT(seen.key.description, "of ck_1");
	CHECK_INT(seen.key.tenant, key.tenant);
	CHECK(seen.key.administrator);
	CHECK_INT(seen.key.created_ns, 5);
}

TEST(store_refuses_a_key_twice_or_for_nobody)
{
	struct store *store = open_fresh();
	uint32_t acme = add_tenant(store, "acme");
	struct store_key key = make_key(acme, "ck_1", "h1");
	struct store_key same_id = make_key(acme, "ck_1", "h2");
	struct store_key same_hash = make_key(acme, "ck_2", "h1");
	struct store_key nobody = make_key(acme + 1, "ck_3", "h3");

	CHECK_INT(store_key_insert(store, &key), 0);
	CHECK_INT(store_key_insert(store, &same_id), -EEXIST);
	CHECK_INT(store_key_insert(store, &same_hash), -EEXIST);
	CHECK_INT(store_key_insert(store, &nobody), -ENOENT);
	CHECK_INT(store_key_delete(store, "ck_1"), 0);
	CHECK_INT(store_key_delete(store, "ck_1"), -ENOENT);
}

TEST(store_keeps_every_field_of_a_sandbox)
{
	struct store *store = open_fresh();
	struct seen seen = {.n = 0};
	struct store_sandbox sandbox = make_sandbox(0xfedcba9876543210, 1), *got = &seen.sandbox;

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_sandbox_insert(store, &sandbox), -EEXIST);
	CHECK_INT(store_sandbox_set_state(store, sandbox.id, 3), 0);
	CHECK_INT(store_sandbox_set_state(store, 1, 3), -ENOENT);
	CHECK_INT(store_sandbox_each(reopen(), see_sandbox, &seen), 0);
	CHECK_INT(seen.n, 1);
	CHECK(got->id == sandbox.id && got->created_ns == 1 && got->expires_ns == UINT64_MAX);
	CHECK(got->tenant == 1 && got->slot == 3 && got->uid_first == 0xffff0000);
	CHECK_INT(got->state, 3);
	CHECK(got->cgroup_id == sandbox.cgroup_id && got->memory_index == 4);
	CHECK(got->memory_bytes == 512 << 20 && got->disk_bytes == 1);
	CHECK(got->cpu_millis == 1500 && got->pids == 64 && got->warm);
	CHECK_TEXT(got->template, "python");
	CHECK_TEXT(got->policy, "web");
	CHECK(got->n_labels == 2 && got->labels_size == 8 && got->n_env == 0 && got->env_size == 0);
	CHECK(memcmp(seen.labels, "a=1\0b=2", 8) == 0);
}

TEST(store_end_moves_a_sandbox_to_usage)
{
	struct store *store = open_fresh();
	struct store_sandbox sandbox = make_sandbox(5, 1);
	uint32_t tenant = 0;
	char usage[8] = "xxxxxxx";

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_usage_get(store, 5, &tenant, usage, sizeof(usage)), -ENOENT);
	CHECK_TEXT(usage, "xxxxxxx");
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, "abcd", 4), 0);
	store = reopen();
	CHECK_INT(count_sandboxes(store), 0);
	CHECK_INT(store_usage_get(store, 5, &tenant, usage, sizeof(usage)), 0);
	CHECK_INT(tenant, 1);
	CHECK(memcmp(usage, "abcd\0\0\0\0", 8) == 0); /* an older, shorter row is filled up */
	CHECK_INT(store_usage_get(store, 5, &tenant, usage, 2), 0);
	CHECK(memcmp(usage, "ab", 2) == 0);
}

static int see_name(uint32_t place, const char *name, void *userdata)
{
	char *text = userdata;

	snprintf(text + strlen(text), 64, "%u=%s ", place, name);
	return 0;
}

TEST(store_keeps_names_in_order_until_the_sandbox_ends)
{
	struct store *store = open_fresh();
	struct store_sandbox one = make_sandbox(5, 1), two = make_sandbox(6, 1);
	char text[256] = "";

	CHECK_INT(store_sandbox_insert(store, &one), 0);
	CHECK_INT(store_sandbox_insert(store, &two), 0);
	CHECK_INT(store_name_insert(store, 5, 1, "b.example"), 0);
	CHECK_INT(store_name_insert(store, 5, 0, "a.example"), 0);
	CHECK_INT(store_name_insert(store, 6, 0, "c.example"), 0);
	CHECK_INT(store_name_insert(store, 5, 1, "d.example"), -EEXIST);
	store = reopen();
	CHECK_INT(store_name_each(store, 5, see_name, text), 0);
	CHECK_TEXT(text, "0=a.example 1=b.example ");
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, NULL, 0), 0);
	text[0] = '\0';
	CHECK_INT(store_name_each(store, 5, see_name, text), 0);
	CHECK_INT(store_name_each(store, 6, see_name, text), 0);
	CHECK_TEXT(text, "0=c.example ");
}

TEST(store_changes_the_policy_of_a_sandbox)
{
	struct store *store = open_fresh();
	struct store_sandbox sandbox = make_sandbox(5, 1);
	struct seen seen = {.n = 0};

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_sandbox_set_policy(store, 5, "other"), 0);
	CHECK_INT(store_sandbox_set_policy(store, 6, "other"), -ENOENT);
	CHECK_INT(store_sandbox_each(reopen(), see_sandbox, &seen), 0);
	CHECK_INT(seen.n, 1);
	CHECK_TEXT(seen.sandbox.policy, "other");
}

TEST(store_end_of_an_unknown_sandbox_keeps_nothing)
{
	struct store *store = open_fresh();
	uint32_t tenant;
	char usage[8];

	CHECK_INT(store_sandbox_end(store, 5, 1, 7, "abcd", 4), -ENOENT);
	CHECK_INT(store_usage_get(store, 5, &tenant, usage, sizeof(usage)), -ENOENT);
}

TEST(store_end_that_fails_halfway_keeps_the_sandbox)
{
	struct store *store = open_fresh();
	struct store_sandbox sandbox = make_sandbox(5, 1);

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, "abcd", 4), 0);
	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_sandbox_end(store, 5, 1, 8, "efgh", 4), -EEXIST);
	CHECK_INT(count_sandboxes(store), 1);
	CHECK_INT(count_sandboxes(reopen()), 1);
}

TEST(store_end_without_usage_only_removes)
{
	struct store *store = open_fresh();
	struct store_sandbox sandbox = make_sandbox(5, 0);
	uint32_t tenant;
	char usage[8];

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_sandbox_end(store, 5, 0, 7, NULL, 0), 0);
	CHECK_INT(count_sandboxes(store), 0);
	CHECK_INT(store_usage_get(store, 5, &tenant, usage, sizeof(usage)), -ENOENT);
}

static void end_this(const struct store_sandbox *sandbox, void *userdata)
{
	struct seen *seen = userdata;

	seen->ids[seen->n++] = sandbox->id;
	seen->r |= store_sandbox_end(seen->store, sandbox->id, sandbox->tenant, 1, "u", 1);
	if (memcmp(sandbox->labels, "a=1\0b=2", 8) != 0)
		seen->r = -EFAULT;
}

TEST(store_lets_a_visit_end_its_sandbox)
{
	struct store *store = open_fresh();
	struct seen seen = {.store = store};

	for (uint64_t id = 1; id <= 4; id++) {
		struct store_sandbox sandbox = make_sandbox(id, 1);

		CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	}
	CHECK_INT(store_sandbox_each(store, end_this, &seen), 0);
	CHECK_INT(seen.r, 0);
	CHECK_INT(seen.n, 4);
	CHECK_INT(count_sandboxes(store), 0);
}

static void visit_again(const struct store_sandbox *sandbox _unused_, void *userdata)
{
	struct seen *seen = userdata;

	seen->n++;
	seen->r = store_sandbox_each(seen->store, visit_again, seen);
}

TEST(store_refuses_a_visit_inside_the_same_visit)
{
	struct store *store = open_fresh();
	struct store_sandbox sandbox = make_sandbox(1, 1);
	struct seen seen = {.store = store};

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_sandbox_each(store, visit_again, &seen), 0);
	CHECK_INT(seen.r, -EBUSY);
	CHECK_INT(seen.n, 1);
}

TEST(store_visits_the_usage_of_one_tenant_in_order_of_ending)
{
	struct store *store = open_fresh();
	struct seen seen = {.n = 0};

	for (uint64_t id = 1; id <= 4; id++) {
		struct store_sandbox sandbox = make_sandbox(10 - id, id == 2 ? 2 : 1);

		CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
		CHECK_INT(store_sandbox_end(store, sandbox.id, sandbox.tenant, id, &sandbox.id,
				  sizeof(sandbox.id)),
			0);
	}
	CHECK_INT(store_usage_each(store, 1, see_usage, &seen), 0);
	CHECK_INT(seen.n, 3);
	CHECK(seen.ids[0] == 9 && seen.ids[1] == 7 && seen.ids[2] == 6);
	CHECK_INT(seen.usage[0], 6);
}

TEST(store_replaces_a_total)
{
	struct store *store = open_fresh();
	char total[4] = "";

	CHECK_INT(store_total_get(store, 1, total, sizeof(total)), -ENOENT);
	CHECK_INT(store_total_put(store, 1, "one", 4), 0);
	CHECK_INT(store_total_put(store, 2, "two", 4), 0);
	CHECK_INT(store_total_put(store, 1, "six", 4), 0);
	store = reopen();
	CHECK_INT(store_total_get(store, 1, total, sizeof(total)), 0);
	CHECK_TEXT(total, "six");
	CHECK_INT(store_total_get(store, 2, total, sizeof(total)), 0);
	CHECK_TEXT(total, "two");
}

TEST(store_rollback_undoes_all_since_begin)
{
	struct store *store = open_fresh();
	struct store_sandbox sandbox = make_sandbox(5, 1);
	char total[4];

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_begin(store), 0);
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, "abcd", 4), 0);
	CHECK_INT(store_total_put(store, 1, "one", 4), 0);
	store_rollback(store);
	CHECK_INT(count_sandboxes(store), 1);
	CHECK_INT(store_total_get(store, 1, total, sizeof(total)), -ENOENT);
	CHECK_INT(store_begin(store), 0);
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, "abcd", 4), 0);
	CHECK_INT(store_total_put(store, 1, "one", 4), 0);
	CHECK_INT(store_commit(store), 0);
	store = reopen();
	CHECK_INT(count_sandboxes(store), 0);
	CHECK_INT(store_total_get(store, 1, total, sizeof(total)), 0);
}

TEST(store_outlives_a_process_that_never_closed_it)
{
	pid_t child;
	int status = -1;

	fresh_path();
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct store *store;
		struct store_sandbox sandbox = make_sandbox(5, 1);
		struct store_tenant tenant = {.name = "acme", .policy = "*"};
		bool kept = store_open(path, &store, NULL) == 0 &&
			    store_tenant_insert(store, &tenant) == 0 &&
			    store_sandbox_insert(store, &sandbox) == 0 && store_begin(store) == 0 &&
			    store_total_put(store, 1, "x", 1) == 0;

		_exit(kept ? 0 : 1); /* no close, a change begun and not committed */
	}
	CHECK_INT(waitpid(child, &status, 0), child);
	CHECK_INT(status, 0);
	reopen();
	CHECK_INT(count_tenants(opened), 1);
	CHECK_INT(count_sandboxes(opened), 1);
	CHECK_INT(store_total_get(opened, 1, (char[1]){0}, 1), -ENOENT);
}

TEST(store_refuses_a_second_opener)
{
	struct store *second = NULL;
	struct failure why = {0};

	open_fresh();
	CHECK_INT(store_open(path, &second, &why), -EBUSY);
	CHECK(second == NULL);
	CHECK_TEXT(why.sentence,
		"Another process has the state open; end it, or choose another --state-dir.");
	CHECK_TEXT(why.location, path);
	reopen();
}

static void run_sql(const char *text)
{
	sqlite3 *database;

	opened = store_free(opened);
	CHECK_INT(sqlite3_open(path, &database), SQLITE_OK);
	CHECK_INT(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(database);
}

TEST(store_refuses_a_newer_schema)
{
	struct store *store = NULL;
	struct failure why = {0};

	add_tenant(open_fresh(), "acme");
	run_sql("PRAGMA user_version = 13");
	CHECK_INT(store_open(path, &store, &why), -EPROTONOSUPPORT);
	CHECK(store == NULL);
	CHECK_TEXT(why.sentence,
		"The state has version 13 and this cloched knows up to 12; run the "
		"newer cloched that wrote it.");
	run_sql("PRAGMA user_version = 12");
	CHECK_INT(count_tenants(reopen()), 1);
}

TEST(store_refuses_another_programs_database)
{
	struct store *store = NULL;
	struct failure why = {0};

	fresh_path();
	run_sql("CREATE TABLE theirs (x)");
	CHECK_INT(store_open(path, &store, &why), -EINVAL);
	CHECK_TEXT(why.sentence,
		"This is a database of another program; choose another state directory.");
}

TEST(store_refuses_a_file_that_is_no_database)
{
	struct store *store = NULL;
	struct failure why = {0};
	FILE *file = fopen(fresh_path(), "w");

	CHECK(file != NULL);
	for (int i = 0; i < 1000; i++)
		fputs("not a database ", file);
	fclose(file);
	CHECK_INT(store_open(path, &store, &why), -EBADMSG);
	CHECK_TEXT(
		why.sentence, "The file is damaged or no database; move it away to start afresh.");
}

TEST(store_cannot_be_made_in_an_absent_directory)
{
	struct store *store = NULL;
	struct failure why = {0};
	char absent[160];

	fresh_path();
	snprintf(absent, sizeof(absent), "%s/absent/state.db", directory);
	CHECK_INT(store_open(absent, &store, &why), -ENOENT);
	CHECK_TEXT(why.sentence, "Cannot make the file: No such file or directory.");
}

/* As full as a disk: no page more than the file has now. */
static void fill_up(struct store *store)
{
	CHECK_INT(sqlite3_exec(store->database, "PRAGMA max_page_count = 1", NULL, NULL, NULL),
		SQLITE_OK);
}

static void empty_again(struct store *store)
{
	CHECK_INT(
		sqlite3_exec(store->database, "PRAGMA max_page_count = 1000000", NULL, NULL, NULL),
		SQLITE_OK);
}

TEST(store_full_refuses_and_changes_nothing)
{
	struct store *store = open_fresh();
	static char big[BIG_BYTES];
	struct store_sandbox sandbox = make_sandbox(5, 1);
	char total[4];

	CHECK_INT(store_total_put(store, 1, "one", 4), 0);
	fill_up(store);
	sandbox.env = big;
	sandbox.env_size = sizeof(big);
	CHECK_INT(store_sandbox_insert(store, &sandbox), -ENOSPC);
	CHECK_INT(count_sandboxes(store), 0);
	CHECK_INT(store_total_put(store, 1, big, sizeof(big)), -ENOSPC);
	CHECK_INT(store_total_get(store, 1, total, sizeof(total)), 0);
	CHECK_TEXT(total, "one");
	empty_again(store);
	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(count_sandboxes(store), 1);
}

TEST(store_full_keeps_a_sandbox_whose_usage_finds_no_room)
{
	struct store *store = open_fresh();
	static char big[BIG_BYTES];
	struct store_sandbox sandbox = make_sandbox(5, 1);
	uint32_t tenant;

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	fill_up(store);
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, big, sizeof(big)), -ENOSPC);
	CHECK_INT(count_sandboxes(store), 1);
	CHECK_INT(store_usage_get(store, 5, &tenant, big, 1), -ENOENT);
	CHECK_INT(store_begin(store), 0);
	CHECK_INT(store_sandbox_set_state(store, 5, 4), 0);
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, big, sizeof(big)), -ENOSPC);
	store_rollback(store);
	empty_again(store);
	CHECK_INT(store_sandbox_end(store, 5, 1, 7, big, sizeof(big)), 0);
	CHECK_INT(count_sandboxes(store), 0);
}

TEST(store_keeps_the_newest_usages_only)
{
	struct store *store = open_fresh();
	struct store_sandbox sandbox = make_sandbox(2, 1);
	uint32_t tenant;
	char usage[1];

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_sandbox_end(store, 2, 1, 1, "a", 1), 0);
	/* As if as many had ended since as are kept. */
	CHECK_INT(sqlite3_exec(store->database,
			  "UPDATE sqlite_sequence SET seq = 1000000 WHERE name = 'usage'", NULL,
			  NULL, NULL),
		SQLITE_OK);
	sandbox.id = 3;
	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_usage_get(store, 2, &tenant, usage, 1), 0);
	CHECK_INT(store_sandbox_end(store, 3, 1, 1, "a", 1), 0);
	CHECK_INT(store_usage_get(store, 2, &tenant, usage, 1), -ENOENT);
	CHECK_INT(store_usage_get(store, 3, &tenant, usage, 1), 0);
}
