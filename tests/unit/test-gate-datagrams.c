/* Datagrams through the gate, on the machine's own loopback: what the kernel would have written
 * down is the test's. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/abi/slot.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/gate/datagrams/address.h"
#include "supervisor/gate/gate.h"
#include "tests/harness/check.h"

#define PATIENCE_NS (10 * NS_PER_SECOND)
#define SANDBOX 5
#define POLICY ABI_SLOT_POLICY(3, 1)
#define ROWS 8

static struct loop *loop;
static struct gate *gate;
static struct gate_config config;
static uint16_t inside_port;
static int origins[ROWS]; /* the destination of each row, bound */
static struct abi_datagram rows[ROWS];
static struct wire_gate_flow reports[64];
static size_t n_reports;

static int look_up(
	void *userdata _unused_, const struct abi_datagram_key *key, struct abi_datagram *ret_row)
{
	if (key->sandbox != SANDBOX || key->index >= ROWS || rows[key->index].port == 0)
		return -ENOENT;
	*ret_row = rows[key->index];
	return 0;
}

static int keep_report(void *userdata _unused_, const struct wire_gate_flow *flow)
{
	CHECK(n_reports < ARRAY_SIZE(reports));
	reports[n_reports++] = *flow;
	return 0;
}

static int bound(int type, const char *address, uint16_t *ret_port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6};
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct sockaddr_storage got;
	socklen_t size = sizeof(got);
	int fd, off = 0;

	if (address) {
		at.sin_addr.s_addr = inet_addr(address);
		fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		CHECK_INT(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	} else {
		fd = socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		CHECK_INT(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
		CHECK_INT(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	}
	CHECK_INT(getsockname(fd, (struct sockaddr *)&got, &size), 0);
	*ret_port = ntohs(((struct sockaddr_in *)&got)->sin_port);
	return fd;
}

static void put_row(uint32_t index, const char *address, uint16_t port)
{
	rows[index] = (struct abi_datagram){.port = port, .rule = 7, .policy = POLICY};
	rows[index].address.bytes[10] = rows[index].address.bytes[11] = 0xff;
	CHECK_INT(inet_pton(AF_INET, address, rows[index].address.bytes + 12), 1);
}

static void prepare(void)
{
	uint16_t port;

	n_reports = 0;
	memset(rows, 0, sizeof(rows));
	CHECK_INT(loop_new(&loop), 0);
	for (uint32_t i = 0; i < ROWS; i++) {
		origins[i] = bound(SOCK_DGRAM, "127.0.0.1", &port);
		put_row(i, "127.0.0.1", port);
	}
	config = (struct gate_config){.limits = {.n_flows_max = 8,
					      .n_flows_per_sandbox_max = 8,
					      .connect_timeout_ms = 1000,
					      .idle_timeout_ms = 1000,
					      .n_datagram_flows_max = 6,
					      .n_datagram_flows_per_sandbox_max = 4,
					      .datagram_timeout_ms = 60000},
		.n_fds_max = 100,
		.lookup_datagram = look_up,
		.report = keep_report,
		.allow_loopback = true};
}

static void open_sandbox(uint64_t sandbox, uint16_t *ret_port)
{
	uint16_t relay_port;
	const struct gate_sockets sockets = {
		.relay = bound(SOCK_STREAM, NULL, &relay_port), .dns_udp = -1, .dns_tcp = -1};

	CHECK_INT(listen(sockets.relay, 4), 0);
	CHECK_INT(gate_open(gate, sandbox, 1, &sockets), 0);
	CHECK_INT(gate_open_datagrams(gate, sandbox, bound(SOCK_DGRAM, NULL, ret_port)), 0);
}

static void begin(void)
{
	CHECK_INT(gate_new(loop, &config, &gate), 0);
	open_sandbox(SANDBOX, &inside_port);
}

static void end(void)
{
	gate = gate_free(gate);
	loop = loop_free(loop);
	for (size_t i = 0; i < ROWS; i++)
		close(origins[i]);
}

static int program(void)
{
	uint16_t port;

	return bound(SOCK_DGRAM, "127.0.0.1", &port);
}

static struct sockaddr_in row_address(uint32_t index)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(inside_port),
		.sin_addr.s_addr = htonl(ABI_DATAGRAM4_BASE + index)};
}

static void say(int fd, uint32_t index, const char *text)
{
	struct sockaddr_in to = row_address(index);

	CHECK_INT(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)),
		strlen(text));
}

