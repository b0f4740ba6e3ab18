/* Datagrams by rule: each goes to the gate at an address that stands for where it was to go, and
 * its answer bears that. Here the test is the gate. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

struct step {
	const char *address; /* NULL ends */
	uint16_t port;
	bool connects; /* else each datagram names it */
};

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct policy_image image;

	row_image(ROW_IMAGE_U, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "datagrams", &image, true);
	kernel_sandbox_give_datagrams(scene, ret_sandbox);
	kernel_scene_events(scene);
	kernel_scene_drain(scene);
}

static void swap_to(struct kernel_scene *scene, struct kernel_sandbox *sandbox,
	enum row_image which, const char *name)
{
	struct policy_image image;

	row_image(which, &image);
	kernel_sandbox_bind(scene, sandbox, name, &image, true);
}

static void count(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	struct abi_counters *ret_counters)
{
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox->slot, ret_counters), 0);
}

/* Bound, so that what is written to it has an end to tell the test by. */
static int open_socket(const struct step *step, struct sockaddr_storage *ret_address)
{
	struct timeval patience = {.tv_sec = 2};
	int fd;

	kernel_address(step->address, step->port, ret_address);
	fd = socket(ret_address->ss_family, SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static bool is_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return a->ss_family == AF_INET
		       ? memcmp(a, b, 8) == 0
		       : memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
				 &((const struct sockaddr_in6 *)b)->sin6_addr, 16) == 0 &&
				 ((const struct sockaddr_in6 *)a)->sin6_port ==
					 ((const struct sockaddr_in6 *)b)->sin6_port;
}

static int hear(int fd, const struct sockaddr_storage *wanted)
{
	struct sockaddr_storage source = {0};
	socklen_t size = sizeof(source);
	char bytes[16];

	if (recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&source, &size) != 6)
		return 201;
	return is_same(&source, wanted) ? 0 : 202;
}

/* 0; errno; 200 and more: what is wrong with what it saw. */
static int act_ask(struct kernel_scene *scene _unused_, const void *argument)
{
	const struct step *step = argument;
	struct sockaddr_storage address, peer = {0};
	socklen_t size = sizeof(struct sockaddr_in6), peer_size = sizeof(peer);
	int fd = open_socket(step, &address);

	if (address.ss_family == AF_INET)
		size = sizeof(struct sockaddr_in);
	if (step->connects) {
		if (connect(fd, (struct sockaddr *)&address, size) < 0)
			return errno;
		if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0 ||
			!is_same(&peer, &address))
			return 200;
		return send(fd, "hello", 5, 0) == 5 ? hear(fd, &address) : errno;
	}
	if (sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, size) < 0)
		return errno;
	return hear(fd, &address);
}

/* Answers what a sandbox asks; checks that it was meant for `step`. */
static int ask(struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	const struct step *step, struct kernel_datagram *ret_datagram)
{
	struct abi_address asked = row_address(step->address);
	int pid = kernel_sandbox_spawn(scene, sandbox, act_ask, step);

	kernel_scene_datagram(scene, sandbox, ret_datagram);
	if (ret_datagram->size >= 0) {
		CHECK_INT(ret_datagram->size, 5);
		CHECK(memcmp(&ret_datagram->row.address, &asked, sizeof(asked)) == 0);
		CHECK_INT(ret_datagram->row.port, step->port);
		CHECK_INT(kernel_scene_reply(scene, ret_datagram, "answer"), 6);
	}
	return kernel_sandbox_wait(pid);
}

static const struct step steps[] = {
	{"203.0.113.7", 123, false},
	{"203.0.113.7", 123, true},
	{"::ffff:203.0.113.7", 123, false},
	{"::ffff:203.0.113.7", 123, true},
	{"2001:db8:1::9", 443, false},
	{"2001:db8:1::9", 443, true},
	{"198.51.100.7", 9000, false},
	{"198.51.100.7", 9000, true},
};

#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

TEST(an_answer_bears_the_address_that_was_asked)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_datagram datagram;
	struct kernel_sandbox sandbox;
	struct abi_counters counters;

	for (size_t i = 0; i < N_STEPS; i++) {
		uint64_t size = strncmp(steps[i].address, "2001", 4) == 0 ? 48 : 28;

		make(scene, &sandbox);
		CHECK_INT(ask(scene, &sandbox, &steps[i], &datagram), 0);
		count(scene, &sandbox, &counters);
		CHECK_INT(counters.bytes_sent, size + 5);
		CHECK_INT(counters.bytes_received, size + 6);
		CHECK_INT(counters.packets_sent, 1);
		CHECK_INT(counters.packets_received, 1);
		CHECK_INT(counters.connections_allowed, 1);
		CHECK_INT(counters.connections_denied, 0);
		kernel_sandbox_end(scene, &sandbox);
	}
}

