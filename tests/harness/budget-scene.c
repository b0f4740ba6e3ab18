#include "tests/harness/budget-scene.h"

#include <errno.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"
#include "tests/table/rows.h"

void budget_bind(struct kernel_scene *scene, struct kernel_sandbox *sandbox, const char *name)
{
	struct policy_image image;

	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_bind(scene, sandbox, name, &image, true);
	kernel_sandbox_give_resolver(scene, sandbox);
}

void budget_limit(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	enum abi_budget_counter counter, uint64_t most, uint64_t window_ns)
{
	uint64_t limits[ABI_BUDGET_COUNTERS] = {0};

	limits[counter] = most;
	CHECK_INT(enforce_slot_set_budgets(scene->enforce, sandbox->slot, limits, window_ns), 0);
}

uint64_t budget_used(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	enum abi_budget_counter counter)
{
	struct enforce_budgets budgets;

	CHECK_INT(enforce_slot_budgets(scene->enforce, sandbox->slot, &budgets), 0);
	return budgets.used[counter];
}

void budget_end(struct kernel_scene *scene, struct kernel_sandbox *sandbox)
{
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, sandbox);
}

int budget_dial(const char *text, uint16_t port, int type)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(text, port, &address);
	int fd = socket(address.ss_family, type, 0);

	return connect(fd, (struct sockaddr *)&address, size) == 0 ? fd : -errno;
}

int budget_act_connect(struct kernel_scene *scene _unused_, const void *argument)
{
	int n = *(const int *)argument;

	for (int i = 0; i < n; i++) {
		int fd = budget_dial(BUDGET_ORIGIN, 443, SOCK_STREAM);

		if (fd < 0)
			return fd == -EPERM ? i : 100;
		close(fd);
	}
	return n;
}

int budget_connects(struct kernel_scene *scene, const struct kernel_sandbox *sandbox, int n)
{
	return kernel_sandbox_run(scene, sandbox, budget_act_connect, &n);
}

size_t budget_refusals(struct kernel_scene *scene, uint8_t operation, uint8_t spent)
{
	size_t n = 0;

	kernel_scene_events(scene);
	for (size_t i = 0; i < scene->n_events; i++) {
		const struct abi_network_event *event = &scene->events[i].network;

		if (event->header.type != ABI_EVENT_NETWORK || event->reason != ABI_REASON_BUDGET)
			continue;
		CHECK_INT(event->verdict, ABI_VERDICT_DENY);
		CHECK_INT(event->operation, operation);
		CHECK_INT(event->spent, spent);
		n++;
	}
	return n;
}
