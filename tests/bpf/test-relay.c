/* What is allowed goes to the gate: what the program sees, what the gate learns, what is counted,
 * and what a change of policy does to it. */
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

#define NO_CGROUP (1ULL << 40) /* ids from here on are no directory's */

static void bind_image(
	struct kernel_scene *scene, struct kernel_sandbox *sandbox, enum row_image which)
{
	static const char *const names[] = {"relay-none", "relay-a", "relay-b"};
	struct policy_image image;

	row_image(which, &image);
	kernel_sandbox_bind(scene, sandbox, names[which], &image, true);
}

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	kernel_sandbox_make(scene, ret_sandbox);
	bind_image(scene, ret_sandbox, ROW_IMAGE_A);
	kernel_scene_events(scene);
}

static int dial(const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(text, port, &address);
	int fd = socket(address.ss_family, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&address, size) == 0)
		return fd;
	return -errno;
}

static int act_connect(struct kernel_scene *scene, const void *argument)
{
	int fd = dial(argument, 443);

	(void)scene;
	return fd < 0 ? -fd : 0;
}

/* ---- what the program sees */

struct seen {
	struct sockaddr_storage peer, local;
};

static int act_look_at_names(struct kernel_scene *scene, const void *argument)
{
	struct seen *seen = scene->report;
	socklen_t size = sizeof(seen->peer);
	int fd = dial(argument, 443);

	if (fd < 0)
		return -fd;
	if (getpeername(fd, (struct sockaddr *)&seen->peer, &size) < 0)
		return errno;
	size = sizeof(seen->local);
	return getsockname(fd, (struct sockaddr *)&seen->local, &size) < 0 ? errno : 0;
}

TEST(getpeername_shows_what_was_asked_for)
{
	static const char *const addresses[] = {
		"203.0.113.7", "2001:db8:1::9", "::ffff:203.0.113.7"};
	struct kernel_scene *scene = kernel_scene();
	const struct seen *seen = scene->report;
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	for (size_t i = 0; i < 3; i++) {
		struct sockaddr_storage asked;
		socklen_t size = kernel_address(addresses[i], 443, &asked);

		CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_look_at_names, addresses[i]), 0);
		CHECK(memcmp(&seen->peer, &asked, size) == 0);
		CHECK_INT(seen->local.ss_family, asked.ss_family);
		kernel_scene_drain(scene);
	}
	kernel_sandbox_end(scene, &sandbox);
}

static int act_serve_after_relay(struct kernel_scene *scene, const void *argument)
{
	struct seen *seen = scene->report;
	struct sockaddr_in any = {.sin_family = AF_INET}, gone = {.sin_family = AF_UNSPEC};
	socklen_t size = sizeof(any);
	int client = socket(AF_INET, SOCK_STREAM, 0), fd = dial(argument, 443), child;

	if (fd < 0 || connect(fd, (struct sockaddr *)&gone, sizeof(gone)) < 0)
		return 200;
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 5) < 0)
		return 201;
	getsockname(fd, (struct sockaddr *)&any, &size);
	if (connect(client, (struct sockaddr *)&any, sizeof(any)) < 0)
		return 202;
	child = accept(fd, NULL, NULL);
	size = sizeof(seen->peer);
	getpeername(child, (struct sockaddr *)&seen->peer, &size);
	getsockname(client, (struct sockaddr *)&seen->local, &size);
	return write(client, "x", 1) == 1 && read(child, &any, 1) == 1 ? 0 : 203;
}

TEST(a_socket_that_was_relayed_may_listen_and_its_children_are_not_relayed)
{
	struct kernel_scene *scene = kernel_scene();
	const struct seen *seen = scene->report;
	struct kernel_sandbox sandbox;
	struct abi_counters before, after;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &before), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_serve_after_relay, "203.0.113.7"), 0);
	CHECK(memcmp(&seen->peer, &seen->local, sizeof(struct sockaddr_in)) == 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &after), 0);
	CHECK_INT(after.connections_allowed, before.connections_allowed + 1);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- what the gate learns */

static int act_send_and_go(struct kernel_scene *scene, const void *argument)
{
	int fd = dial(argument, 443);

	(void)scene;
	return fd >= 0 && write(fd, "bye", 3) == 3 ? 0 : 200;
}

TEST(a_client_that_is_gone_before_the_gate_accepts_is_known)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_flow flow;
	char bytes[4] = "";
	int fd;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_send_and_go, "203.0.113.7"), 0);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK_INT(flow.sandbox, sandbox.id);
	CHECK_INT(read(fd, bytes, sizeof(bytes)), 3);
	CHECK_TEXT(bytes, "bye");
	CHECK_INT(read(fd, bytes, sizeof(bytes)), 0);
	close(fd);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_deferred_fast_open(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 443, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	(void)scene;
	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) < 0)
		return errno;
	if (connect(fd, (struct sockaddr *)&address, size) < 0)
		return errno;
	return write(fd, "fast", 4) == 4 ? 0 : errno;
}

