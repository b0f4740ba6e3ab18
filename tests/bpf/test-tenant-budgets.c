/* Budgets of a tenant: all its sandboxes draw on them, and each on its own besides. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/budget-scene.h"
#include "tests/harness/check.h"

#define NAME_SERVER "9.9.9.9"
#define ACME 71
#define OTHER 72
#define OWN(counter) ABI_BUDGET_BIT(ABI_BUDGET_##counter)
#define SHARED(counter) ABI_BUDGET_TENANT_BIT(ABI_BUDGET_##counter)

static uint32_t take(struct kernel_scene *scene, uint32_t tenant, bool found)
{
	uint32_t row = 0;
	bool was_found;

	CHECK_INT(enforce_tenant_take(scene->enforce, tenant, &row, &was_found), 0);
	CHECK_INT(was_found, found);
	return row;
}

static void share(struct kernel_scene *scene, uint32_t row, enum abi_budget_counter counter,
	uint64_t most, uint64_t window_ns)
{
	uint64_t limits[ABI_BUDGET_COUNTERS] = {0};

	limits[counter] = most;
	CHECK_INT(enforce_tenant_set_budgets(scene->enforce, row, limits, window_ns), 0);
}

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox, uint32_t row)
{
	kernel_sandbox_make(scene, ret_sandbox);
	budget_bind(scene, ret_sandbox, "shared-budgets");
	CHECK_INT(enforce_slot_set_tenant(scene->enforce, ret_sandbox->slot, row), 0);
	kernel_scene_events(scene);
}

static uint64_t used(struct kernel_scene *scene, uint32_t row, enum abi_budget_counter counter)
{
	struct enforce_budgets budgets;

	CHECK_INT(enforce_tenant_budgets(scene->enforce, row, &budgets), 0);
	return budgets.used[counter];
}

TEST(sandboxes_of_one_tenant_share_and_others_are_not_touched)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox one, two, stranger, nobodys;
	uint32_t acme = take(scene, ACME, false), other = take(scene, OTHER, false);

	CHECK(acme != other);
	share(scene, acme, ABI_BUDGET_CONNECTIONS, 5, 0);
	share(scene, other, ABI_BUDGET_CONNECTIONS, 5, 0);
	make(scene, &one, acme);
	make(scene, &two, acme);
	make(scene, &stranger, other);
	make(scene, &nobodys, 0);
	CHECK_INT(budget_connects(scene, &one, 3), 3);
	CHECK_INT(budget_connects(scene, &two, 3), 2);
	CHECK_INT(budget_refusals(scene, ABI_OPERATION_CONNECT, SHARED(CONNECTIONS)), 1);
	CHECK_INT(budget_connects(scene, &one, 1), 0);
	CHECK_INT(used(scene, acme, ABI_BUDGET_CONNECTIONS), 5);
	CHECK_INT(budget_connects(scene, &stranger, 3), 3);
	CHECK_INT(used(scene, other, ABI_BUDGET_CONNECTIONS), 3);
	CHECK_INT(budget_connects(scene, &nobodys, 20), 20);
	budget_end(scene, &one);
	CHECK_INT(budget_connects(scene, &two, 1), 0);
	share(scene, acme, ABI_BUDGET_CONNECTIONS, 6, 0);
	CHECK_INT(budget_connects(scene, &two, 3), 1);
	budget_end(scene, &two);
	budget_end(scene, &stranger);
	budget_end(scene, &nobodys);
	enforce_tenant_release(scene->enforce, acme);
	enforce_tenant_release(scene->enforce, other);
}

TEST(both_budgets_must_have_room_and_pay_together)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox poor, rich;
	uint32_t acme = take(scene, ACME, false);

	share(scene, acme, ABI_BUDGET_CONNECTIONS, 4, 0);
	make(scene, &poor, acme);
	make(scene, &rich, acme);
	budget_limit(scene, &poor, ABI_BUDGET_CONNECTIONS, 1, 0);
	budget_limit(scene, &rich, ABI_BUDGET_CONNECTIONS, 10, 0);
	CHECK_INT(budget_connects(scene, &poor, 2), 1);
	CHECK_INT(budget_refusals(scene, ABI_OPERATION_CONNECT, OWN(CONNECTIONS)), 1);
	CHECK_INT(used(scene, acme, ABI_BUDGET_CONNECTIONS), 1);
	CHECK_INT(budget_connects(scene, &rich, 5), 3);
	CHECK_INT(budget_refusals(scene, ABI_OPERATION_CONNECT, SHARED(CONNECTIONS)), 1);
	CHECK_INT(budget_used(scene, &rich, ABI_BUDGET_CONNECTIONS), 3);
	CHECK_INT(budget_connects(scene, &poor, 1), 0);
	CHECK_INT(budget_refusals(
			  scene, ABI_OPERATION_CONNECT, OWN(CONNECTIONS) | SHARED(CONNECTIONS)),
		1);
	budget_end(scene, &poor);
	budget_end(scene, &rich);
	enforce_tenant_release(scene->enforce, acme);
}

TEST(sandboxes_race_for_the_last_ones)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandboxes[4];
	uint32_t acme = take(scene, ACME, false);
	int n = 50, pids[4], sum = 0;
	uint64_t own = 0;

	share(scene, acme, ABI_BUDGET_CONNECTIONS, 60, 0);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		make(scene, &sandboxes[i], acme);
		budget_limit(scene, &sandboxes[i], ABI_BUDGET_CONNECTIONS, 1000, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = kernel_sandbox_spawn(scene, &sandboxes[i], budget_act_connect, &n);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		sum += kernel_sandbox_wait(pids[i]);
	CHECK_INT(sum, 60);
	CHECK_INT(used(scene, acme, ABI_BUDGET_CONNECTIONS), 60);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		own += budget_used(scene, &sandboxes[i], ABI_BUDGET_CONNECTIONS);
		budget_end(scene, &sandboxes[i]);
	}
	CHECK_INT(own, 60); /* what the tenant refused was given back */
	enforce_tenant_release(scene->enforce, acme);
}

