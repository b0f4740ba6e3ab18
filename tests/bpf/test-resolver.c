/* Queries: whatever name server a program asks, the sandbox's own resolver is asked instead, and
 * the program cannot tell by the addresses. Here the test is the resolver. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

#define NO_CGROUP (1ULL << 40) /* ids from here on are no directory's */

static const char *const servers[] = {"8.8.8.8", "127.0.0.53", "127.0.0.1", "198.18.1.0", "::1",
	"2001:4860:4860::8888", "::ffff:8.8.8.8", "::ffff:127.0.0.53"};

static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct policy_image image;

	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "resolver", &image, true);
	kernel_sandbox_give_resolver(scene, ret_sandbox);
	kernel_scene_events(scene);
}

/* Nothing of a query is seen in the kernel's records and counters. */
static void check_unseen(struct kernel_scene *scene, const struct kernel_sandbox *sandbox)
{
	struct abi_counters counters;

	kernel_scene_events(scene);
	CHECK(!kernel_scene_network_event(scene));
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox->slot, &counters), 0);
	CHECK_INT(counters.connections_allowed + counters.connections_denied, 0);
	CHECK_INT(counters.bytes_sent + counters.bytes_received, 0);
}

enum how { SENDTO_RECVFROM, SENDMSG_RECVMSG, CONNECTED, CONNECTED_SENDTO, N_HOWS };

struct question {
	const char *server;
	enum how how;
};

static ssize_t send_query(
	int fd, enum how how, const struct sockaddr_storage *server, socklen_t size)
{
	struct iovec query = {.iov_base = "query", .iov_len = 5};
	struct msghdr message = {.msg_name = (void *)server,
		.msg_namelen = size,
		.msg_iov = &query,
		.msg_iovlen = 1};

	if (how == SENDMSG_RECVMSG)
		return sendmsg(fd, &message, 0);
	if (how == CONNECTED)
		return send(fd, "query", 5, 0);
	return sendto(fd, "query", 5, 0, (const struct sockaddr *)server, size);
}

static ssize_t receive(
	int fd, enum how how, struct sockaddr_storage *ret_source, socklen_t *ret_size)
{
	char bytes[16];
	struct iovec answer = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr message = {.msg_name = ret_source,
		.msg_namelen = sizeof(*ret_source),
		.msg_iov = &answer,
		.msg_iovlen = 1};
	ssize_t n;

	if (how != SENDMSG_RECVMSG)
		return recvfrom(
			fd, bytes, sizeof(bytes), 0, (struct sockaddr *)ret_source, ret_size);
	n = recvmsg(fd, &message, 0);
	*ret_size = message.msg_namelen;
	return n;
}

/* 0; errno; 200 and more: what is wrong with what it saw. */
static int act_ask(struct kernel_scene *scene, const void *argument)
{
	const struct question *question = argument;
	bool connected = question->how == CONNECTED || question->how == CONNECTED_SENDTO;
	struct sockaddr_storage server, seen = {0};
	socklen_t size = kernel_address(question->server, 53, &server), seen_size = sizeof(seen);
	int fd = socket(server.ss_family, SOCK_DGRAM, 0);

	(void)scene;
	if (connected && connect(fd, (struct sockaddr *)&server, size) < 0)
		return errno;
	if (connected && getpeername(fd, (struct sockaddr *)&seen, &seen_size) < 0)
		return errno;
	if (connected && (seen_size != size || memcmp(&seen, &server, size) != 0))
		return 200;
	if (send_query(fd, question->how, &server, size) != 5)
		return errno;
	seen_size = sizeof(seen);
	if (receive(fd, question->how, &seen, &seen_size) != 6)
		return 201;
	return seen_size == size && memcmp(&seen, &server, size) == 0 ? 0 : 202;
}

TEST(an_answer_bears_the_address_that_was_asked)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	char query[16];

	make(scene, &sandbox);
	for (size_t i = 0; i < ARRAY_SIZE(servers) * N_HOWS; i++) {
		struct question question = {servers[i / N_HOWS], i % N_HOWS};
		int pid = kernel_sandbox_spawn(scene, &sandbox, act_ask, &question), r;

		if (kernel_scene_answer(scene, query, sizeof(query), "answer") != 5)
			CHECK_FAIL("%s, way %d: no query", question.server, question.how);
		CHECK(memcmp(query, "query", 5) == 0);
		r = kernel_sandbox_wait(pid);
		if (r != 0)
			CHECK_FAIL("%s, way %d: %d", question.server, question.how, r);
	}
	check_unseen(scene, &sandbox);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_ask_by_tcp(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage server, seen = {0};
	socklen_t size = kernel_address(argument, 53, &server), seen_size = sizeof(seen);
	int fd = socket(server.ss_family, SOCK_STREAM, 0);
	char bytes[16];

	(void)scene;
	if (connect(fd, (struct sockaddr *)&server, size) < 0)
		return errno;
	if (getpeername(fd, (struct sockaddr *)&seen, &seen_size) < 0)
		return errno;
	if (seen_size != size || memcmp(&seen, &server, size) != 0)
		return 200;
	if (write(fd, "query", 5) != 5)
		return errno;
	return read(fd, bytes, sizeof(bytes)) == 6 ? 0 : 201;
}