TEST(a_connect_that_waits_for_the_first_write_is_published_too)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_flow flow;
	char bytes[4];
	int fd;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_deferred_fast_open, "203.0.113.7"), 0);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK_INT(flow.port, 443);
	CHECK_INT(read(fd, bytes, sizeof(bytes)), 4);
	close(fd);
	CHECK_INT(
		kernel_sandbox_run(scene, &sandbox, act_deferred_fast_open, "203.0.113.8"), EPERM);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_bound_connect(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage local, address;
	socklen_t size = kernel_address("127.0.0.77", 0, &local);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)scene;
	if (bind(fd, (struct sockaddr *)&local, size) < 0)
		return errno;
	size = kernel_address(argument, 443, &address);
	return connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

TEST(a_client_with_another_loopback_address_is_known_by_it)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_flow flow;
	int fd;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_bound_connect, "203.0.113.7"), 0);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK_INT(flow.sandbox, sandbox.id);
	close(fd);
	kernel_sandbox_end(scene, &sandbox);
}

/* As the gate does it: no privileges, only the descriptor; and it cannot write. */
TEST(an_unprivileged_process_may_read_flows_and_not_write_them)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_flow_key key;
	struct abi_flow flow;
	int flows_fd, status;
	pid_t pid;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	CHECK_INT(enforce_flows_fd(scene->enforce, &flows_fd), 0);
	CHECK_INT(bpf_map_get_next_key(flows_fd, NULL, &key), 0);
	pid = fork();
	if (pid == 0) {
		if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(100);
		if (bpf_map_lookup_elem(flows_fd, &key, &flow) < 0)
			_exit(errno);
		_exit(bpf_map_update_elem(flows_fd, &key, &flow, BPF_ANY) == -EPERM ? 0 : 101);
	}
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
	close(flows_fd);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- what is counted */

#define SENT_BYTES 200000
#define RECEIVED_BYTES 500000
#define HEADERS_MAX 80 /* IPv4 and TCP with options, per packet */

static bool move(int fd, size_t n, bool out)
{
	static char buffer[16384];

	while (n > 0) {
		size_t step = n < sizeof(buffer) ? n : sizeof(buffer);
		ssize_t r = out ? write(fd, buffer, step) : read(fd, buffer, step);

		if (r <= 0)
			return false;
		n -= (size_t)r;
	}
	return true;
}

static int act_exchange(struct kernel_scene *scene, const void *argument)
{
	int fd = dial(argument, 443);
	char byte;

	(void)scene;
	if (fd < 0)
		return -fd;
	if (!move(fd, SENT_BYTES, true) || !move(fd, RECEIVED_BYTES, false))
		return 200;
	shutdown(fd, SHUT_WR);
	return read(fd, &byte, 1) == 0 ? 0 : 201;
}

TEST(counts_relayed_bytes_both_ways)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox, other;
	struct abi_counters counters;
	struct abi_flow flow;
	int fd, pid;

	make(scene, &sandbox);
	make(scene, &other);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_exchange, "203.0.113.7");
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK(move(fd, SENT_BYTES, false) && move(fd, RECEIVED_BYTES, true));
	close(fd);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK(counters.bytes_sent >= SENT_BYTES);
	CHECK(counters.bytes_sent <= SENT_BYTES + HEADERS_MAX * counters.packets_sent);
	CHECK(counters.bytes_received >= RECEIVED_BYTES);
	CHECK(counters.bytes_received <= RECEIVED_BYTES + HEADERS_MAX * counters.packets_received);
	CHECK(counters.packets_sent > 2 && counters.packets_received > 2);
	CHECK_INT(counters.connections_allowed, 1);
	CHECK_INT(counters.connections_denied, 0);
	CHECK_INT(enforce_slot_counters(scene->enforce, other.slot, &counters), 0);
	CHECK_INT(counters.bytes_sent + counters.packets_received, 0);
	kernel_sandbox_end(scene, &sandbox);
	kernel_sandbox_end(scene, &other);
}

/* ---- policies */

TEST(two_sandboxes_are_judged_by_their_own_images)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox a, b;

	make(scene, &a);
	make(scene, &b);
	bind_image(scene, &b, ROW_IMAGE_B);
	CHECK(a.image != b.image);
	CHECK_INT(kernel_sandbox_run(scene, &a, act_connect, "203.0.113.7"), 0);
	CHECK_INT(kernel_sandbox_run(scene, &b, act_connect, "203.0.113.7"), EPERM);
	CHECK_INT(kernel_sandbox_run(scene, &a, act_connect, "198.51.100.1"), EPERM);
	CHECK_INT(kernel_sandbox_run(scene, &b, act_connect, "198.51.100.1"), 0);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &a);
	kernel_sandbox_end(scene, &b);
}