TEST(a_destination_has_one_row_and_each_its_own)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_datagram first, again, other;
	struct kernel_sandbox sandbox;
	const struct step step = {"203.0.113.7", 123, false},
			  mapped = {"::ffff:203.0.113.7", 123, true},
			  port = {"203.0.113.7", 8000, false};

	make(scene, &sandbox);
	CHECK_INT(ask(scene, &sandbox, &step, &first), 0);
	CHECK_INT(ask(scene, &sandbox, &mapped, &again), 0);
	CHECK_INT(again.index, first.index);
	CHECK_INT(ask(scene, &sandbox, &port, &other), 0);
	CHECK(other.index != first.index);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(rows_of_one_sandbox_are_not_anothers)
{
	struct kernel_scene *scene = kernel_scene();
	const struct step one_step = {"203.0.113.7", 123, false},
			  step = {"203.0.113.8", 8000, false};
	struct kernel_sandbox one, other;
	struct kernel_datagram datagram;

	make(scene, &one);
	make(scene, &other);
	CHECK_INT(ask(scene, &one, &one_step, &datagram), 0);
	CHECK_INT(ask(scene, &other, &step, &datagram), 0);
	kernel_sandbox_end(scene, &one);
	kernel_sandbox_end(scene, &other);
}

/* Sends to so many ports of one host, `*n` times; the errno of the first that failed is in the
 * report. Returns 0. */
static int act_spray(struct kernel_scene *scene, const void *argument)
{
	const int *n = argument;
	int *report = scene->report, fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_storage address;

	report[0] = report[1] = 0;
	for (int i = 0; i < *n; i++) {
		socklen_t size = kernel_address("198.17.0.1", (uint16_t)(1000 + i), &address);

		if (sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, size) == 5)
			report[0]++;
		else
			report[1] = errno;
	}
	return 0;
}

TEST(destinations_in_use_at_once_are_bounded_and_others_are_not_touched)
{
	struct kernel_scene *scene = kernel_scene();
	const int n = ABI_DATAGRAMS_PER_SANDBOX_MAX + 10, *report = scene->report;
	const struct step step = {"203.0.113.7", 123, false};
	struct kernel_sandbox sandbox, other;
	struct kernel_datagram datagram;
	struct abi_counters counters;
	size_t n_denied = 0;

	make(scene, &sandbox);
	make(scene, &other);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_spray, &n), 0);
	CHECK_INT(report[0], ABI_DATAGRAMS_PER_SANDBOX_MAX);
	CHECK_INT(report[1], EPERM);
	count(scene, &sandbox, &counters);
	CHECK_INT(counters.connections_allowed, ABI_DATAGRAMS_PER_SANDBOX_MAX);
	CHECK_INT(counters.connections_denied, 10);
	for (size_t i = 0, n_events = kernel_scene_events(scene); i < n_events; i++) {
		const struct abi_network_event *event = &scene->events[i].network;

		if (event->header.type != ABI_EVENT_NETWORK || event->verdict != ABI_VERDICT_DENY)
			continue;
		CHECK_INT(event->reason, ABI_REASON_DESTINATIONS);
		CHECK_INT(event->rule, 4);
		n_denied++;
	}
	CHECK_INT(n_denied, 10);
	kernel_scene_drain(scene);
	CHECK_INT(ask(scene, &other, &step, &datagram), 0);
	kernel_sandbox_end(scene, &sandbox);
	kernel_sandbox_end(scene, &other);
}

TEST(rows_go_with_their_sandbox)
{
	struct kernel_scene *scene = kernel_scene();
	const int n = ABI_DATAGRAMS_PER_SANDBOX_MAX, *report = scene->report;
	struct kernel_sandbox sandbox;

	/* More often than the map has room for, were they kept. */
	for (uint32_t i = 0; i < 3; i++) {
		make(scene, &sandbox);
		CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_spray, &n), 0);
		CHECK_INT(report[0], n);
		kernel_sandbox_end(scene, &sandbox);
		CHECK_INT(kernel_scene_count_rows(scene), 0);
	}
}

/* Makes row `index` look as if nothing had passed there for long. */
static void age_row(
	struct kernel_scene *scene, const struct kernel_sandbox *sandbox, uint32_t index)
{
	const struct abi_datagram_key key = {sandbox->id, index, 0};
	struct abi_datagram row;
	struct timespec now;
	int fd = kernel_scene_open_rows(scene);