TEST(a_query_by_tcp_comes_to_the_resolver_too)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	char bytes[16];

	make(scene, &sandbox);
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		int pid = kernel_sandbox_spawn(scene, &sandbox, act_ask_by_tcp, servers[i]);
		int fd = kernel_scene_accept_query(scene);

		CHECK(fd >= 0);
		CHECK_INT(read(fd, bytes, sizeof(bytes)), 5);
		CHECK_INT(write(fd, "answer", 6), 6);
		CHECK_INT(kernel_sandbox_wait(pid), 0);
		close(fd);
	}
	check_unseen(scene, &sandbox);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_ask_in_turn(struct kernel_scene *scene, const void *argument)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_storage server, seen = {0};

	(void)scene;
	(void)argument;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		bool whole = strchr(servers[i], ':') != NULL;
		socklen_t size = sizeof(seen);
		char text[64];

		snprintf(text, sizeof(text), "%s%s", whole ? "" : "::ffff:", servers[i]);
		size = kernel_address(text, 53, &server);
		if (send_query(fd, SENDTO_RECVFROM, &server, size) != 5 ||
			receive(fd, SENDTO_RECVFROM, &seen, &size) != 6)
			return 201;
		if (memcmp(&seen, &server, size) != 0)
			return 202;
	}
	return 0;
}

TEST(one_socket_asks_several_servers_in_turn)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	char query[16];
	int pid;

	make(scene, &sandbox);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_ask_in_turn, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		CHECK_INT(kernel_scene_answer(scene, query, sizeof(query), "answer"), 5);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	kernel_sandbox_end(scene, &sandbox);
}

/* A socket that asked, and then hears from a neighbour. */
static int act_hear_from_inside(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage server, here, there, seen = {0};
	socklen_t size = kernel_address(argument, 53, &server), seen_size = sizeof(seen);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);

	(void)scene;
	if (sendto(fd, "query", 5, 0, (struct sockaddr *)&server, size) != 5)
		return errno;
	size = kernel_address("127.0.0.1", 0, &there);
	if (bind(other, (struct sockaddr *)&there, size) < 0)
		return errno;
	getsockname(other, (struct sockaddr *)&there, &size);
	getsockname(fd, (struct sockaddr *)&here, &size);
	((struct sockaddr_in *)&here)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (sendto(other, "word", 4, 0, (struct sockaddr *)&here, size) != 4)
		return errno;
	if (receive(fd, SENDTO_RECVFROM, &seen, &seen_size) != 4)
		return 201;
	return memcmp(&seen, &there, size) == 0 ? 0 : 202;
}

TEST(a_datagram_from_inside_bears_its_own_address)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_hear_from_inside, "8.8.8.8"), 0);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}

/* The C library's own resolver, which drops answers from any other address. */
static int act_res_query(struct kernel_scene *scene, const void *argument)
{
	struct __res_state state = {0};
	unsigned char answer[512];

	(void)scene;
	if (res_ninit(&state) < 0)
		return 200;
	state.nscount = 1;
	state.nsaddr_list[0] = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = inet_addr(argument)};
	state.retrans = 2;
	state.retry = 1;
	if (res_nquery(&state, "pypi.org", ns_c_in, ns_t_a, answer, sizeof(answer)) >= 0)
		return 201;
	return state.res_h_errno;
}

TEST(the_c_librarys_resolver_takes_the_answer)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	unsigned char query[512];
	struct sockaddr_in6 source;
	socklen_t size = sizeof(source);
	ssize_t n;
	int pid;

	make(scene, &sandbox);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_res_query, "8.8.8.8");
	CHECK_INT(poll(&(struct pollfd){.fd = scene->dns_udp_fd, .events = POLLIN}, 1, 2000), 1);
	n = recvfrom(scene->dns_udp_fd, query, sizeof(query), 0, (struct sockaddr *)&source, &size);
	CHECK(n > 12);
	/* An answer, from one that recurses, and there is no such record. */
	query[2] |= 0x80;
	query[3] |= 0x80;
	CHECK_INT(sendto(scene->dns_udp_fd, query, (size_t)n, 0, (struct sockaddr *)&source, size),
		n);
	CHECK_INT(kernel_sandbox_wait(pid), NO_DATA);
	check_unseen(scene, &sandbox);
	kernel_sandbox_end(scene, &sandbox);
}

