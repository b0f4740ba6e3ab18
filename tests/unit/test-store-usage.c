/* What the store sums up beside tenants: labels, what of ended sandboxes is kept how long, and what
 * tenants may use. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/store/store.h"
#include "tests/harness/check.h"

static char directory[64], path[128];
static struct store *opened;

static void remove_files(void)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char file[160];

	opened = store_free(opened);
	for (size_t i = 0; i < 3; i++) {
		snprintf(file, sizeof(file), "%s%s", path, ends[i]);
		unlink(file);
	}
}

static void remove_directory(void)
{
	remove_files();
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
	if (!directory[0]) {
		snprintf(directory, sizeof(directory), "/tmp/cloche-test-usage-XXXXXX");
		CHECK(mkdtemp(directory) != NULL);
		snprintf(path, sizeof(path), "%s/state.db", directory);
		atexit(remove_directory);
	}
	remove_files();
	return reopen();
}

static uint32_t add_tenant(struct store *store, const char *name)
{
	struct store_tenant tenant = {.created_ns = 99};

	snprintf(tenant.name, sizeof(tenant.name), "%s", name);
	snprintf(tenant.policy, sizeof(tenant.policy), "deny-all");
	CHECK_INT(store_tenant_insert(store, &tenant), 0);
	return tenant.id;
}

static void end_one(struct store *store, uint64_t id, uint64_t ended_ns)
{
	struct store_sandbox sandbox = {
		.id = id, .tenant = 1, .template = "t", .policy = "p", .labels = "", .env = ""};

	CHECK_INT(store_sandbox_insert(store, &sandbox), 0);
	CHECK_INT(store_failed_put(store, id, "f", 1), 0);
	CHECK_INT(store_sandbox_end(store, id, 1, ended_ns, "u", 1), 0);
}

TEST(ended_sandboxes_are_kept_for_a_time)
{
	const uint64_t day_ns = 86400ULL * 1000000000, kept_ns = STORE_USAGE_KEPT_NS;
	struct store *store = open_fresh();
	uint32_t tenant;
	char usage[1];

	end_one(store, 1, day_ns);
	end_one(store, 2, 2 * day_ns);
	CHECK_INT(store_failed_get(store, 1, usage, 1), -ENOENT); /* it went with the row */
	end_one(store, 3, day_ns + kept_ns);
	CHECK_INT(store_usage_get(store, 1, &tenant, usage, 1), 0);
	end_one(store, 4, day_ns + kept_ns + 1);
	CHECK_INT(store_usage_get(store, 1, &tenant, usage, 1), -ENOENT);
	CHECK_INT(store_usage_get(store, 2, &tenant, usage, 1), 0);
	CHECK_INT(store_usage_get(store, 4, &tenant, usage, 1), 0);
}

struct labels {
	char text[256];
	uint64_t sum;
};

static void take_label(const char *label, const void *blob, size_t size, void *userdata)
{
	struct labels *labels = userdata;
	uint64_t value;

	CHECK_INT(size, sizeof(value));
	memcpy(&value, blob, sizeof(value));
	labels->sum += value;
	strcat(labels->text, label);
	strcat(labels->text, " ");
}

TEST(totals_by_label_are_kept_up_to_their_bound)
{
	struct store *store = open_fresh();
	uint32_t tenant = add_tenant(store, "acme"), other = add_tenant(store, "other");
	struct labels labels = {0};
	uint64_t value = 1, found = 0;
	size_t n = 0;
	char label[32];

	CHECK_INT(store_label_get(store, tenant, "job=1", &found, sizeof(found)), -ENOENT);
	CHECK_INT(store_label_put(store, tenant, "job=1", &value, sizeof(value)), 0);
	CHECK_INT(store_label_put(store, tenant, "job=2", &value, sizeof(value)), 0);
	CHECK_INT(store_label_put(store, tenant, "jobs=3", &value, sizeof(value)), 0);
	CHECK_INT(store_label_put(store, other, "job=4", &value, sizeof(value)), 0);
	value = 5;
	CHECK_INT(store_label_put(store, tenant, "job=1", &value, sizeof(value)), 0);
	store = reopen();
	CHECK_INT(store_label_get(store, tenant, "job=1", &found, sizeof(found)), 0);
	CHECK_INT(found, 5);
	CHECK_INT(store_label_each(store, tenant, "job", take_label, &labels), 0);
	CHECK_TEXT(labels.text, "job=1 job=2 ");
	CHECK_INT(labels.sum, 6);
	for (int i = 0; i < STORE_LABELS_MAX + 5; i++) {
		snprintf(label, sizeof(label), "many=%d", i);
		CHECK_INT(store_label_put(store, tenant, label, &value, sizeof(value)), 0);
	}
	CHECK_INT(store_label_count(store, tenant, &n), 0);
	CHECK_INT(n, STORE_LABELS_MAX);
	CHECK_INT(store_label_get(store, tenant, label, &found, sizeof(found)), -ENOENT);
	value = 7;
	CHECK_INT(store_label_put(store, tenant, "job=2", &value, sizeof(value)), 0);
	CHECK_INT(store_label_get(store, tenant, "job=2", &found, sizeof(found)), 0);
	CHECK_INT(found, 7);
	CHECK_INT(store_tenant_delete(store, tenant), 0);
	CHECK_INT(store_label_count(store, tenant, &n), 0);
	CHECK_INT(n, 0);
	CHECK_INT(store_label_count(store, other, &n), 0);
	CHECK_INT(n, 1);
}

