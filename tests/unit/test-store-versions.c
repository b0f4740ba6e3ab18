#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/store/store.h"

static struct store *open_fresh(char path[static 64])
{
	struct store *store = NULL;

	snprintf(path, 64, "/tmp/cloche-test-versions-%d.db", (int)getpid());
	unlink(path);
	CHECK_INT(store_open(path, &store, NULL), 0);
	return store;
}

static void put(struct store *store, const char *name, unsigned number)
{
	struct store_version version = {.commit = "0123abc", .by_key = "ck_1", .time_ns = number};
	char text[32];

	snprintf(version.name, sizeof(version.name), "%s", name);
	snprintf(version.hash, sizeof(version.hash), "hash-%u", number);
	snprintf(version.file_hash, sizeof(version.file_hash), "file-%u", number);
	snprintf(text, sizeof(text), "text %u", number);
	CHECK_INT(store_version_put(store, &version, text, strlen(text)), 0);
}

struct seen {
	unsigned n, newest, oldest;
};

static int see(const struct store_version *version, void *userdata)
{
	struct seen *seen = userdata;

	CHECK_TEXT(version->commit, "0123abc");
	CHECK_TEXT(version->by_key, "ck_1");
	if (seen->n++ == 0)
		seen->newest = (unsigned)version->time_ns;
	seen->oldest = (unsigned)version->time_ns;
	return 0;
}

static int stop(const struct store_version *version _unused_, void *userdata)
{
	++*(int *)userdata;
	return -EALREADY;
}

TEST(keeps_the_newest_versions_of_each_policy)
{
	struct seen seen = {0};
	char path[64], *text = NULL;
	struct store *store = open_fresh(path);
	size_t size = 0;
	int n = 0;

	put(store, "other", 1);
	for (unsigned i = 1; i <= STORE_VERSIONS_MAX + 3; i++)
		put(store, "web", i);
	CHECK_INT(store_version_each(store, "web", see, &seen), 0);
	CHECK_INT(seen.n, STORE_VERSIONS_MAX);
	CHECK_INT(seen.newest, STORE_VERSIONS_MAX + 3);
	CHECK_INT(seen.oldest, 4);
	CHECK_INT(store_version_text(store, "web", "hash-4", &text, &size), 0);
	CHECK_TEXT(text, "text 4");
	CHECK_INT(size, 6);
	free(text);
	CHECK_INT(store_version_text(store, "web", "hash-3", &text, &size), -ENOENT);
	CHECK_INT(store_version_text(store, "other", "hash-4", &text, &size), -ENOENT);
	CHECK_INT(store_version_each(store, "web", stop, &n), -EALREADY);
	CHECK_INT(n, 1);
	store = store_free(store);
	CHECK_INT(store_open(path, &store, NULL), 0);
	CHECK_INT(store_version_text(store, "other", "hash-1", &text, &size), 0);
	free(text);
	store_free(store);
	unlink(path);
}

struct staged_seen {
	unsigned n;
	char names[2][STORE_NAME_SIZE], text[2][32];
};

static int see_staged(
	const struct store_version *version, const char *text, size_t size_bytes, void *userdata)
{
	struct staged_seen *seen = userdata;

	CHECK(seen->n < 2);
	CHECK(size_bytes < sizeof(seen->text[0]));
	CHECK_TEXT(version->commit, "0123abc");
	CHECK_TEXT(version->by_key, "ck_1");
	memcpy(seen->names[seen->n], version->name, sizeof(version->name));
	memcpy(seen->text[seen->n++], text, size_bytes);
	return 0;
}

static void stage(struct store *store, const char *name, uint64_t time_ns, const char *text)
{
	struct store_version version = {.hash = "hash",
		.file_hash = "file",
		.commit = "0123abc",
		.by_key = "ck_1",
		.time_ns = time_ns};

	snprintf(version.name, sizeof(version.name), "%s", name);
	CHECK_INT(store_staged_put(store, &version, text, strlen(text)), 0);
}

TEST(store_keeps_one_staged_version_of_each_policy)
{
	struct staged_seen seen = {0};
	struct store *store;
	char path[64];

	store = open_fresh(path);
	stage(store, "web", 1, "first");
	stage(store, "base", 2, "other");
	stage(store, "web", 3, "second");
	store_free(store);
	CHECK_INT(store_open(path, &store, NULL), 0);
	CHECK_INT(store_staged_each(store, see_staged, &seen), 0);
	CHECK_INT(seen.n, 2);
	CHECK_TEXT(seen.names[0], "base");
	CHECK_TEXT(seen.names[1], "web");
	CHECK_TEXT(seen.text[1], "second");
	CHECK_INT(store_staged_delete(store, "web"), 0);
	CHECK_INT(store_staged_delete(store, "web"), 0);
	seen = (struct staged_seen){0};
	CHECK_INT(store_staged_each(store, see_staged, &seen), 0);
	CHECK_INT(seen.n, 1);
	CHECK_TEXT(seen.names[0], "base");
	store_free(store);
	unlink(path);
}
