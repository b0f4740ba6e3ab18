/* Ways to a packet that are not a plain connect: other kinds of sockets, sockets of others, other
 * system calls. research/ebpf.md 3.1 is the list. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/harness/check.h"
#include "tests/harness/kernel-scene.h"
#include "tests/table/rows.h"

/* A sandbox that may reach image A by way of the gate. */
static void make(struct kernel_scene *scene, struct kernel_sandbox *ret_sandbox)
{
	struct policy_image image;

	row_image(ROW_IMAGE_A, &image);
	kernel_sandbox_make(scene, ret_sandbox);
	kernel_sandbox_bind(scene, ret_sandbox, "sockets", &image, true);
	kernel_scene_events(scene);
}

static int connect_fd(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(text, port, &address);

	return connect(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

struct kind {
	int family, type, protocol;
	int error;
};

static int act_socket(struct kernel_scene *scene, const void *argument)
{
	const struct kind *kind = argument;

	(void)scene;
	return socket(kind->family, kind->type, kind->protocol) < 0 ? errno : 0;
}

TEST(refuses_kinds_of_sockets_that_no_other_hook_sees)
{
	static const struct kind kinds[] = {
		{AF_INET, SOCK_STREAM, 0, 0},
		{AF_INET6, SOCK_STREAM, IPPROTO_TCP, 0},
		{AF_INET, SOCK_DGRAM, 0, 0},
		{AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 0},
		{AF_UNIX, SOCK_STREAM, 0, 0},
		{AF_INET, SOCK_STREAM, 262, EPERM}, /* MPTCP */
		{AF_INET6, SOCK_STREAM, 262, EPERM},
		{AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, EPERM},
		{AF_INET, SOCK_DGRAM, IPPROTO_ICMP, EPERM},
		{AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, EPERM},
		{AF_INET, SOCK_RAW, IPPROTO_ICMP, EPERM},
		{AF_INET, SOCK_RAW, IPPROTO_RAW, EPERM},
		{AF_INET, SOCK_RAW, IPPROTO_UDP, EPERM},
		{AF_INET6, SOCK_RAW, IPPROTO_TCP, EPERM},
	};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	/* Anybody may send pings here, so that the refusal is ours. */
	{
		int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);

		CHECK(fd >= 0 && write(fd, "0 65535", 7) == 7);
		close(fd);
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct abi_network_event *event;

		CHECK_INT(
			kernel_sandbox_run(scene, &sandbox, act_socket, &kinds[i]), kinds[i].error);
		kernel_scene_events(scene);
		event = kernel_scene_network_event(scene);
		CHECK_INT(event != NULL, kinds[i].error != 0);
		if (!event)
			continue;
		CHECK_INT(event->operation, ABI_OPERATION_SOCKET);
		CHECK_INT(event->verdict, ABI_VERDICT_DENY);
		CHECK_INT(event->reason, ABI_REASON_SOCKET_TYPE);
		CHECK_INT(event->family, kinds[i].family);
		CHECK_INT(event->socket_type, kinds[i].type);
		CHECK_INT(event->header.sandbox, sandbox.id);
	}
	kernel_sandbox_end(scene, &sandbox);
}

static int act_connect_inherited(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	return connect_fd(*(const int *)argument, "203.0.113.8", 443);
}

/* The kernel goes by the cgroup that made the socket, so no hook of ours sees this one: this is why
 * no socket may be handed in, and why a sandbox has no card. */
TEST(a_socket_from_outside_is_not_seen_and_still_finds_no_way_out)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_connect_inherited, &fd), ENETUNREACH);
	kernel_scene_events(scene);
	CHECK(!kernel_scene_network_event(scene));
	close(fd);
	kernel_sandbox_end(scene, &sandbox);
}

struct handed {
	int pair[2];
};

static int act_hand_over(struct kernel_scene *scene, const void *argument)
{
	const struct handed *handed = argument;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec byte = {.iov_base = "x", .iov_len = 1};
	struct msghdr message = {.msg_iov = &byte,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room)};
	struct cmsghdr *control = CMSG_FIRSTHDR(&message);

	(void)scene;
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
	return sendmsg(handed->pair[0], &message, 0) == 1 ? 0 : errno;
}

static int act_connect_handed(struct kernel_scene *scene, const void *argument)
{
	const struct handed *handed = argument;
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec place = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &place,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = sizeof(room)};
	int fd;

	(void)scene;
	if (recvmsg(handed->pair[1], &message, 0) != 1)
		return 200;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return connect_fd(fd, "203.0.113.7", 443);
}

