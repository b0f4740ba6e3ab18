/* Tickets: a synthetic address opens one name's ports, in one sandbox, under one generation. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

static const struct policy_image no_rules;

static int open_tickets(struct kernel_scene *scene)
{
	DIR *directory = opendir(scene->pins);
	const struct dirent *entry;
	char path[512];
	int fd = -1;

	CHECK(directory);
	while ((entry = readdir(directory))) {
		if (strncmp(entry->d_name, "set-", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s/tickets", scene->pins, entry->d_name);
		fd = bpf_obj_get(path);
	}
	closedir(directory);
	CHECK(fd >= 0);
	return fd;
}

static size_t count_tickets(struct kernel_scene *scene)
{
	int fd = open_tickets(scene);
	struct abi_ticket_key key, *before = NULL;
	size_t n = 0;

	while (bpf_map_get_next_key(fd, before, &key) == 0) {
		before = &key;
		n++;
	}
	close(fd);
	return n;
}

static void rebind(struct kernel_scene *scene, struct kernel_sandbox *sandbox)
{
	kernel_sandbox_bind(scene, sandbox, "tickets", &no_rules, true);
}

/* A sandbox without any rule. */
static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	kernel_sandbox_make(scene, ret_sandbox);
	rebind(scene, ret_sandbox);
	kernel_scene_events(scene);
}

static int put(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	uint32_t generation, uint32_t index)
{
	const struct abi_ticket ticket = {
		.sandbox = sandbox->id, .n_ranges = 1, .ranges = {ROW_RANGE(443, 443, 5)}};

	return enforce_ticket_put(scene->enforce, sandbox->slot, generation, index, &ticket);
}

/* To index 3, the first of which is for IPv4. */
#define TICKET_INDEX 3
static const char *const addresses[] = {
	"198.18.1.3", "::ffff:198.18.1.3", "fd43:6c6f:6368:6500::1:3"};

static int act_connect(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 443, &address);
	int fd = socket(address.ss_family, SOCK_STREAM, 0);

	(void)scene;
	return connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

static void check_open(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct abi_address asked = row_address(addresses[i]);
		struct abi_flow flow;
		int fd;

		CHECK_INT(kernel_sandbox_run(scene, sandbox, act_connect, addresses[i]), 0);
		fd = kernel_scene_accept(scene, &flow);
		CHECK(fd >= 0);
		CHECK(memcmp(&flow.address, &asked, sizeof(asked)) == 0);
		CHECK_INT(flow.port, 443);
		CHECK_INT(flow.rule, 5);
		CHECK_INT(flow.sandbox, sandbox->id);
		CHECK(enforce_slot_would_allow(
			scene->enforce, sandbox->slot, IPPROTO_TCP, &asked, 443));
		CHECK(!enforce_slot_would_allow(
			scene->enforce, sandbox->slot, IPPROTO_TCP, &asked, 444));
		close(fd);
	}
}

static void check_closed(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct abi_address asked = row_address(addresses[i]);
		const struct abi_network_event *event;

		kernel_scene_events(scene);
		CHECK_INT(kernel_sandbox_run(scene, sandbox, act_connect, addresses[i]), EPERM);
		kernel_scene_events(scene);
		event = kernel_scene_network_event(scene);
		CHECK(event);
		CHECK_INT(event->header.sandbox, sandbox->id);
		CHECK_INT(event->verdict, ABI_VERDICT_DENY);
		CHECK_INT(event->reason, ABI_REASON_TICKET);
		CHECK_INT(event->rule, ABI_RULE_NONE);
		CHECK_INT(event->port, 443);
		CHECK(memcmp(&event->address, &asked, sizeof(asked)) == 0);
		CHECK(!enforce_slot_would_allow(
			scene->enforce, sandbox->slot, IPPROTO_TCP, &asked, 443));
	}
}

TEST(a_ticket_opens_nothing_in_another_sandbox)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox a, b;

	make(scene, &a);
	make(scene, &b);
	CHECK_INT(put(scene, &a, a.generation, TICKET_INDEX), 0);
	check_open(scene, &a);
	check_closed(scene, &b);
	CHECK_INT(put(scene, &b, b.generation, TICKET_INDEX), 0);
	check_open(scene, &b);
	kernel_sandbox_end(scene, &a);
	check_open(scene, &b);
	kernel_sandbox_end(scene, &b);
	CHECK_INT(count_tickets(scene), 0);
}