/* Asks so many times; how often it could. */
static int act_ask(struct kernel_scene *scene _unused_, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(NAME_SERVER, 53, &address);
	int n = *(const int *)argument, fd = socket(AF_INET, SOCK_DGRAM, 0), sent = 0;

	for (int i = 0; i < n; i++)
		sent += sendto(fd, "query", 5, 0, (struct sockaddr *)&address, size) == 5;
	return sent;
}

TEST(queries_and_their_refusal_are_the_tenants_too)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox one, two;
	uint32_t acme = take(scene, ACME, false);
	const int n = 3;

	share(scene, acme, ABI_BUDGET_DNS_QUERIES, 4, 0);
	make(scene, &one, acme);
	make(scene, &two, acme);
	CHECK_INT(kernel_sandbox_run(scene, &one, act_ask, &n), 3);
	CHECK_INT(kernel_sandbox_run(scene, &two, act_ask, &n), 1);
	CHECK_INT(budget_refusals(scene, ABI_OPERATION_SENDMSG, SHARED(DNS_QUERIES)), 2);
	CHECK_INT(budget_connects(scene, &two, 2), 2);
	budget_end(scene, &one);
	budget_end(scene, &two);
	enforce_tenant_release(scene->enforce, acme);
}

/* Writes until it cannot for half a second; how many KiB. */
static int act_write(struct kernel_scene *scene _unused_, const void *argument _unused_)
{
	struct timeval patience = {.tv_usec = 500000};
	int fd = budget_dial(BUDGET_ORIGIN, 443, SOCK_STREAM), kib = 0;
	char block[1024] = {0};

	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (kib < 64 && send(fd, block, sizeof(block), 0) == (ssize_t)sizeof(block))
		kib++;
	return kib;
}

TEST(bytes_of_all_connections_end_at_the_tenants_budget)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	uint32_t acme = take(scene, ACME, false);
	struct abi_counters counters;

	share(scene, acme, ABI_BUDGET_BYTES_OUT, 16384, 0);
	make(scene, &sandbox, acme);
	budget_limit(scene, &sandbox, ABI_BUDGET_BYTES_OUT, 1 << 30, 0);
	kernel_sandbox_run(scene, &sandbox, act_write, NULL);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK(counters.bytes_sent > 0 && counters.bytes_sent <= 16384);
	CHECK_INT(used(scene, acme, ABI_BUDGET_BYTES_OUT), 16384);
	CHECK_INT(budget_used(scene, &sandbox, ABI_BUDGET_BYTES_OUT), counters.bytes_sent);
	CHECK_INT(budget_refusals(scene, ABI_OPERATION_PACKET, SHARED(BYTES_OUT)), 1);
	CHECK_INT(budget_connects(scene, &sandbox, 1), 0);
	budget_end(scene, &sandbox);
	enforce_tenant_release(scene->enforce, acme);
}

