/* Datagram sockets that are connected to a name, as getaddrinfo(3) does with each answer: that
 * leaves no record, and the first datagram is denied and recorded, as it would be without the
 * connect. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

#define TICKET4 "198.18.1.0"
#define TICKET6 "fd43:6c6f:6368:6500::1:0"

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct abi_ticket ticket = row_tickets[0].ticket;
	struct policy_image image;

	row_image(ROW_IMAGE_U, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "probes", &image, true);
	kernel_sandbox_give_resolver(scene, ret_sandbox);
	kernel_sandbox_give_datagrams(scene, ret_sandbox);
	ticket.sandbox = ret_sandbox->id;
	CHECK_INT(enforce_ticket_put(scene->enforce, ret_sandbox->slot, ret_sandbox->generation,
			  row_tickets[0].index, &ticket),
		0);
	kernel_scene_events(scene);
	kernel_scene_drain(scene);
}

static int connect_to(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(text, port, &address);

	return connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

static int send_to(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(text, port, &address);

	return sendto(fd, "hello", 5, 0, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

static int leave(int fd)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	return connect(fd, &none, sizeof(none)) < 0 ? errno : 0;
}

/* As glibc sorts: one socket of a family, connected, asked for its own address, disconnected. */
static int act_sort(struct kernel_scene *scene _unused_, const void *argument _unused_)
{
	static const char *const answers[] = {TICKET4, TICKET6};

	for (size_t i = 0; i < 2; i++) {
		struct sockaddr_storage own = {0}, peer = {0}, asked;
		socklen_t size = sizeof(own), peer_size = sizeof(peer);
		int fd = socket(i ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

		for (int n = 0; n < 2; n++) {
			socklen_t length = kernel_address(answers[i], n ? 443 : 0, &asked);

			if (connect(fd, (struct sockaddr *)&asked, length) < 0)
				return errno;
			if (getsockname(fd, (struct sockaddr *)&own, &size) < 0 ||
				getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0)
				return 201;
			if (memcmp(&peer, &asked, length) != 0)
				return 202;
			if (leave(fd) != 0)
				return 203;
		}
		close(fd);
	}
	return 0;
}

TEST(connecting_to_a_name_leaves_no_record_and_costs_nothing)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_counters counters;
	size_t n_rows = kernel_scene_count_rows(scene);

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_sort, NULL), 0);
	kernel_scene_events(scene);
	CHECK(!kernel_scene_network_event(scene));
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK_INT(counters.connections_denied, 0);
	CHECK_INT(counters.connections_allowed, 0);
	CHECK_INT(kernel_scene_count_rows(scene), n_rows);
	kernel_sandbox_end(scene, &sandbox);
}

struct sender {
	const char *address;
	int family;
	bool only_ipv6;
};

/* As a QUIC client does: each time EPERM, by whatever call. */
static int act_send(struct kernel_scene *scene _unused_, const void *argument)
{
	const struct sender *sender = argument;
	int fd = socket(sender->family, SOCK_DGRAM, 0), yes = 1;
	struct iovec bytes = {"hello", 5};
	struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};

	if (sender->only_ipv6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (connect_to(fd, sender->address, 443) != 0)
		return 201;
	if (send(fd, "hello", 5, 0) >= 0 || errno != EPERM)
		return 202;
	if (sendmsg(fd, &message, 0) >= 0 || errno != EPERM)
		return 203;
	/* Held back, then sent at once. */
	if (send(fd, "hello", 5, MSG_MORE) < 0 && errno != EPERM)
		return 204;
	return write(fd, "hello", 5) < 0 ? errno : 0;
}

static void check_denied(const struct kernel_scene *scene, const struct kernel_sandbox *sandbox,
	int pid, const struct sender *sender)
{
	struct abi_address asked = row_address(sender->address);
	size_t n = 0;

	for (size_t i = 0; i < scene->n_events; i++) {
		const struct abi_network_event *event = &scene->events[i].network;

		if (event->header.type != ABI_EVENT_NETWORK)
			continue;
		n++;
		CHECK_INT(event->header.sandbox, sandbox->id);
		CHECK_INT(event->header.process.pid_host, pid);
		CHECK(memcmp(&event->address, &asked, sizeof(asked)) == 0);
		CHECK_INT(event->port, 443);
		CHECK_INT(event->family, sender->family);
		CHECK_INT(event->protocol, IPPROTO_UDP);
		CHECK_INT(event->socket_type, SOCK_DGRAM);
		CHECK_INT(event->operation, ABI_OPERATION_SENDMSG);
		CHECK_INT(event->verdict, ABI_VERDICT_DENY);
		CHECK_INT(event->reason, ABI_REASON_DEFAULT);
		CHECK_INT(event->rule, ABI_RULE_NONE);
	}
	CHECK(n == 3 || n == 4); /* of a mapped address the one that is held back is judged, too */
}