TEST(a_socket_keeps_the_identity_of_its_maker)
{
	struct kernel_scene *scene = kernel_scene();
	struct policy_image none = {0};
	struct kernel_sandbox strict, open;
	struct handed handed;
	const struct abi_network_event *event;

	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, handed.pair), 0);
	make(scene, &open);
	kernel_sandbox_make(scene, &strict);
	kernel_sandbox_bind(scene, &strict, "none", &none, true);
	/* Made where nothing is allowed, used where it is: denied, in its maker's name. */
	CHECK_INT(kernel_sandbox_run(scene, &strict, act_hand_over, &handed), 0);
	CHECK_INT(kernel_sandbox_run(scene, &open, act_connect_handed, &handed), EPERM);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->header.sandbox, strict.id);
	/* Its twin: maker and user are the one that is allowed. */
	CHECK_INT(kernel_sandbox_run(scene, &open, act_hand_over, &handed), 0);
	CHECK_INT(kernel_sandbox_run(scene, &open, act_connect_handed, &handed), 0);
	kernel_scene_drain(scene);
	close(handed.pair[0]);
	close(handed.pair[1]);
	kernel_sandbox_end(scene, &strict);
	kernel_sandbox_end(scene, &open);
}

/* The process of the test is root and can leave; the socket cannot. */
static int act_leave_and_connect(struct kernel_scene *scene, const void *argument)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char path[128];
	int procs;

	snprintf(path, sizeof(path), "%.*s/cgroup.procs",
		(int)(strrchr(scene->cgroup, '/') - scene->cgroup), scene->cgroup);
	procs = open(path, O_WRONLY);
	if (procs < 0 || write(procs, "0", 1) != 1)
		return 200;
	return connect_fd(fd, argument, 443);
}

TEST(a_socket_stays_judged_when_its_process_has_left_the_cgroup)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_leave_and_connect, "203.0.113.8"), EPERM);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_leave_and_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_connect(struct kernel_scene *scene, const void *argument)
{
	(void)scene;
	return connect_fd(socket(AF_INET, SOCK_STREAM, 0), argument, 443);
}

TEST(a_cgroup_below_the_sandbox_is_the_sandbox)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox, below;
	const struct abi_network_event *event;

	make(scene, &sandbox);
	below = sandbox;
	snprintf(below.path, sizeof(below.path), "%.100s/below", sandbox.path);
	CHECK_INT(mkdir(below.path, 0755), 0);
	below.cgroup_fd = open(below.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(kernel_sandbox_run(scene, &below, act_connect, "203.0.113.8"), EPERM);
	kernel_scene_events(scene);
	event = kernel_scene_network_event(scene);
	CHECK(event);
	CHECK_INT(event->header.sandbox, sandbox.id);
	CHECK_INT(kernel_sandbox_run(scene, &below, act_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	close(below.cgroup_fd);
	CHECK_INT(rmdir(below.path), 0);
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- inside */

#define INSIDE_BYTES 300000

static int serve(int listener)
{
	char buffer[8192];
	int fd = accept(listener, NULL, NULL);
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, buffer, sizeof(buffer))) > 0)
		n += (size_t)r;
	return r == 0 && n == INSIDE_BYTES && write(fd, "k", 1) == 1 ? 0 : 1;
}

static int ask(const struct sockaddr *address, socklen_t size)
{
	int fd = socket(address->sa_family, SOCK_STREAM, 0);
	static char bytes[INSIDE_BYTES];
	char answer;

	if (connect(fd, address, size) < 0)
		return errno;
	for (size_t n = 0; n < sizeof(bytes);) {
		ssize_t r = write(fd, bytes + n, sizeof(bytes) - n);

		if (r < 0)
			return errno;
		n += (size_t)r;
	}
	shutdown(fd, SHUT_WR);
	return read(fd, &answer, 1) == 1 && answer == 'k' ? 0 : 201;
}

static int act_serve_and_ask(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 0, &address);
	int listener = socket(address.ss_family, SOCK_STREAM, 0), status, r;
	pid_t server;

	(void)scene;
	if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 5) < 0)
		return 200;
	getsockname(listener, (struct sockaddr *)&address, &size);
	server = fork();
	if (server == 0)
		_exit(serve(listener));
	r = ask((struct sockaddr *)&address, size);
	waitpid(server, &status, 0);
	return r ? r : WEXITSTATUS(status);
}

TEST(a_server_inside_serves_inside_and_costs_no_network)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	struct abi_counters counters;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_serve_and_ask, "127.0.0.1"), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_serve_and_ask, "127.3.4.5"), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_serve_and_ask, "::1"), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_serve_and_ask, "::ffff:127.0.0.1"), 0);
	kernel_scene_events(scene);
	CHECK(!kernel_scene_network_event(scene));
	CHECK_INT(enforce_slot_counters(scene->enforce, sandbox.slot, &counters), 0);
	CHECK_INT(counters.bytes_sent + counters.bytes_received, 0);
	CHECK_INT(counters.connections_allowed + counters.connections_denied, 0);
	kernel_sandbox_end(scene, &sandbox);
}