TEST(a_fresh_slot_denies_until_it_is_bound)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	kernel_sandbox_make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), EPERM);
	bind_image(scene, &sandbox, ROW_IMAGE_A);
	CHECK_INT(sandbox.generation, 1);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_swap_of_the_image_is_seen_at_once)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	for (uint32_t i = 0; i < 5; i++) {
		CHECK_INT(sandbox.generation, 2 * i + 1);
		CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), 0);
		bind_image(scene, &sandbox, ROW_IMAGE_B);
		CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), EPERM);
		bind_image(scene, &sandbox, ROW_IMAGE_A);
	}
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_gate_that_went_and_came_back_on_another_port)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(enforce_slot_set_ports(scene->enforce, sandbox.slot, 0, 0), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), EPERM);
	kernel_scene_events(scene);
	CHECK_INT(kernel_scene_network_event(scene)->reason, ABI_REASON_NO_GATE);
	/* Nobody listens there. */
	CHECK_INT(enforce_slot_set_ports(scene->enforce, sandbox.slot, 1, 0), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), ECONNREFUSED);
	CHECK_INT(enforce_slot_set_ports(scene->enforce, sandbox.slot, scene->gate_port, 0), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}

/* Connects, then sends a byte for each byte that it is told to by the pipe. */
struct talk {
	int told[2];
};

static int act_talk(struct kernel_scene *scene, const void *argument)
{
	const struct talk *talk = argument;
	int fd = dial("203.0.113.7", 443);
	char byte;

	(void)scene;
	if (fd < 0)
		return -fd;
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

TEST(a_swap_stops_connections_that_the_new_policy_refuses)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_network_event *event;
	struct kernel_sandbox sandbox;
	struct abi_flow flow;
	struct talk talk;
	int fd, pid;

	make(scene, &sandbox);
	CHECK_INT(pipe(talk.told), 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_talk, &talk);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK(write(talk.told[1], "1", 1) == 1 && arrives(fd, 2000));
	/* Another policy that allows it too. */
	bind_image(scene, &sandbox, ROW_IMAGE_B);
	bind_image(scene, &sandbox, ROW_IMAGE_A);
	CHECK(write(talk.told[1], "2", 1) == 1 && arrives(fd, 2000));
	kernel_scene_events(scene);
	bind_image(scene, &sandbox, ROW_IMAGE_B);
	CHECK(write(talk.told[1], "3", 1) == 1 && !arrives(fd, 700));
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->operation, ABI_OPERATION_PACKET);
	CHECK_INT(event->verdict, ABI_VERDICT_DENY);
	CHECK_INT(event->reason, ABI_REASON_DEFAULT);
	CHECK_INT(event->port, 443);
	CHECK_INT(event->header.sandbox, sandbox.id);
	CHECK_INT(event->header.process.pid_host, 0);
	/* Its twin: allowed again, what was held back arrives by retransmission. */
	bind_image(scene, &sandbox, ROW_IMAGE_A);
	CHECK(arrives(fd, 5000));
	close(talk.told[0]);
	close(talk.told[1]);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(fd);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(a_released_slot_stops_everything_that_its_sockets_send)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_flow flow;
	struct talk talk;
	int fd, pid;

	make(scene, &sandbox);
	CHECK_INT(pipe(talk.told), 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_talk, &talk);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK(write(talk.told[1], "1", 1) == 1 && arrives(fd, 2000));
	enforce_slot_release(scene->enforce, sandbox.slot, sandbox.cgroup_id);
	CHECK(write(talk.told[1], "2", 1) == 1 && !arrives(fd, 500));
	close(talk.told[0]);
	close(talk.told[1]);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(fd);
	sandbox.slot = UINT32_MAX;
	kernel_sandbox_end(scene, &sandbox);
}

/* The same row, the same image, the same gate, but another sandbox. */
TEST(a_reused_slot_is_not_that_of_old_sockets)
{
	struct kernel_scene *scene = kernel_scene();
	uint32_t *fillers = calloc(ABI_SLOTS_MAX, sizeof(*fillers));
	struct kernel_sandbox old, next;
	struct abi_flow flow;
	struct talk talk;
	int fd, pid, n = 0;

	make(scene, &old);
	kernel_sandbox_make_bare(scene, &next);
	while (n < ABI_SLOTS_MAX &&
		enforce_slot_take(scene->enforce, NO_CGROUP + (uint64_t)n, 1, &fillers[n]) == 0)
		n++;
	CHECK_INT(pipe(talk.told), 0);
	pid = kernel_sandbox_spawn(scene, &old, act_talk, &talk);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK(write(talk.told[1], "1", 1) == 1 && arrives(fd, 2000));
	enforce_slot_release(scene->enforce, old.slot, old.cgroup_id);
	CHECK_INT(enforce_slot_take(scene->enforce, next.cgroup_id, next.id, &next.slot), 0);
	CHECK_INT(next.slot, old.slot);
	bind_image(scene, &next, ROW_IMAGE_A);
	CHECK_INT(kernel_sandbox_run(scene, &next, act_connect, "203.0.113.7"), 0);
	CHECK(write(talk.told[1], "2", 1) == 1 && !arrives(fd, 500));
	close(talk.told[0]);
	close(talk.told[1]);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(fd);
	kernel_scene_drain(scene);
	while (n-- > 0)
		enforce_slot_release(scene->enforce, fillers[n], NO_CGROUP + (uint64_t)n);
	free(fillers);
	old.slot = UINT32_MAX;
	kernel_sandbox_end(scene, &old);
	kernel_sandbox_end(scene, &next);
}