TEST(each_datagram_to_a_name_is_denied_and_recorded)
{
	static const struct sender senders[] = {{TICKET4, AF_INET, false},
		{TICKET6, AF_INET6, false}, {TICKET6, AF_INET6, true},
		{"::ffff:" TICKET4, AF_INET6, false}};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_counters counters;
	char bytes[16];

	for (size_t i = 0; i < ARRAY_SIZE(senders); i++) {
		int pid;

		make(scene, &sandbox);
		pid = kernel_sandbox_spawn(scene, &sandbox, act_send, &senders[i]);
		CHECK_INT(kernel_sandbox_wait(pid), EPERM);
		kernel_scene_events(scene);
		check_denied(scene, &sandbox, pid, &senders[i]);
		CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
		CHECK(counters.connections_denied >= 3);
		CHECK_INT(counters.bytes_sent, 0);
		/* And nothing came to the resolver, whose port it is. */
		CHECK_INT(recv(scene->dns_udp_fd, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
		kernel_sandbox_end(scene, &sandbox);
	}
}

/* A socket that was connected to a name is as good as another for what is allowed. */
static int act_go_on(struct kernel_scene *scene _unused_, const void *argument)
{
	const char *const *texts = argument;
	int fd = socket(strchr(texts[0], ':') ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	if (connect_to(fd, texts[0], 443) != 0)
		return 201;
	if (send_to(fd, texts[1], 9) != 0) /* inside, while it is connected */
		return 202;
	if (leave(fd) != 0 || send_to(fd, texts[1], 9) != 0)
		return 203;
	if (send_to(fd, texts[2], 53) != 0) /* a query */
		return 204;
	if (send_to(fd, texts[0], 443) != EPERM)
		return 205;
	if (connect_to(fd, texts[0], 443) != 0 || connect_to(fd, texts[1], 9) != 0)
		return 206;
	return send(fd, "hello", 5, 0) == 5 ? 0 : 207;
}

TEST(a_socket_that_was_connected_to_a_name_sends_elsewhere)
{
	static const char *const texts[][3] = {
		{TICKET4, "127.0.0.1", "8.8.8.8"}, {TICKET6, "::1", "2001:4860:4860::8888"}};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	char bytes[16];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const struct abi_network_event *event;

		make(scene, &sandbox);
		CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_go_on, texts[i]), 0);
		kernel_scene_events(scene);
		event = kernel_scene_network_event(scene);
		CHECK(event);
		CHECK_INT(event->operation, ABI_OPERATION_SENDMSG);
		CHECK_INT(event->verdict, ABI_VERDICT_DENY);
		CHECK_INT(recv(scene->dns_udp_fd, bytes, sizeof(bytes), 0), 5);
		CHECK_INT(recv(scene->dns_udp_fd, bytes, sizeof(bytes), MSG_DONTWAIT), -1);
		kernel_sandbox_end(scene, &sandbox);
	}
}

struct held {
	int connected[2], swapped[2]; /* pipes */
};

static int act_hold(struct kernel_scene *scene _unused_, const void *argument)
{
	const struct held *held = argument;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char byte = 0;

	if (connect_to(fd, TICKET4, 443) != 0)
		return 201;
	if (write(held->connected[1], &byte, 1) != 1 || read(held->swapped[0], &byte, 1) != 1)
		return 202;
	return send(fd, "hello", 5, 0) < 0 ? errno : 0;
}

/* The twin of a ticket that is good; and a socket that is connected already sends nothing under any
 * policy. */
TEST(a_void_ticket_is_denied_at_once)
{
	struct kernel_scene *scene = kernel_scene();
	const struct abi_network_event *event;
	struct kernel_sandbox sandbox;
	struct policy_image image;
	struct held held;
	char byte = 0;
	int pid;

	CHECK_INT(pipe(held.connected) | pipe(held.swapped), 0);
	make(scene, &sandbox);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_hold, &held);
	CHECK_INT(read(held.connected[0], &byte, 1), 1);
	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_bind(scene, &sandbox, "probes-a", &image, true);
	CHECK_INT(write(held.swapped[1], &byte, 1), 1);
	CHECK_INT(kernel_sandbox_wait(pid), EPERM);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->operation, ABI_OPERATION_SENDMSG);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_hold, &held), 201);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->operation, ABI_OPERATION_CONNECT);
	CHECK_INT(event->verdict, ABI_VERDICT_DENY);
	kernel_sandbox_end(scene, &sandbox);
	for (size_t i = 0; i < 2; i++) {
		close(held.connected[i]);
		close(held.swapped[i]);
	}
}