struct listening {
	int port_pipe[2];
};

static int act_accept_one(struct kernel_scene *scene, const void *argument)
{
	const struct listening *listening = argument;
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)scene;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 5) < 0)
		return 200;
	getsockname(fd, (struct sockaddr *)&address, &size);
	if (write(listening->port_pipe[1], &address.sin_port, 2) != 2)
		return 201;
	return accept(fd, NULL, NULL) >= 0 ? 0 : 202;
}

/* From outside the sandbox, in its network namespace: 0, or ETIMEDOUT after half a second. */
static int visit(const char *source, uint16_t port)
{
	struct sockaddr_storage from, to;
	socklen_t size = kernel_address(source, 0, &from);
	struct pollfd waiting = {
		.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.events = POLLOUT};
	int r;

	CHECK_INT(bind(waiting.fd, (struct sockaddr *)&from, size), 0);
	size = kernel_address("127.0.0.1", port, &to);
	CHECK_INT(connect(waiting.fd, (struct sockaddr *)&to, size), -1);
	r = poll(&waiting, 1, 500) == 1 ? 0 : ETIMEDOUT;
	close(waiting.fd);
	return r;
}

/* The second lock: whatever the reason for a packet, it leaves towards loopback only. Here the
 * answer to a SYN from an address that somebody gave to the namespace. */
TEST(no_packet_leaves_but_towards_loopback)
{
	struct kernel_scene *scene = kernel_scene();
	struct ifreq request = {.ifr_name = "lo:1"};
	struct kernel_sandbox sandbox;
	struct listening listening;
	uint16_t port;
	int pid, control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	memcpy(&request.ifr_addr, &(struct sockaddr_in){.sin_family = AF_INET},
		sizeof(struct sockaddr_in));
	inet_pton(AF_INET, "10.99.0.1", &((struct sockaddr_in *)&request.ifr_addr)->sin_addr);
	CHECK_INT(ioctl(control, SIOCSIFADDR, &request), 0);
	close(control);
	make(scene, &sandbox);
	CHECK_INT(pipe(listening.port_pipe), 0);
	pid = kernel_sandbox_spawn(scene, &sandbox, act_accept_one, &listening);
	CHECK_INT(read(listening.port_pipe[0], &port, 2), 2);
	CHECK_INT(visit("10.99.0.1", ntohs(port)), ETIMEDOUT);
	CHECK_INT(visit("127.0.0.9", ntohs(port)), 0);
	CHECK_INT(kernel_sandbox_wait(pid), 0);
	close(listening.port_pipe[0]);
	close(listening.port_pipe[1]);
	kernel_sandbox_end(scene, &sandbox);
}

static int act_udp_echo(struct kernel_scene *scene, const void *argument)
{
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 0, &address);
	int here = socket(address.ss_family, SOCK_DGRAM, 0);
	int there = socket(address.ss_family, SOCK_DGRAM, 0);
	char byte = 0;

	(void)scene;
	if (bind(here, (struct sockaddr *)&address, size) < 0)
		return errno;
	getsockname(here, (struct sockaddr *)&address, &size);
	if (sendto(there, "u", 1, 0, (struct sockaddr *)&address, size) != 1)
		return errno;
	return recv(here, &byte, 1, 0) == 1 && byte == 'u' ? 0 : 201;
}

TEST(datagrams_pass_inside)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_udp_echo, "127.0.0.1"), 0);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_udp_echo, "::1"), 0);
	kernel_sandbox_end(scene, &sandbox);
}

struct bound {
	const char *address;
	int type;
	enum row_gate port; /* ROW_NO_GATE: any */
	int error;
	uint8_t reason;
};

