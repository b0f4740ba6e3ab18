/* Sinks in the store: what is kept of them, and how far each is. */
#include "supervisor/base/cleanup.h"
#include "supervisor/store/store.h"
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[64], path[128];
static struct store *opened;

static void remove_directory(void)
{
	char side[160];

	opened = store_free(opened);
	unlink(path);
	snprintf(side, sizeof(side), "%s-wal", path);
	unlink(side);
	rmdir(directory);
}

static struct store *reopen(void)
{
	opened = store_free(opened);
	CHECK_INT(store_open(path, &opened, NULL), 0);
	return opened;
}

static struct store *open_fresh(void)
{
	snprintf(directory, sizeof(directory), "/tmp/cloche-test-sinks-XXXXXX");
	CHECK(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/state.db", directory);
	atexit(remove_directory);
	return reopen();
}

static struct store_sink last_sink;
static int n_sinks;

static void on_sink(const struct store_sink *sink, void *userdata _unused_)
{
	last_sink = *sink;
	n_sinks++;
}

static int count_sinks(struct store *store)
{
	n_sinks = 0;
	CHECK_INT(store_sink_each(store, on_sink, NULL), 0);
	return n_sinks;
}

TEST(store_keeps_sinks_and_how_far_they_are)
{
	struct store_sink sink = {.kind = STORE_SINK_WEBHOOK,
		.tenant = 3,
		.internal = true,
		.ocsf = true,
		.url = "https://h/",
		.types = "network,exec",
		.verdict = "deny",
		.created_ns = 5,
		.cursor = 6};
	struct store *store = open_fresh();
	uint64_t first;

	memset(sink.secret, 0xa5, sizeof(sink.secret));
	CHECK_INT(store_sink_insert(store, &sink), 0);
	first = sink.id;
	sink.cursor = 99;
	sink.success_ns = 7;
	sink.failure_ns = 8;
	sink.n_failures = 9;
	snprintf(sink.error, sizeof(sink.error), "why");
	CHECK_INT(store_sink_progress(store, &sink), 0);
	store = reopen();
	CHECK_INT(count_sinks(store), 1);
	CHECK(memcmp(&last_sink, &sink, sizeof(sink)) == 0);
	sink.tenant = 4;
	CHECK_INT(store_sink_insert(store, &sink), 0);
	CHECK_INT(count_sinks(store), 2);
	CHECK_INT(store_sink_delete(store, sink.id), 0);
	CHECK_INT(store_sink_delete(store, sink.id), -ENOENT);
	CHECK_INT(store_sink_progress(store, &sink), -ENOENT);
	CHECK_INT(store_sink_insert(store, &sink), 0);
	CHECK(sink.id > first + 1); /* an id is never used again */
	CHECK_INT(store_sink_delete_of_tenant(store, 3), 0);
	CHECK_INT(store_sink_delete_of_tenant(store, 3), 0);
	CHECK_INT(count_sinks(store), 1);
	CHECK_INT(last_sink.tenant, 4);
}