	clock_gettime(CLOCK_BOOTTIME, &now);
	CHECK_INT(bpf_map_lookup_elem_flags(fd, &key, &row, BPF_F_LOCK), 0);
	row.used_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec -
		      ABI_DATAGRAM_IDLE_NS - 1000000000;
	CHECK_INT(bpf_map_update_elem(fd, &key, &row, BPF_F_LOCK), 0);
	close(fd);
}

struct hold {
	int ready[2], go[2];
};

/* Connects and sends; then, told each time, sends again thrice. */
static int act_hold(struct kernel_scene *scene, const void *argument)
{
	const struct step step = {"203.0.113.7", 123, true};
	const struct hold *hold = argument;
	struct sockaddr_storage address;
	int *report = (int *)scene->report + 8, fd = open_socket(&step, &address);
	char byte = 0;

	if (connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)) < 0)
		return errno;
	for (int i = 0; i < 2; i++) {
		report[i] = send(fd, "held", 4, 0) < 0 ? errno : 0;
		if (write(hold->ready[1], &byte, 1) != 1 || read(hold->go[0], &byte, 1) != 1)
			return 200;
	}
	return 0;
}

static void next_of(const struct hold *hold)
{
	char byte = 0;

	CHECK_INT(write(hold->go[1], &byte, 1), 1);
	CHECK_INT(read(hold->ready[0], &byte, 1), 1);
}

TEST(a_row_that_was_idle_is_given_away_and_no_datagram_goes_astray)
{
	struct kernel_scene *scene = kernel_scene();
	const int n = ABI_DATAGRAMS_PER_SANDBOX_MAX, *report = scene->report;
	struct kernel_datagram datagram;
	struct kernel_sandbox sandbox;
	struct hold hold;
	char byte;
	int pid;

	make(scene, &sandbox);
	CHECK_INT(pipe(hold.ready), 0);
	CHECK_INT(pipe(hold.go), 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_hold, &hold);
	CHECK_INT(read(hold.ready[0], &byte, 1), 1);
	kernel_scene_datagram(scene, &sandbox, &datagram);
	CHECK_INT(datagram.index, 0);
	/* All others in use, so the last of these finds no room; then row 0 is idle. */
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_spray, &n), 0);
	CHECK_INT(report[0], n - 1);
	age_row(scene, &sandbox, 0);
	kernel_scene_drain(scene);
	/* In a row of 8 tries each, row 0 comes up at the latest after 64 sends. */
	for (int i = 0; i < 64 && report[0] < n; i++)
		CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_spray, &n), 0);
	CHECK_INT(report[0], n);
	kernel_scene_drain(scene);
	next_of(&hold);
	CHECK_INT(report[9], EPERM);
	CHECK_INT(poll(&(struct pollfd){.fd = scene->datagram_fd, .events = POLLIN}, 1, 0), 0);
	CHECK_INT(write(hold.go[1], &byte, 1), 1);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	for (int i = 0; i < 2; i++) {
		close(hold.ready[i]);
		close(hold.go[i]);
	}
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- another policy */

struct talk {
	int ready[2], go[2];
	bool connects;
};

/* Sends, waits for the swap, sends thrice. Says in the report how each ended. */
static int act_talk(struct kernel_scene *scene, const void *argument)
{
	const struct talk *talk = argument;
	const struct step step = {"203.0.113.7", 123, talk->connects};
	int *report = scene->report, fd;
	struct sockaddr_storage address;
	char byte = 0;

	fd = open_socket(&step, &address);
	if (talk->connects &&
		connect(fd, (struct sockaddr *)&address, sizeof(struct sockaddr_in)) < 0)
		return errno;
	for (int i = 0; i < 4; i++) {
		ssize_t sent = talk->connects
				       ? send(fd, "hello", 5, 0)
				       : sendto(fd, "hello", 5, 0, (struct sockaddr *)&address,
						 sizeof(struct sockaddr_in));

		report[i] = sent < 0 ? errno : 0;
		if (i == 0 &&
			(write(talk->ready[1], &byte, 1) != 1 || read(talk->go[0], &byte, 1) != 1))
			return 200;
	}
	return 0;
}

static void run_swap(struct kernel_scene *scene, struct kernel_sandbox *sandbox, bool connects,
	enum row_image then)
{
	struct talk talk = {.connects = connects};
	char byte = 0;
	int pid;

