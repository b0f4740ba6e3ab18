/* The real cloche-gate, started as cloched starts it, with a real map of flows and two network
 * namespaces: the test's own stands for the host's (with 203.0.113.7 on its lo), the
 * other for a sandbox's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/core/peers/peer.h"
#include "supervisor/wire/gate.h"
#include "tests/harness/check.h"

#define PATIENCE_NS (10 * NS_PER_SECOND)
#define SANDBOX 0x1234
#define DNS_PORT 5353 /* in a network namespace of its own */

struct seen {
	int n_up, n_ready, n_flows, n_names, n_lines;
	struct wire_gate_flow flow;
	struct wire_gate_name name;
	struct wire_gate_dns line;
	uint64_t cookie;
	pid_t pid;
};

static struct loop *loop;
static struct peer *peer;
static struct seen seen;
static int map_fd, host_netns, sandbox_netns;
static int listen_fds[3]; /* of the relay, of the resolver over UDP and TCP */
static struct wire_gate_resolver resolver;
static int resolver_fd;
static uint64_t netns_cookie;
static uint16_t listen_port;

/* ---- the stage */

static void raise_loopback(bool with_addresses)
{
	struct ifreq request = {.ifr_name = "lo"};
	struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK_INT(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags |= IFF_UP;
	CHECK_INT(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	if (with_addresses) {
		snprintf(request.ifr_name, sizeof(request.ifr_name), "lo:1");
		memset(address, 0, sizeof(*address));
		address->sin_family = AF_INET;
		inet_pton(AF_INET, "203.0.113.7", &address->sin_addr);
		CHECK_INT(ioctl(fd, SIOCSIFADDR, &request), 0);
	}
	close(fd);
}

static int open_own_netns(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

static void make_namespaces(void)
{
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	raise_loopback(false);
	sandbox_netns = open_own_netns();
	CHECK_INT(unshare(CLONE_NEWNET), 0);
	raise_loopback(true);
	host_netns = open_own_netns();
}

static int make_map(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_HASH;
	attr.key_size = sizeof(struct abi_flow_key);
	attr.value_size = sizeof(struct abi_flow);
	attr.max_entries = 64;
	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static void write_down(uint16_t local_port, const char *address, uint16_t port)
{
	struct abi_flow_key key = {.netns_cookie = netns_cookie, .local_port = local_port};
	struct abi_flow flow = {
		.port = port, .protocol = IPPROTO_TCP, .rule = 3, .policy = 4, .sandbox = SANDBOX};
	union bpf_attr attr;

	CHECK_INT(inet_pton(AF_INET6, "::ffff:127.0.0.1", key.local_address.bytes), 1);
	CHECK_INT(inet_pton(AF_INET6, address, flow.address.bytes), 1);
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = (uint32_t)map_fd;
	attr.key = (uint64_t)(uintptr_t)&key;
	attr.value = (uint64_t)(uintptr_t)&flow;
	CHECK_INT(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr)), 0);
}

static int socket_in(int netns, int type)
{
	int fd;

	CHECK_INT(setns(netns, CLONE_NEWNET), 0);
	fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	CHECK_INT(setns(host_netns, CLONE_NEWNET), 0);
	CHECK(fd >= 0);
	return fd;
}

static uint16_t bind_to(int fd, const char *address, uint16_t port)
{
	struct sockaddr_in bound = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t size = sizeof(bound);

	CHECK_INT(inet_pton(AF_INET, address, &bound.sin_addr), 1);
	CHECK_INT(bind(fd, (struct sockaddr *)&bound, size), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
	return ntohs(bound.sin_port);
}

/* ---- the supervisor's side */

static int on_message(struct peer *it _unused_, struct channel_message *message, void *userdata)
{
	struct seen *record = userdata;

	switch ((enum wire_gate_type)message->header->type) {
	case WIRE_GATE_READY:
		record->n_ready++;
		return 0;
	case WIRE_GATE_FLOW:
		if (message->body_size != sizeof(record->flow))
			return -EPROTO;
		memcpy(&record->flow, message->body, sizeof(record->flow));
		record->n_flows++;
		return 0;
	case WIRE_GATE_STATE:
	case WIRE_GATE_USED:
		return 0;
	case WIRE_GATE_NAME:
		if (message->body_size != sizeof(record->name))
			return -EPROTO;
		memcpy(&record->name, message->body, sizeof(record->name));
		record->cookie = message->header->cookie;
		record->n_names++;
		return 0;
	case WIRE_GATE_DNS:
		if (message->body_size != sizeof(record->line))
			return -EPROTO;
		memcpy(&record->line, message->body, sizeof(record->line));
		record->n_lines++;
		return 0;
	case WIRE_GATE_CONFIG:
	case WIRE_GATE_OPEN:
	case WIRE_GATE_CLOSE:
	case WIRE_GATE_OPEN_DATAGRAMS:
	case WIRE_GATE_TICKET:
	case WIRE_GATE_SWAP:
	case WIRE_GATE_REVIEW:
	case WIRE_GATE_VERDICTS:
	case WIRE_GATE_SWAPPED:
		return -EPROTO;
	}
	return -EPROTO;
}

static void on_up(struct peer *it, void *userdata)
{
	const struct wire_gate_config config = {.n_flows_max = 100,
		.n_flows_per_sandbox_max = 10,
		.connect_timeout_ms = 2000,
		.idle_timeout_ms = 60000,
		.n_resolvers = 1,
		.resolvers = {resolver}};
	const struct wire_gate_open open_message = {
		.sandbox = SANDBOX, .netns_cookie = netns_cookie};
	struct seen *record = userdata;
	const int maps[] = {map_fd, map_fd};

	record->n_up++;
	record->pid = peer_pid(it);
	CHECK_INT(channel_send(peer_channel(it), WIRE_GATE_CONFIG, 0, &config, sizeof(config), NULL,
			  0, maps, 2),
		0);
	CHECK_INT(channel_send(peer_channel(it), WIRE_GATE_OPEN, 0, &open_message,
			  sizeof(open_message), NULL, 0, listen_fds, 3),
		0);
}

static void on_down(struct peer *it _unused_, void *userdata _unused_)
{
}

static void run_until(const int *counter, int value)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;

	while (*counter < value) {
		CHECK(clock_monotonic_ns() < end_ns);
		CHECK_INT(loop_run_once(loop, 50), 0);
	}
}

/* The second socket's address family is what BPF leaves of the client's: IPv4 here. */
static void open_sandbox(void)
{
	socklen_t size = sizeof(netns_cookie);

	listen_fds[0] = socket_in(sandbox_netns, SOCK_STREAM);
	listen_port = bind_to(listen_fds[0], "127.0.0.1", 0);
	CHECK_INT(listen(listen_fds[0], 16), 0);
	CHECK_INT(getsockopt(listen_fds[0], SOL_SOCKET, SO_NETNS_COOKIE, &netns_cookie, &size), 0);
	CHECK_INT(setns(sandbox_netns, CLONE_NEWNET), 0);
	listen_fds[1] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	listen_fds[2] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_INT(setns(host_netns, CLONE_NEWNET), 0);
	for (int i = 1; i < 3; i++) {
		struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
		const int off = 0;

		setsockopt(listen_fds[i], IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		CHECK_INT(bind(listen_fds[i], (struct sockaddr *)&any, sizeof(any)), 0);
	}
	CHECK_INT(listen(listen_fds[2], 16), 0);
	resolver_fd = socket_in(host_netns, SOCK_DGRAM);
	resolver.port = bind_to(resolver_fd, "203.0.113.7", 0);
	CHECK_INT(inet_pton(AF_INET6, "::ffff:203.0.113.7", resolver.address.bytes), 1);
}

static void begin(void)
{
	static char program[512];
	struct peer_config config = {.name = "cloche-gate",
		.program = program,
		.user = "cloche-gate-of-no-one",
		.fallback_id = 61181,
		.message = on_message,
		.up = on_up,
		.down = on_down,
		.userdata = &seen};
	struct failure why;
	char *slash;

	if (geteuid() != 0)
		check_skip("needs root");
	log_open("test-gate", LOG_LEVEL_ERROR - 1);
	/* build/tests/system/test-gate → build/cloche-gate */
	CHECK(readlink("/proc/self/exe", program, sizeof(program) - 32) > 0);
	slash = strstr(program, "/tests/system/");
	CHECK(slash);
	strcpy(slash, "/cloche-gate");
	make_namespaces();
	seen = (struct seen){0};
	map_fd = make_map();
	CHECK(map_fd >= 0);
	open_sandbox();
	CHECK_INT(loop_new(&loop), 0);
	if (peer_start(loop, &config, &peer, &why) < 0)
		CHECK_FAIL("%s: %s", why.stage, why.sentence);
	run_until(&seen.n_ready, 1);
}

static void end(void)
{
	peer_stop(peer);
	loop_free(loop);
	close(map_fd);
	for (int i = 0; i < 3; i++)
		close(listen_fds[i]);
	close(resolver_fd);
	close(host_netns);
	close(sandbox_netns);
}

/* A connection from inside, which meant to go to `address`. When the gate refuses it quickly,
 * connect(2) already tells of the reset. */
static int try_dial(const char *address, uint16_t port, int *ret_error)
{
	struct sockaddr_in gate = {.sin_family = AF_INET,
		.sin_port = htons(listen_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct timeval patience = {.tv_sec = 10};
	int fd = socket_in(sandbox_netns, SOCK_STREAM);

	write_down(bind_to(fd, "127.0.0.1", 0), address, port);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*ret_error = connect(fd, (struct sockaddr *)&gate, sizeof(gate)) < 0 ? errno : 0;
	return fd;
}

static int dial(const char *address, uint16_t port)
{
	int error, fd = try_dial(address, port, &error);

	CHECK_INT(error, 0);
	return fd;
}

static int origin(const char *address, uint16_t *ret_port)
{
	int fd = socket_in(host_netns, SOCK_STREAM);

	*ret_port = bind_to(fd, address, 0);
	CHECK_INT(listen(fd, 16), 0);
	return fd;
}

static void check_question_and_answer(int server, uint16_t port)
{
	int client = dial("::ffff:203.0.113.7", port), end_fd;
	char text[16] = "";

	end_fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	CHECK(end_fd >= 0);
	CHECK_INT(send(client, "question", 8, 0), 8);
	CHECK_INT(shutdown(client, SHUT_WR), 0);
	CHECK_INT(recv(end_fd, text, 8, MSG_WAITALL), 8);
	CHECK_TEXT(text, "question");
	CHECK_INT(recv(end_fd, text, 1, 0), 0);
	CHECK_INT(send(end_fd, "answer", 6, 0), 6);
	close(end_fd);
	CHECK_INT(recv(client, text, sizeof(text), MSG_WAITALL), 6);
	CHECK(memcmp(text, "answer", 6) == 0);
	close(client);
}

TEST(confined_gate_relays_from_one_namespace_to_another)
{
	uint16_t port;
	int server;

	begin();
	server = origin("203.0.113.7", &port);
	check_question_and_answer(server, port);
	run_until(&seen.n_flows, 1);
	CHECK_INT(seen.flow.sandbox, SANDBOX);
	CHECK_INT(seen.flow.end, WIRE_GATE_END_CLOSED);
	CHECK_INT(seen.flow.error, 0);
	CHECK_INT(seen.flow.bytes_sent, 8);
	CHECK_INT(seen.flow.bytes_received, 6);
	CHECK_INT(seen.flow.port, port);
	CHECK_INT(seen.flow.rule, 3);
	CHECK_INT(seen.flow.policy, 4);
	close(server);
	end();
}

/* The gate has no test hook on its command line: the host's loopback stays closed even though the
 * map says otherwise and a server listens there. */
TEST(loopback_of_the_host_is_refused_by_the_real_program)
{
	uint16_t port;
	int server, client, error;
	char byte;

	begin();
	server = origin("127.0.0.1", &port);
	client = try_dial("::ffff:127.0.0.1", port, &error);
	if (error == 0) {
		CHECK(recv(client, &byte, 1, 0) < 0);
		error = errno;
	}
	CHECK_INT(error, ECONNRESET);
	run_until(&seen.n_flows, 1);
	CHECK_INT(seen.flow.end, WIRE_GATE_END_CONNECT);
	CHECK_INT(seen.flow.error, -EACCES);
	close(client);
	close(server);
	end();
}

/* ---- names */

#define QUERY_SIZE 27

/* Asks for the address of "site.test", from inside. */
static int ask_resolver(void)
{
	static const char query[QUERY_SIZE] = "\0\1\1\0\0\1\0\0\0\0\0\0\4site\4test\0\0\1\0\1";
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(DNS_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct timeval patience = {.tv_sec = 10};
	int fd = socket_in(sandbox_netns, SOCK_DGRAM);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	CHECK_INT(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(send(fd, query, sizeof(query), 0), sizeof(query));
	return fd;
}

static void grant(uint32_t index, uint16_t port)
{
	const struct wire_gate_ticket ticket = {.sandbox = SANDBOX,
		.index = index,
		.n_ranges = 1,
		.ranges = {{.first = port, .last = port, .rule = 8}},
		.name = "site.test"};

	CHECK_INT(channel_send(peer_channel(peer), WIRE_GATE_TICKET, seen.cookie, &ticket,
			  sizeof(ticket), NULL, 0, NULL, 0),
		0);
}

/* As the host's resolver: 203.0.113.7 for A, nothing for AAAA. */
static void answer_upstream(void)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7};
	const struct timeval patience = {.tv_sec = 10};

	setsockopt(resolver_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	for (int i = 0; i < 2; i++) {
		uint8_t message[512] = {0};
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		size_t n = QUERY_SIZE;

		CHECK(recvfrom(resolver_fd, message, sizeof(message), 0, (struct sockaddr *)&from,
			      &size) >= QUERY_SIZE);
		memcpy(message + 2, (uint8_t[]){0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, 10);
		if (message[QUERY_SIZE - 3] == 1) {
			message[7] = 1;
			memcpy(message + n, record, sizeof(record));
			n += sizeof(record);
		}
		CHECK_INT(sendto(resolver_fd, message, n, 0, (struct sockaddr *)&from, size), n);
	}
}

TEST(confined_gate_answers_for_a_name_and_dials_it)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: site.test\r\n\r\n";
	char text[128] = "";
	uint16_t port;
	int server, client, end_fd;

	begin();
	server = origin("203.0.113.7", &port);
	client = ask_resolver();
	run_until(&seen.n_names, 1);
	CHECK_TEXT(seen.name.name, "site.test");
	grant(2, port);
	CHECK_INT(recv(client, text, sizeof(text), 0), QUERY_SIZE + 16);
	CHECK(memcmp(text + QUERY_SIZE + 12, "\xc6\x12\x01\x02", 4) == 0);
	run_until(&seen.n_lines, 1);
	CHECK_INT(seen.line.rcode, 0);
	close(client);
	client = dial("::ffff:198.18.1.2", port);
	CHECK_INT(send(client, request, sizeof(request) - 1, 0), sizeof(request) - 1);
	answer_upstream();
	end_fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
	CHECK_INT(recv(end_fd, text, sizeof(request) - 1, MSG_WAITALL), sizeof(request) - 1);
	CHECK_INT(send(end_fd, "answer", 6, 0), 6);
	CHECK_INT(recv(client, text, 6, MSG_WAITALL), 6);
	close(client);
	close(end_fd);
	run_until(&seen.n_flows, 1);
	CHECK_INT(seen.flow.end, WIRE_GATE_END_CLOSED);
	CHECK_INT(seen.flow.rule, 8);
	CHECK_TEXT(seen.flow.name, "site.test");
	CHECK(memcmp(&seen.flow.dialled, &resolver.address, sizeof(seen.flow.dialled)) == 0);
	close(server);
	end();
}

/* What the gate knew of names is gone with it; it is told again. */
TEST(successor_of_a_killed_gate_answers_queries)
{
	char text[128];
	int client;

	begin();
	CHECK_INT(kill(seen.pid, SIGKILL), 0);
	run_until(&seen.n_ready, 2);
	grant(2, 443);
	client = ask_resolver();
	run_until(&seen.n_lines, 1);
	CHECK_INT(recv(client, text, sizeof(text), 0), QUERY_SIZE + 16);
	CHECK_INT(seen.n_names, 0);
	close(client);
	end();
}

TEST(successor_of_a_killed_gate_serves_the_same_listening_socket)
{
	uint16_t port;
	int server;

	begin();
	server = origin("203.0.113.7", &port);
	check_question_and_answer(server, port);
	run_until(&seen.n_flows, 1);
	CHECK_INT(kill(seen.pid, SIGKILL), 0);
	run_until(&seen.n_ready, 2);
	check_question_and_answer(server, port);
	run_until(&seen.n_flows, 2);
	close(server);
	end();
}

TEST(gate_is_confined)
{
	char path[64], *status;
	size_t size;

	begin();
	snprintf(path, sizeof(path), "/proc/%d/status", (int)seen.pid);
	CHECK_INT(fd_read_file_at(AT_FDCWD, path, 65536, &status, &size), 0);
	CHECK(strstr(status, "Uid:\t61181\t61181\t61181\t61181"));
	CHECK(strstr(status, "CapEff:\t0000000000000000"));
	CHECK(strstr(status, "CapBnd:\t0000000000000000"));
	CHECK(strstr(status, "NoNewPrivs:\t1"));
	CHECK(strstr(status, "Seccomp:\t2"));
	free(status);
	end();
}