TEST(budgets_of_a_tenant_are_replaced_and_go_with_it)
{
	struct store *store = open_fresh();
	const struct store_budgets first = {.limits = {1, 2, 3, 4}, .per_seconds = 5},
				   second = {.limits = {6}, .used = {7, 8}, .started_ns = 9};
	struct store_budgets found;
	uint32_t acme = add_tenant(store, "acme"), other = add_tenant(store, "other");

	CHECK_INT(store_budgets_get(store, acme, &found), -ENOENT);
	CHECK_INT(store_budgets_put(store, acme, &first), 0);
	CHECK_INT(store_budgets_put(store, other, &first), 0);
	CHECK_INT(store_budgets_put(store, acme, &second), 0);
	store = reopen();
	CHECK_INT(store_budgets_get(store, acme, &found), 0);
	CHECK(memcmp(&found, &second, sizeof(found)) == 0);
	CHECK_INT(store_tenant_delete(store, acme), 0);
	CHECK_INT(store_budgets_get(store, acme, &found), -ENOENT);
	CHECK_INT(store_budgets_get(store, other, &found), 0);
	CHECK(memcmp(&found, &first, sizeof(found)) == 0);
}

struct destinations {
	char text[512];
	uint64_t sent, received, connections;
	size_t n;
};

static void take_destination(const struct store_destination *destination, void *userdata)
{
	struct destinations *all = userdata;

	if (all->n++ < 4) {
		strcat(all->text, destination->name[0] ? destination->name : "-");
		strcat(all->text, " ");
	}
	all->sent += destination->bytes_sent;
	all->received += destination->bytes_received;
	all->connections += destination->connections;
}

static void add_traffic(struct store *store, uint64_t sandbox, const char *name, uint64_t bytes)
{
	struct store_destination more = {
		.bytes_sent = bytes, .bytes_received = 2 * bytes, .connections = 1};

	snprintf(more.name, sizeof(more.name), "%s", name);
	CHECK_INT(store_destination_add(store, 7, sandbox, &more), 0);
}

static struct destinations read_traffic(struct store *store, uint64_t sandbox)
{
	struct destinations all = {0};

	CHECK_INT(store_destination_each(store, 7, sandbox, take_destination, &all), 0);
	return all;
}

TEST(traffic_by_destination_adds_up_and_stays_bounded)
{
	struct store *store = open_fresh();
	struct destinations all;
	char name[32];

	add_traffic(store, 1, "a.example", 10);
	add_traffic(store, 1, "b.example", 20);
	add_traffic(store, 1, "a.example", 30);
	add_traffic(store, 2, "c.example", 5);
	add_traffic(store, 0, "d.example", 5);
	all = read_traffic(reopen(), 1);
	store = opened;
	CHECK_TEXT(all.text, "a.example b.example ");
	CHECK_INT(all.sent, 60);
	CHECK_INT(all.received, 120);
	CHECK_INT(all.connections, 3);
	for (int i = 2; i < STORE_DESTINATIONS_MAX; i++) {
		snprintf(name, sizeof(name), "n%02d.example", i);
		add_traffic(store, 1, name, 100);
	}
	CHECK_INT(read_traffic(store, 1).n, STORE_DESTINATIONS_MAX);
	/* Less than any: it is one of the rest. */
	add_traffic(store, 1, "small.example", 1);
	all = read_traffic(store, 1);
	CHECK_INT(all.n, STORE_DESTINATIONS_MAX + 1);
	CHECK_INT(all.sent, 60 + 30 * 100 + 1);
	/* More than b.example, which has the least: that one goes. */
	add_traffic(store, 1, "large.example", 1000);
	all = read_traffic(store, 1);
	CHECK_INT(all.n, STORE_DESTINATIONS_MAX + 1);
	CHECK_TEXT(all.text, "large.example n02.example n03.example n04.example ");
	CHECK_INT(all.sent, 60 + 30 * 100 + 1 + 1000);
	CHECK_INT(all.received, 2 * all.sent);
	CHECK_INT(all.connections, 3 + 30 + 2);
	add_traffic(store, 1, "", 4);
	CHECK_INT(read_traffic(store, 1).n, STORE_DESTINATIONS_MAX + 1);
	CHECK_INT(read_traffic(store, 2).n, 1);
}