TEST(without_a_resolver_port_53_is_a_port_like_others)
{
	static const struct question question = {"8.8.8.8", SENDTO_RECVFROM};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	char query[16];
	int pid;

	make(scene, &sandbox);
	CHECK_INT(enforce_slot_set_ports(scene->enforce, sandbox.slot, scene->gate_port, 0), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_ask, &question), EPERM);
	kernel_scene_events(scene);
	CHECK_INT(kernel_scene_network_event(scene)->reason, ABI_REASON_DEFAULT);
	CHECK_INT(kernel_scene_network_event(scene)->port, 53);
	/* Its twin. */
	kernel_sandbox_give_resolver(scene, &sandbox);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_ask, &question);
	CHECK_INT(kernel_scene_answer(scene, query, sizeof(query), "answer"), 5);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	kernel_sandbox_end(scene, &sandbox);
}

/* Connects to port 53 by a rule, then sends a byte for each byte that it is told to by the pipe. */
static int act_talk(struct kernel_scene *scene, const void *argument)
{
	const int *told = argument;
	struct sockaddr_storage address;
	socklen_t size = kernel_address("192.0.2.1", 53, &address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char byte;

	(void)scene;
	if (connect(fd, (struct sockaddr *)&address, size) < 0)
		return errno;
	close(told[1]);
	while (read(told[0], &byte, 1) == 1)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			return errno;
	return 0;
}

static bool arrives(int fd)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&waiting, 1, 2000) == 1 && read(fd, &byte, 1) == 1;
}

TEST(a_connection_that_was_relayed_to_port_53_stays_one_when_a_resolver_comes)
{
	struct kernel_scene *scene = kernel_scene();
	struct abi_address address = row_address("192.0.2.1");
	struct kernel_sandbox sandbox;
	struct policy_image image;
	struct abi_flow flow;
	int told[2], fd, pid;

	make(scene, &sandbox);
	CHECK_INT(enforce_slot_set_ports(scene->enforce, sandbox.slot, scene->gate_port, 0), 0);
	CHECK_INT(pipe(told), 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_talk, told);
	fd = kernel_scene_accept(scene, &flow);
	CHECK(fd >= 0);
	CHECK(write(told[1], "1", 1) == 1 && arrives(fd));
	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_bind(scene, &sandbox, "resolver", &image, true);
	kernel_sandbox_give_resolver(scene, &sandbox);
	CHECK(enforce_slot_would_allow(scene->enforce, sandbox.slot, IPPROTO_TCP, &address, 53));
	CHECK(write(told[1], "2", 1) == 1 && arrives(fd));
	close(told[0]);
	close(told[1]);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(fd);
	kernel_sandbox_end(scene, &sandbox);
}

/* A slot keeps nothing of its last owner's ports. */
TEST(a_slot_that_was_just_taken_has_no_resolver)
{
	static const struct question question = {"8.8.8.8", SENDTO_RECVFROM};
	struct kernel_scene *scene = kernel_scene();
	uint32_t *fillers = calloc(ABI_SLOTS_MAX, sizeof(*fillers));
	struct kernel_sandbox old, next;
	int n = 0;

	CHECK(fillers);
	make(scene, &old);
	kernel_sandbox_make_bare(scene, &next);
	while (n < ABI_SLOTS_MAX &&
		enforce_slot_take(scene->enforce, NO_CGROUP + (uint64_t)n, 1, &fillers[n]) == 0)
		n++;
	enforce_slot_release(scene->enforce, old.slot, old.cgroup_id);
	CHECK_INT(enforce_slot_set_ports(scene->enforce, old.slot, 1, 1), -EINVAL);
	CHECK_INT(enforce_slot_take(scene->enforce, next.cgroup_id, next.id, &next.slot), 0);
	CHECK_INT(next.slot, old.slot);
	CHECK_INT(kernel_sandbox_run(scene, &next, act_ask, &question), EPERM);
	while (n-- > 0)
		enforce_slot_release(scene->enforce, fillers[n], NO_CGROUP + (uint64_t)n);
	free(fillers);
	old.slot = UINT32_MAX;
	kernel_sandbox_end(scene, &old);
	kernel_sandbox_end(scene, &next);
}