/* What comes to `fd`, and from where. */
static void hear(int fd, const char *wanted, struct sockaddr_in *ret_from)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;
	socklen_t size = sizeof(*ret_from);
	char bytes[64];
	ssize_t got;

	while ((got = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)ret_from, &size)) <
		0) {
		CHECK_INT(errno, EAGAIN);
		CHECK(clock_monotonic_ns() < end_ns);
		CHECK_INT(loop_run_once(loop, 5), 0);
	}
	CHECK_INT(got, strlen(wanted));
	CHECK(memcmp(bytes, wanted, (size_t)got) == 0);
}

static void answer(uint32_t index, const char *question, const char *text)
{
	struct sockaddr_in from;

	hear(origins[index], question, &from);
	CHECK_INT(sendto(origins[index], text, strlen(text), 0, (struct sockaddr *)&from,
			  sizeof(from)),
		strlen(text));
}

/* That nothing comes: everything that was sent has been seen to. */
static void hear_nothing(int fd)
{
	char byte;

	for (int i = 0; i < 20; i++)
		CHECK_INT(loop_run_once(loop, 1), 0);
	CHECK_INT(recv(fd, &byte, 1, 0), -1);
	CHECK_INT(errno, EAGAIN);
}

static const struct wire_gate_flow *report(size_t n)
{
	uint64_t end_ns = clock_monotonic_ns() + PATIENCE_NS;

	while (n_reports < n) {
		CHECK(clock_monotonic_ns() < end_ns);
		CHECK_INT(loop_run_once(loop, 5), 0);
	}
	CHECK_INT(n_reports, n);
	return &reports[n - 1];
}

TEST(an_answer_comes_from_the_address_that_was_asked)
{
	struct sockaddr_in from;
	struct wire_gate_state state;
	int fd;

	prepare();
	begin();
	fd = program();
	for (uint32_t i = 0; i < 3; i++)
		say(fd, i, "question");
	for (uint32_t i = 3; i-- > 0;) {
		const struct sockaddr_in wanted = row_address(i);

		answer(i, "question", "answer");
		hear(fd, "answer", &from);
		CHECK_INT(from.sin_addr.s_addr, wanted.sin_addr.s_addr);
		CHECK_INT(from.sin_port, wanted.sin_port);
	}
	gate_count(gate, &state);
	CHECK_INT(state.n_flows, 3);
	close(fd);
	end();
}

TEST(an_empty_datagram_is_a_datagram)
{
	struct sockaddr_in from;
	int fd;

	prepare();
	begin();
	fd = program();
	say(fd, 0, "");
	answer(0, "", "");
	hear(fd, "", &from);
	close(fd);
	end();
}

TEST(each_program_hears_its_own_answers)
{
	struct sockaddr_in from;
	int one, other;

	prepare();
	begin();
	one = program();
	other = program();
	say(one, 0, "one");
	answer(0, "one", "to one");
	say(other, 0, "other");
	answer(0, "other", "to other");
	hear(one, "to one", &from);
	hear(other, "to other", &from);
	hear_nothing(one);
	close(one);
	close(other);
	end();
}

TEST(only_the_destination_can_answer)
{
	struct sockaddr_in from;
	int fd;

	prepare();
	begin();
	fd = program();
	say(fd, 0, "question");
	hear(origins[0], "question", &from);
	CHECK_INT(sendto(origins[1], "forged", 6, 0, (struct sockaddr *)&from, sizeof(from)), 6);
	hear_nothing(fd);
	CHECK_INT(sendto(origins[0], "answer", 6, 0, (struct sockaddr *)&from, sizeof(from)), 6);
	hear(fd, "answer", &from);
	close(fd);
	end();
}