TEST(a_window_begins_anew_for_all)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox one, two;
	uint32_t acme = take(scene, ACME, false);

	share(scene, acme, ABI_BUDGET_CONNECTIONS, 2, 1000000000);
	make(scene, &one, acme);
	make(scene, &two, acme);
	CHECK_INT(budget_connects(scene, &one, 3), 2);
	CHECK_INT(budget_connects(scene, &two, 1), 0);
	poll(NULL, 0, 1100);
	CHECK_INT(budget_connects(scene, &two, 3), 2);
	budget_end(scene, &one);
	budget_end(scene, &two);
	enforce_tenant_release(scene->enforce, acme);
}

static bool is_acme(uint32_t tenant, void *userdata)
{
	size_t *n_asked = userdata;

	(*n_asked)++;
	return tenant == ACME;
}

TEST(what_was_used_is_found_again_after_a_restart)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	uint32_t acme = take(scene, ACME, false), slot, row;
	struct enforce_budgets budgets;
	size_t n_asked = 0;

	take(scene, OTHER, false);
	share(scene, acme, ABI_BUDGET_CONNECTIONS, 3, 0);
	make(scene, &sandbox, acme);
	CHECK_INT(budget_connects(scene, &sandbox, 2), 2);
	CHECK(kernel_scene_reopen(scene));
	/* in force before anybody took it over */
	CHECK_INT(budget_connects(scene, &sandbox, 2), 1);
	enforce_tenant_sweep(scene->enforce, is_acme, &n_asked);
	CHECK_INT(n_asked, 2);
	row = take(scene, ACME, true);
	CHECK_INT(row, acme);
	CHECK_INT(used(scene, row, ABI_BUDGET_CONNECTIONS), 3);
	CHECK_INT(enforce_slot_adopt(scene->enforce, sandbox.cgroup_id, sandbox.id, &slot), 0);
	CHECK_INT(budget_connects(scene, &sandbox, 1), 0);
	sandbox.image = 0; /* its reference went with the process before */
	budget_end(scene, &sandbox);
	enforce_tenant_release(scene->enforce, row);
	CHECK_INT(enforce_tenant_budgets(scene->enforce, row, &budgets), -EINVAL);
	take(scene, OTHER, false); /* it was swept */
}

TEST(what_was_used_in_other_maps_is_told)
{
	struct kernel_scene *scene = kernel_scene();
	const uint64_t before[ABI_BUDGET_COUNTERS] = {[ABI_BUDGET_CONNECTIONS] = 2};
	struct kernel_sandbox sandbox;
	uint32_t acme = take(scene, ACME, false);

	share(scene, acme, ABI_BUDGET_CONNECTIONS, 3, 3600000000000);
	CHECK_INT(enforce_tenant_restore(scene->enforce, acme, before, 60000000000), 0);
	make(scene, &sandbox, acme);
	CHECK_INT(used(scene, acme, ABI_BUDGET_CONNECTIONS), 2);
	CHECK_INT(budget_connects(scene, &sandbox, 3), 1);
	/* of a window that is over meanwhile nothing counts */
	CHECK_INT(enforce_tenant_restore(scene->enforce, acme, before, 3601000000000), 0);
	CHECK_INT(budget_connects(scene, &sandbox, 4), 3);
	budget_end(scene, &sandbox);
	enforce_tenant_release(scene->enforce, acme);
}

TEST(a_row_is_its_tenants_alone)
{
	struct kernel_scene *scene = kernel_scene();
	const uint64_t none[ABI_BUDGET_COUNTERS] = {0};
	struct kernel_sandbox sandbox;
	struct enforce_budgets budgets;
	uint32_t row;
	bool found;

	CHECK_INT(enforce_tenant_take(scene->enforce, 0, &row, &found), -EINVAL);
	CHECK_INT(enforce_tenant_set_budgets(scene->enforce, 0, none, 0), -EINVAL);
	CHECK_INT(
		enforce_tenant_budgets(scene->enforce, ABI_TENANT_BUDGETS_MAX, &budgets), -EINVAL);
	make(scene, &sandbox, 0);
	CHECK_INT(enforce_slot_set_tenant(scene->enforce, sandbox.slot, 4000), -EINVAL);
	CHECK_INT(enforce_slot_set_tenant(scene->enforce, sandbox.slot, ABI_TENANT_BUDGETS_MAX),
		-EINVAL);
	budget_end(scene, &sandbox);
	CHECK_INT(enforce_slot_set_tenant(scene->enforce, sandbox.slot, 0), -EINVAL);
}