	CHECK_INT(pipe(talk.ready), 0);
	CHECK_INT(pipe(talk.go), 0);
	pid = kernel_sandbox_spawn(scene, sandbox, act_talk, &talk);
	CHECK_INT(read(talk.ready[0], &byte, 1), 1);
	kernel_scene_events(scene);
	swap_to(scene, sandbox, then, then == ROW_IMAGE_U ? "datagrams" : "no-datagrams");
	CHECK_INT(write(talk.go[1], &byte, 1), 1);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	for (int i = 0; i < 2; i++) {
		close(talk.ready[i]);
		close(talk.go[i]);
	}
}

TEST(a_swap_refuses_what_a_connected_socket_sends_and_tells_it_once)
{
	struct kernel_scene *scene = kernel_scene();
	const int *report = scene->report;
	const struct abi_network_event *event;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	run_swap(scene, &sandbox, true, ROW_IMAGE_B);
	CHECK_INT(report[0], 0);
	for (int i = 1; i < 4; i++)
		CHECK_INT(report[i], EPERM);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->operation, ABI_OPERATION_PACKET);
	CHECK_INT(event->verdict, ABI_VERDICT_DENY);
	CHECK_INT(event->reason, ABI_REASON_DEFAULT);
	CHECK_INT(event->protocol, IPPROTO_UDP);
	CHECK_INT(event->socket_type, SOCK_DGRAM);
	CHECK_INT(event->port, 123);
	CHECK_INT(event->header.policy, ABI_SLOT_POLICY(sandbox.generation, sandbox.image));
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_swap_refuses_each_datagram_that_names_its_destination)
{
	struct kernel_scene *scene = kernel_scene();
	const int *report = scene->report;
	struct kernel_sandbox sandbox;
	struct abi_counters counters;

	make(scene, &sandbox);
	run_swap(scene, &sandbox, false, ROW_IMAGE_B);
	CHECK_INT(report[0], 0);
	for (int i = 1; i < 4; i++)
		CHECK_INT(report[i], EPERM);
	count(scene, &sandbox, &counters);
	CHECK_INT(counters.connections_denied, 3);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_swap_that_allows_it_still_changes_nothing)
{
	struct kernel_scene *scene = kernel_scene();
	const int *report = scene->report;
	struct kernel_sandbox sandbox;

	for (int connects = 0; connects < 2; connects++) {
		make(scene, &sandbox);
		run_swap(scene, &sandbox, connects, ROW_IMAGE_U);
		for (int i = 0; i < 4; i++)
			CHECK_INT(report[i], 0);
		kernel_scene_events(scene);
		CHECK(!kernel_scene_network_event(scene));
		kernel_sandbox_end(scene, &sandbox);
	}
}

TEST(an_answer_that_a_swap_forbids_is_not_heard)
{
	struct kernel_scene *scene = kernel_scene();
	const struct step step = {"203.0.113.7", 123, true};
	struct kernel_datagram datagram;
	struct kernel_sandbox sandbox;
	int pid;

	make(scene, &sandbox);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_ask, &step);
	kernel_scene_datagram(scene, &sandbox, &datagram);
	CHECK_INT(datagram.size, 5);
	swap_to(scene, &sandbox, ROW_IMAGE_B, "no-datagrams");
	kernel_scene_reply(scene, &datagram, "answer");
	CHECK_INT(kernel_sandbox_wait(pid), 201);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- what a program could try */

/* Sends to the relay's own socket by what the kernel lets programs say besides the address. */
static int act_route_around(struct kernel_scene *scene, const void *argument _unused_)
{
	/* IP_OPTIONS: loose source route by 127.64.0.5 (RFC 791). */
	static const uint8_t route[] = {131, 7, 4, 127, 64, 0, 5, 1};
	struct sockaddr_storage address;
	socklen_t size = kernel_address("127.0.0.1", 9, &address);
	int *report = scene->report, fd = socket(AF_INET, SOCK_DGRAM, 0);

	((struct sockaddr_in *)&address)->sin_port = htons(scene->datagram_port);
	setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof(route));
	report[0] = sendto(fd, "x", 1, 0, (struct sockaddr *)&address, size) < 0 ? errno : 0;
	size = kernel_address("203.0.113.7", 123, &address);
	report[1] = sendto(fd, "x", 1, 0, (struct sockaddr *)&address, size) < 0 ? errno : 0;
	return 0;
}

TEST(a_source_route_leads_to_no_row_that_was_not_allowed)
{
	struct kernel_scene *scene = kernel_scene();
	const int *report = scene->report;
	struct pollfd waiting = {.fd = scene->datagram_fd, .events = POLLIN};
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_route_around, NULL), 0);
	CHECK_INT(report[0], EPERM);
	CHECK_INT(report[1], EPERM);
	CHECK_INT(poll(&waiting, 1, 0), 0);
	kernel_sandbox_end(scene, &sandbox);
}