TEST(a_ticket_that_was_dropped_or_replaced_is_gone)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_ticket other;

	make(scene, &sandbox);
	other = (struct abi_ticket){
		.sandbox = sandbox.id, .n_ranges = 1, .ranges = {ROW_RANGE(80, 80, 5)}};
	check_closed(scene, &sandbox);
	CHECK_INT(put(scene, &sandbox, sandbox.generation, TICKET_INDEX), 0);
	check_open(scene, &sandbox);
	enforce_ticket_drop(scene->enforce, sandbox.slot, sandbox.generation, TICKET_INDEX);
	check_closed(scene, &sandbox);
	CHECK_INT(count_tickets(scene), 0);
	CHECK_INT(put(scene, &sandbox, sandbox.generation, TICKET_INDEX), 0);
	check_open(scene, &sandbox);
	CHECK_INT(enforce_ticket_put(
			  scene->enforce, sandbox.slot, sandbox.generation, TICKET_INDEX, &other),
		0);
	check_closed(scene, &sandbox);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_swap_makes_tickets_stale_at_once)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	for (int i = 0; i < 5; i++) {
		CHECK_INT(put(scene, &sandbox, sandbox.generation, TICKET_INDEX), 0);
		check_open(scene, &sandbox);
		rebind(scene, &sandbox);
		check_closed(scene, &sandbox);
		/* No more than this generation and the one before, however many there were. */
		CHECK(count_tickets(scene) <= 2);
	}
	kernel_sandbox_end(scene, &sandbox);
	CHECK_INT(count_tickets(scene), 0);
}

TEST(tickets_of_the_next_generation_are_in_force_with_the_swap)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	uint32_t next;

	make(scene, &sandbox);
	for (int i = 0; i < 5; i++) {
		CHECK_INT(enforce_slot_next_generation(scene->enforce, sandbox.slot, &next), 0);
		CHECK_INT(next, sandbox.generation + 1);
		CHECK_INT(put(scene, &sandbox, next, TICKET_INDEX), 0);
		if (i == 0)
			check_closed(scene, &sandbox);
		else
			check_open(scene, &sandbox);
		rebind(scene, &sandbox);
		CHECK_INT(sandbox.generation, next);
		check_open(scene, &sandbox);
		CHECK(count_tickets(scene) <= 4);
	}
	kernel_sandbox_end(scene, &sandbox);
}

/* A swap that was given up must not open, later, what its policy allowed. */
TEST(a_swap_that_was_given_up_leaves_no_ticket)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	uint32_t next;

	make(scene, &sandbox);
	CHECK_INT(put(scene, &sandbox, sandbox.generation, TICKET_INDEX), 0);
	CHECK_INT(enforce_slot_next_generation(scene->enforce, sandbox.slot, &next), 0);
	CHECK_INT(put(scene, &sandbox, next, TICKET_INDEX), 0);
	CHECK_INT(enforce_slot_next_generation(scene->enforce, sandbox.slot, &next), 0);
	CHECK_INT(count_tickets(scene), 2);
	check_open(scene, &sandbox);
	rebind(scene, &sandbox);
	check_closed(scene, &sandbox);
	kernel_sandbox_end(scene, &sandbox);
}

/* As if the last owner's rows had stayed: the same slot, the same generation. */
TEST(a_row_of_another_sandbox_in_the_same_slot_opens_nothing)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	int fd = open_tickets(scene);

	make(scene, &sandbox);
	for (int own = 0; own < 2; own++) {
		for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
			struct abi_ticket_key key = {
				row_address(addresses[i]), sandbox.slot, sandbox.generation};
			struct abi_ticket ticket = {.sandbox = own ? sandbox.id : sandbox.id + 1,
				.n_ranges = 1,
				.ranges = {ROW_RANGE(443, 443, 5)}};

			CHECK_INT(bpf_map_update_elem(fd, &key, &ticket, BPF_ANY), 0);
		}
		if (own)
			check_open(scene, &sandbox);
		else
			check_closed(scene, &sandbox);
	}
	close(fd);
	/* Rows that it did not write itself are found by a successor. */
	CHECK(kernel_scene_reopen(scene));
	enforce_slot_sweep(scene->enforce);
	CHECK_INT(count_tickets(scene), 0);
	sandbox.slot = UINT32_MAX;
	kernel_sandbox_end(scene, &sandbox);
}