TEST(what_the_kernel_did_not_write_down_goes_nowhere)
{
	struct sockaddr_in to;
	int fd;

	prepare();
	rows[1].port = 0;
	rows[2].refused = 1;
	begin();
	fd = program();
	say(fd, 1, "no row");
	say(fd, 2, "refused");
	to = row_address(0);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	to.sin_addr.s_addr = htonl(ABI_DATAGRAM4_BASE + ABI_DATAGRAMS_PER_SANDBOX_MAX);
	CHECK_INT(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	hear_nothing(fd);
	for (size_t i = 0; i < ROWS; i++)
		hear_nothing(origins[i]);
	CHECK_INT(n_reports, 0);
	close(fd);
	end();
}

TEST(rows_of_another_sandbox_are_not_found)
{
	uint16_t port;
	struct sockaddr_in to;
	int fd;

	prepare();
	begin();
	open_sandbox(SANDBOX + 1, &port);
	fd = program();
	to = row_address(0);
	to.sin_port = htons(port);
	CHECK_INT(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	hear_nothing(origins[0]);
	close(fd);
	end();
}

TEST(the_hosts_own_loopback_is_no_destination)
{
	int fd;

	prepare();
	config.allow_loopback = false;
	begin();
	fd = program();
	for (int i = 0; i < 20; i++)
		say(fd, 0, "question");
	hear_nothing(origins[0]);
	CHECK_INT(n_reports, 1); /* of twenty, in one second */
	CHECK_INT(reports[0].end, WIRE_GATE_END_CONNECT);
	CHECK_INT(reports[0].error, -EACCES);
	CHECK_INT(reports[0].protocol, IPPROTO_UDP);
	CHECK_INT(reports[0].rule, 7);
	close(fd);
	end();
}

TEST(flows_of_one_sandbox_are_bounded)
{
	struct sockaddr_in from;
	int fd;

	prepare();
	begin();
	fd = program();
	for (uint32_t i = 0; i < 5; i++)
		say(fd, i, "question");
	for (uint32_t i = 0; i < 4; i++)
		hear(origins[i], "question", &from);
	hear_nothing(origins[4]);
	CHECK_INT(report(1)->end, WIRE_GATE_END_LIMIT);
	CHECK_INT(reports[0].port, rows[4].port);
	say(fd, 0, "again");
	hear(origins[0], "again", &from);
	close(fd);
	end();
}

TEST(flows_of_all_are_bounded)
{
	struct sockaddr_in from;
	int fd;

	prepare();
	config.limits.n_datagram_flows_max = 2;
	begin();
	fd = program();
	for (uint32_t i = 0; i < 3; i++)
		say(fd, i, "question");
	for (uint32_t i = 0; i < 2; i++)
		hear(origins[i], "question", &from);
	hear_nothing(origins[2]);
	CHECK_INT(report(1)->end, WIRE_GATE_END_LIMIT);
	close(fd);
	end();
}

TEST(an_idle_flow_ends_and_says_what_it_moved)
{
	struct sockaddr_in from;
	struct wire_gate_state state;
	const struct wire_gate_flow *line;
	int fd;

	prepare();
	config.limits.datagram_timeout_ms = 50;
	begin();
	fd = program();
	say(fd, 0, "question");
	answer(0, "question", "answer");
	hear(fd, "answer", &from);
	line = report(1);
	CHECK_INT(line->end, WIRE_GATE_END_IDLE);
	CHECK_INT(line->error, 0);
	CHECK_INT(line->bytes_sent, 8);
	CHECK_INT(line->bytes_received, 6);
	CHECK_INT(line->port, rows[0].port);
	CHECK_INT(line->policy, POLICY);
	CHECK_INT(line->sandbox, SANDBOX);
	CHECK(line->duration_us >= 50000);
	gate_count(gate, &state);
	CHECK_INT(state.n_flows, 0);
	say(fd, 0, "once more");
	answer(0, "once more", "yes");
	hear(fd, "yes", &from);
	close(fd);
	end();
}

TEST(a_destination_where_nobody_listens_is_told_at_the_end)
{
	uint16_t port;
	int fd, gone = bound(SOCK_DGRAM, "127.0.0.1", &port);

	prepare();
	put_row(0, "127.0.0.1", port);
	close(gone);
	config.limits.datagram_timeout_ms = 50;
	begin();
	fd = program();
	say(fd, 0, "one");
	hear_nothing(fd);
	say(fd, 0, "two");
	CHECK_INT(report(1)->end, WIRE_GATE_END_CONNECT);
	CHECK_INT(reports[0].error, -ECONNREFUSED);
	close(fd);
	end();
}

static size_t review(uint32_t generation, struct wire_gate_review_flow *ret_flows)
{
	const struct wire_gate_swap swap = {SANDBOX, ABI_SLOT_POLICY(generation, 1)};

	return gate_review(gate, &swap, ret_flows);
}

TEST(a_review_lists_flows_and_ends_those_that_are_refused)
{
	struct wire_gate_review_flow flows[WIRE_GATE_REVIEW_MAX];
	struct sockaddr_in from;
	uint64_t reset;
	int fd;

	prepare();
	begin();
	fd = program();
	say(fd, 0, "a");
	hear(origins[0], "a", &from);
	say(fd, 1, "b");
	hear(origins[1], "b", &from);
	CHECK_INT(review(4, flows), 2);
	CHECK_INT(flows[0].protocol, IPPROTO_UDP);
	reset = flows[0].port == rows[0].port ? flows[0].id : flows[1].id;
	gate_take_verdicts(gate, SANDBOX, &reset, 1);
	CHECK_INT(report(1)->end, WIRE_GATE_END_POLICY);
	CHECK_INT(reports[0].port, rows[0].port);
	/* the row was judged under the policy before: the datagram was on its way */
	say(fd, 0, "late");
	hear_nothing(origins[0]);
	say(fd, 1, "still");
	hear(origins[1], "still", &from);
	rows[0].policy = ABI_SLOT_POLICY(4, 1);
	say(fd, 0, "allowed again");
	hear(origins[0], "allowed again", &from);
	close(fd);
	end();
}

TEST(flows_end_with_their_sandbox)
{
	struct sockaddr_in from;
	struct wire_gate_state state;
	int fd;

	prepare();
	begin();
	fd = program();
	say(fd, 0, "a");
	hear(origins[0], "a", &from);
	gate_close(gate, SANDBOX);
	CHECK_INT(report(1)->end, WIRE_GATE_END_SANDBOX);
	gate_count(gate, &state);
	CHECK_INT(state.n_flows, 0);
	close(fd);
	end();
}

TEST(a_socket_for_datagrams_belongs_to_one_open_sandbox)
{
	uint16_t port;

	prepare();
	begin();
	CHECK_INT(gate_open_datagrams(gate, SANDBOX, bound(SOCK_DGRAM, NULL, &port)), -EEXIST);
	CHECK_INT(gate_open_datagrams(gate, SANDBOX + 1, bound(SOCK_DGRAM, NULL, &port)), -ENOENT);
	end();
	prepare();
	config.limits.datagram_timeout_ms = 0;
	CHECK_INT(gate_new(loop, &config, &gate), -EINVAL);
	end();
}

static int index_of(int family, const char *text)
{
	struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};
	uint32_t index;
	int r;

	CHECK_INT(inet_pton(family, text, address.bytes + (family == AF_INET ? 12 : 0)), 1);
	r = datagram_index(&address, &index);
	return r < 0 ? r : (int)index;
}

TEST(an_address_inside_stands_for_one_row)
{
	CHECK_INT(index_of(AF_INET, "127.64.0.0"), 0);
	CHECK_INT(index_of(AF_INET, "127.64.1.255"), 511);
	CHECK_INT(index_of(AF_INET, "127.64.2.0"), -ENOENT);
	CHECK_INT(index_of(AF_INET, "127.63.255.255"), -ENOENT);
	CHECK_INT(index_of(AF_INET, "127.0.0.1"), -ENOENT);
	CHECK_INT(index_of(AF_INET6, "fd43:6c6f:6368:6500:7564:7000::"), 0);
	CHECK_INT(index_of(AF_INET6, "fd43:6c6f:6368:6500:7564:7000:0:1ff"), 511);
	CHECK_INT(index_of(AF_INET6, "fd43:6c6f:6368:6500:7564:7000:0:200"), -ENOENT);
	CHECK_INT(index_of(AF_INET6, "fd43:6c6f:6368:6500:7564:6fff:ffff:ffff"), -ENOENT);
	CHECK_INT(index_of(AF_INET6, "fd43:6c6f:6368:6501:7564:7000::"), -ENOENT);
	CHECK_INT(index_of(AF_INET6, "::1"), -ENOENT);
}

TEST(no_two_senders_have_one_key)
{
	static const struct {
		int family;
		const char *text;
	} hosts[] = {{AF_INET, "127.0.0.1"}, {AF_INET, "127.0.0.2"}, {AF_INET, "127.255.255.255"},
		{AF_INET6, "::1"}, {AF_INET6, "fd43:6c6f:6368:6500::1"}};
	static const uint16_t ports[] = {0, 1, 65535};
	static const uint32_t indexes[] = {0, 1, ABI_DATAGRAMS_PER_SANDBOX_MAX - 1};
	static const char *const strangers[] = {"10.0.0.1", "198.18.0.1", "0.0.0.0", "128.0.0.1"};
	uint64_t keys[64], key;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(hosts) * 9; i++) {
		struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

		CHECK_INT(inet_pton(hosts[i / 9].family, hosts[i / 9].text,
				  address.bytes + (hosts[i / 9].family == AF_INET ? 12 : 0)),
			1);
		CHECK_INT(datagram_key(&address, ports[i % 3], indexes[i / 3 % 3], &keys[n]), 0);
		for (size_t j = 0; j < n; j++)
			CHECK(keys[j] != keys[n]);
		n++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

		CHECK_INT(inet_pton(AF_INET, strangers[i], address.bytes + 12), 1);
		CHECK_INT(datagram_key(&address, 1, 0, &key), -EINVAL);
	}
}