static int act_bind(struct kernel_scene *scene, const void *argument)
{
	const struct bound *bound = argument;
	struct sockaddr_storage address;
	const uint16_t ports[] = {[ROW_NO_GATE] = 0,
		[ROW_RELAY] = scene->gate_port,
		[ROW_RESOLVER] = scene->dns_port};
	socklen_t size = kernel_address(bound->address, ports[bound->port], &address);
	int fd = socket(address.ss_family, bound->type, 0), on = 1;

	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	return bind(fd, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

TEST(binds_only_inside)
{
	static const struct bound binds[] = {
		{"127.0.0.5", SOCK_STREAM, ROW_NO_GATE, 0, 0},
		{"0.0.0.0", SOCK_DGRAM, ROW_NO_GATE, 0, 0},
		{"::", SOCK_STREAM, ROW_NO_GATE, 0, 0},
		{"::1", SOCK_STREAM, ROW_NO_GATE, 0, 0},
		{"127.0.0.5", SOCK_DGRAM, ROW_RELAY, 0, 0},
		{"8.8.8.8", SOCK_STREAM, ROW_NO_GATE, EPERM, ABI_REASON_BIND},
		{"8.8.8.8", SOCK_DGRAM, ROW_NO_GATE, EPERM, ABI_REASON_BIND},
		{"2001:db8::1", SOCK_STREAM, ROW_NO_GATE, EPERM, ABI_REASON_BIND},
		{"::ffff:8.8.8.8", SOCK_STREAM, ROW_NO_GATE, EPERM, ABI_REASON_BIND},
		{"127.0.0.5", SOCK_STREAM, ROW_RELAY, EPERM, ABI_REASON_GATE_PORT},
		{"::1", SOCK_STREAM, ROW_RELAY, EPERM, ABI_REASON_GATE_PORT},
		{"127.0.0.5", SOCK_STREAM, ROW_RESOLVER, EPERM, ABI_REASON_GATE_PORT},
		{"127.0.0.5", SOCK_DGRAM, ROW_RESOLVER, EPERM, ABI_REASON_GATE_PORT},
		{"::1", SOCK_DGRAM, ROW_RESOLVER, EPERM, ABI_REASON_GATE_PORT},
	};
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;

	make(scene, &sandbox);
	kernel_sandbox_give_resolver(scene, &sandbox);
	for (size_t i = 0; i < sizeof(binds) / sizeof(binds[0]); i++) {
		const struct abi_network_event *event;

		CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_bind, &binds[i]), binds[i].error);
		kernel_scene_events(scene);
		event = kernel_scene_network_event(scene);
		CHECK_INT(event != NULL, binds[i].error != 0);
		if (!event)
			continue;
		CHECK_INT(event->operation, ABI_OPERATION_BIND);
		CHECK_INT(event->reason, binds[i].reason);
	}
	kernel_sandbox_end(scene, &sandbox);
}

/* ---- other system calls */

/* One submission by hand: there is no liburing here. */
static int act_uring_connect(struct kernel_scene *scene, const void *argument)
{
	struct io_uring_params params = {0};
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params);
	struct sockaddr_storage address;
	socklen_t size = kernel_address(argument, 443, &address);
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	char *rings;
	unsigned int *tail, *array;

	(void)scene;
	if (ring < 0)
		return errno == ENOSYS || errno == EPERM ? 250 : 200;
	rings = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof(*cqes) + 4096,
		PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, params.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		ring, IORING_OFF_SQES);
	if (rings == MAP_FAILED || sqes == MAP_FAILED)
		return 201;
	sqes[0].opcode = IORING_OP_CONNECT;
	sqes[0].fd = socket(AF_INET, SOCK_STREAM, 0);
	sqes[0].addr = (uint64_t)(uintptr_t)&address;
	sqes[0].off = size;
	array = (unsigned int *)(rings + params.sq_off.array);
	tail = (unsigned int *)(rings + params.sq_off.tail);
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return 202;
	cqes = (struct io_uring_cqe *)(rings + params.cq_off.cqes);
	return -cqes[0].res;
}

TEST(a_connect_by_io_uring_is_a_connect)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	int r;

	make(scene, &sandbox);
	r = kernel_sandbox_run(scene, &sandbox, act_uring_connect, "203.0.113.8");
	if (r == 250) {
		kernel_sandbox_end(scene, &sandbox);
		check_skip("this kernel has no io_uring");
	}
	CHECK_INT(r, EPERM);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_uring_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}

#ifdef __x86_64__
/* socketcall(2) of the 32-bit interface, from a 64-bit process. */
static int act_32_bit_connect(struct kernel_scene *scene, const void *argument)
{
	struct low {
		uint32_t arguments[3];
		struct sockaddr_storage address;
	} *low = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long result;

	(void)scene;
	if (low == MAP_FAILED)
		return 200;
	low->arguments[0] = (uint32_t)socket(AF_INET, SOCK_STREAM, 0);
	low->arguments[1] = (uint32_t)(uintptr_t)&low->address;
	low->arguments[2] = kernel_address(argument, 443, &low->address);
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(102L), "b"(3L), "c"(low->arguments)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)-result;
}

TEST(a_32_bit_connect_is_a_connect)
{
	struct kernel_scene *scene = kernel_scene();
	struct kernel_sandbox sandbox;
	int r;

	make(scene, &sandbox);
	r = kernel_sandbox_run(scene, &sandbox, act_32_bit_connect, "203.0.113.8");
	if (r == ENOSYS || r == -11) {
		kernel_sandbox_end(scene, &sandbox);
		check_skip("this kernel has no 32-bit system calls");
	}
	CHECK_INT(r, EPERM);
	CHECK_INT(kernel_sandbox_run(scene, &sandbox, act_32_bit_connect, "203.0.113.7"), 0);
	kernel_scene_drain(scene);
	kernel_sandbox_end(scene, &sandbox);
}
#endif