TEST(takes_only_tickets_that_somebody_can_use)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox, fresh;
	struct abi_ticket ticket;
	uint32_t next;

	make(scene, &sandbox);
	ticket = (struct abi_ticket){.sandbox = sandbox.id, .n_ranges = ABI_TICKET_RANGES_MAX};
	rebind(scene, &sandbox);
	CHECK_INT(put(scene, &sandbox, sandbox.generation - 1, 0), -EINVAL);
	CHECK_INT(put(scene, &sandbox, sandbox.generation + 2, 0), -EINVAL);
	CHECK_INT(put(scene, &sandbox, sandbox.generation, ABI_TICKETS_PER_SANDBOX_MAX), -EINVAL);
	CHECK_INT(put(scene, &sandbox, sandbox.generation, ABI_TICKETS_PER_SANDBOX_MAX - 1), 0);
	CHECK_INT(enforce_ticket_put(scene->enforce, sandbox.slot, sandbox.generation, 0, &ticket),
		0);
	ticket.n_ranges++;
	CHECK_INT(enforce_ticket_put(scene->enforce, sandbox.slot, sandbox.generation, 0, &ticket),
		-EINVAL);
	ticket.n_ranges = 0;
	ticket.sandbox++;
	CHECK_INT(enforce_ticket_put(scene->enforce, sandbox.slot, sandbox.generation, 0, &ticket),
		-EINVAL);
	/* Never bound: there is no generation 0 to put anything under. */
	kernel_sandbox_make(scene, &fresh);
	CHECK_INT(put(scene, &fresh, 0, 0), -EINVAL);
	CHECK_INT(put(scene, &fresh, 1, 0), 0);
	kernel_sandbox_end(scene, &fresh);
	CHECK_INT(put(scene, &fresh, 1, 0), -EINVAL);
	CHECK_INT(enforce_slot_next_generation(scene->enforce, fresh.slot, &next), -EINVAL);
	kernel_sandbox_end(scene, &sandbox);
	CHECK_INT(count_tickets(scene), 0);
}

/* ---- connections that are open when the policy changes */

struct talk {
	int told[2];
};

/* Connects, then sends a byte for each byte that it is told to by the pipe. */
static int act_talk(struct kernel_scene *scene, const void *argument)
{
	const struct talk *talk = argument;
	struct sockaddr_storage address;
	socklen_t size = kernel_address(addresses[0], 443, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	(void)scene;
	if (connect(fd, (struct sockaddr *)&address, size) < 0)
		return errno;
	close(talk->told[1]);
	while (read(talk->told[0], &byte, 1) == 1)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			return errno;
	return 0;
}

static bool arrives(int fd, int timeout_ms)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&waiting, 1, timeout_ms) == 1 && read(fd, &byte, 1) == 1;
}

TEST(a_swap_stops_connections_whose_ticket_did_not_come_along)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_network_event *event;
	struct kernel_sandbox sandbox;
	struct abi_flow flow;
	struct talk talk;
	uint32_t next;
	int fd, pid;

	make(scene, &sandbox);
	CHECK_INT(put(scene, &sandbox, sandbox.generation, TICKET_INDEX), 0);
	CHECK_INT(pipe(talk.told), 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_talk, &talk);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK(write(talk.told[1], "1", 1) == 1 && arrives(fd, 2000));
	/* It came along, and there is a resolver now. */
	kernel_sandbox_give_resolver(scene, &sandbox);
	CHECK_INT(enforce_slot_next_generation(scene->enforce, sandbox.slot, &next), 0);
	CHECK_INT(put(scene, &sandbox, next, TICKET_INDEX), 0);
	rebind(scene, &sandbox);
	CHECK(write(talk.told[1], "2", 1) == 1 && arrives(fd, 2000));
	kernel_scene_events(scene);
	rebind(scene, &sandbox);
	CHECK(write(talk.told[1], "3", 1) == 1 && !arrives(fd, 700));
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->operation, ABI_OPERATION_PACKET);
	CHECK_INT(event->verdict, ABI_VERDICT_DENY);
	CHECK_INT(event->reason, ABI_REASON_TICKET);
	CHECK_INT(event->port, 443);
	close(talk.told[0]);
	close(talk.told[1]);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(fd);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- a supervisor that dies and comes back */

TEST(tickets_outlive_the_supervisor_and_go_with_their_slot)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox kept, lost;
	uint32_t slot, next;

	make(scene, &kept);
	make(scene, &lost);
	CHECK_INT(put(scene, &kept, kept.generation, TICKET_INDEX), 0);
	CHECK_INT(put(scene, &lost, lost.generation, TICKET_INDEX), 0);
	/* It dies in the middle of a swap. */
	CHECK_INT(enforce_slot_next_generation(scene->enforce, kept.slot, &next), 0);
	CHECK_INT(put(scene, &kept, next, 900), 0);
	CHECK_INT(count_tickets(scene), 6);
	CHECK(kernel_scene_reopen(scene));
	CHECK_INT(count_tickets(scene), 4);
	CHECK_INT(enforce_slot_adopt(scene->enforce, kept.cgroup_id, kept.id, &slot), 0);
	CHECK_INT(enforce_slot_sweep(scene->enforce), 1);
	CHECK_INT(count_tickets(scene), 2);
	check_open(scene, &kept);
	lost.slot = UINT32_MAX;
	kept.image = lost.image = 0;
	kernel_sandbox_end(scene, &kept);
	CHECK_INT(count_tickets(scene), 0);
	kernel_sandbox_end(scene, &lost);
}
