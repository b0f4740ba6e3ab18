/* The gate's end of the supervisor's socket, with the supervisor played by the test. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"
#include "supervisor/gate/serve.h"
#include "supervisor/wire/gate.h"
#include "tests/harness/check.h"

#define RUNNING 99
#define COOKIE 4711 /* of what the test sends */

static struct loop *loop;
static struct serve *serve;
static int supervisor;
static uint64_t cookie_heard;

static void begin(void)
{
	int pair[2];

	log_open("test", LOG_LEVEL_ERROR - 1);
	CHECK_INT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	supervisor = pair[0];
	CHECK_INT(loop_new(&loop), 0);
	CHECK_INT(serve_new(loop, pair[1], 100, &serve), 0);
}

static void end(void)
{
	serve_free(serve);
	loop_free(loop);
	if (supervisor >= 0)
		close(supervisor);
}

static void tell_with(uint16_t type, const void *body, size_t size, const int *fds, size_t n_fds)
{
	_Alignas(8) char bytes[1024];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {0};
	struct wire_header header = {.version = WIRE_VERSION,
		.type = type,
		.size = (uint32_t)(sizeof(header) + size),
		.cookie = COOKIE};
	struct iovec part = {bytes, header.size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	memcpy(bytes, &header, sizeof(header));
	if (size)
		memcpy(bytes + sizeof(header), body, size);
	if (n_fds > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), fds, n_fds * sizeof(int));
	}
	CHECK_INT(sendmsg(supervisor, &message, MSG_NOSIGNAL), header.size);
}

static void tell(uint16_t type, const void *body, size_t size, int fd)
{
	tell_with(type, body, size, &fd, fd >= 0);
}

/* The type of the next message from the gate, its body in `ret_body`. */
static int hear(void *ret_body, size_t size)
{
	_Alignas(8) char bytes[1024];
	struct wire_header header;
	ssize_t got = -1;

	for (int i = 0; i < 1000 && got < 0; i++) {
		CHECK_INT(loop_run_once(loop, 5), 0);
		got = recv(supervisor, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
	CHECK_INT(got, sizeof(header) + size);
	memcpy(&header, bytes, sizeof(header));
	CHECK_INT(header.size, got);
	cookie_heard = header.cookie;
	if (size)
		memcpy(ret_body, bytes + sizeof(header), size);
	return header.type;
}

static void on_still_running(struct loop_source *source _unused_, void *userdata _unused_)
{
	loop_stop(loop, RUNNING);
}

/* What the process would end with, RUNNING if it does not. */
static int outcome(void)
{
	struct loop_source *timer;
	int code;

	CHECK_INT(loop_add_timer(loop, on_still_running, NULL, &timer), 0);
	loop_timer_arm(timer, 50, 0);
	code = loop_run(loop);
	loop_source_free(timer);
	return code;
}

static const struct wire_gate_config good_config = {.n_flows_max = 10,
	.n_flows_per_sandbox_max = 5,
	.connect_timeout_ms = 1000,
	.idle_timeout_ms = 1000};

static void configure(void)
{
	int map = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int maps[] = {map, map};

	tell_with(WIRE_GATE_CONFIG, &good_config, sizeof(good_config), maps, 2);
	close(map);
	CHECK_INT(hear(NULL, 0), WIRE_GATE_READY);
}

static int listening(struct sockaddr_in *ret_address)
{
	socklen_t size = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*ret_address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CHECK_INT(bind(fd, (struct sockaddr *)ret_address, size), 0);
	CHECK_INT(listen(fd, 8), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
	return fd;
}

/* The map is no map, so every lookup fails: the connection is refused, and told with its reason. */
TEST(refused_connection_is_told_and_then_counted)
{
	struct wire_gate_open open_message = {.sandbox = 5, .netns_cookie = 6};
	struct wire_gate_close close_message = {.sandbox = 5};
	struct wire_gate_flow flow;
	struct wire_gate_state state;
	struct sockaddr_in address;
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	begin();
	configure();
	fd = listening(&address);
	tell(WIRE_GATE_OPEN, &open_message, sizeof(open_message), fd);
	close(fd);
	CHECK_INT(connect(client, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_INT(hear(&flow, sizeof(flow)), WIRE_GATE_FLOW);
	CHECK_INT(flow.sandbox, 5);
	CHECK_INT(flow.end, WIRE_GATE_END_NO_FLOW);
	CHECK(flow.error < 0);
	close(client);
	CHECK_INT(hear(&state, sizeof(state)), WIRE_GATE_STATE);
	CHECK_INT(state.n_flows, 0);
	CHECK_INT(state.n_flows_total, 1);
	tell(WIRE_GATE_CLOSE, &close_message, sizeof(close_message), -1);
	CHECK_INT(outcome(), RUNNING);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(connect(client, (struct sockaddr *)&address, sizeof(address)) < 0);
	CHECK_INT(errno, ECONNREFUSED);
	close(client);
	end();
}

TEST(end_of_the_supervisor_ends_the_gate)
{
	begin();
	configure();
	CHECK_INT(outcome(), RUNNING);
	close(supervisor);
	supervisor = -1;
	CHECK_INT(outcome(), 0);
	end();
}

struct malformed {
	uint16_t type;
	size_t size;
	size_t n_fds;
	bool configured;
};

TEST(malformed_message_ends_the_gate_with_an_error)
{
	static const struct malformed rows[] = {
		{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config), 0, false},
		{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config), 1, false},
		{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config) - 4, 2, false},
		{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config), 2, true}, /* twice */
		{WIRE_GATE_OPEN, sizeof(struct wire_gate_open), 1, false},    /* too early */
		{WIRE_GATE_OPEN, sizeof(struct wire_gate_open), 0, true},
		{WIRE_GATE_OPEN, sizeof(struct wire_gate_open) + 8, 1, true},
		{WIRE_GATE_OPEN_DATAGRAMS, sizeof(struct wire_gate_close), 1, false},
		{WIRE_GATE_OPEN_DATAGRAMS, sizeof(struct wire_gate_close), 0, true},
		{WIRE_GATE_OPEN_DATAGRAMS, sizeof(struct wire_gate_close) - 1, 1, true},
		{WIRE_GATE_CLOSE, sizeof(struct wire_gate_close), 0, false},
		{WIRE_GATE_CLOSE, sizeof(struct wire_gate_close), 1, true},
		{WIRE_GATE_TICKET, sizeof(struct wire_gate_ticket) - 8, 0, true},
		{WIRE_GATE_TICKET, sizeof(struct wire_gate_ticket), 0, true}, /* error 1 */
		{WIRE_GATE_SWAP, sizeof(struct wire_gate_swap), 0, false},
		{WIRE_GATE_SWAP, sizeof(struct wire_gate_swap) + 8, 0, true},
		{WIRE_GATE_VERDICTS, sizeof(struct wire_gate_verdicts) - 8, 0, true},
		{WIRE_GATE_VERDICTS, sizeof(struct wire_gate_verdicts) + 16, 0, true},
		{WIRE_GATE_NAME, sizeof(struct wire_gate_name), 0, true},
		{WIRE_GATE_READY, 0, 0, true},
		{0, 0, 0, true},
		{77, 0, 0, true},
	};
	static const char ones[512] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int fds[2];

		begin();
		fds[0] = fds[1] = supervisor;
		if (rows[i].configured)
			configure();
		tell_with(rows[i].type, ones, rows[i].size, fds, rows[i].n_fds);
		if (outcome() != 1)
			CHECK_FAIL("row %zu was taken", i);
		end();
	}
}

TEST(limit_of_zero_is_malformed)
{
	for (size_t i = 0; i < 4; i++) {
		struct wire_gate_config config = good_config;
		const int maps[2] = {supervisor, supervisor};

		memset((uint32_t *)&config + i, 0, sizeof(uint32_t));
		begin();
		tell_with(WIRE_GATE_CONFIG, &config, sizeof(config), maps, 2);
		CHECK_INT(outcome(), 1);
		end();
	}
}

static void open_with_dns(uint64_t sandbox, struct sockaddr_in *ret_dns)
{
	struct wire_gate_open open_message = {.sandbox = sandbox, .netns_cookie = 6};
	socklen_t size = sizeof(*ret_dns);
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	const int off = 0;
	struct sockaddr_in unused;
	int fds[3] = {listening(&unused), socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0),
		listening(&unused)};

	CHECK_INT(setsockopt(fds[1], IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
	CHECK_INT(bind(fds[1], (struct sockaddr *)&address, sizeof(address)), 0);
	size = sizeof(address);
	CHECK_INT(getsockname(fds[1], (struct sockaddr *)&address, &size), 0);
	*ret_dns = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = address.sin6_port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	tell_with(WIRE_GATE_OPEN, &open_message, sizeof(open_message), fds, 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void ask(int fd, const struct sockaddr_in *address)
{
	static const char query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\4site\4test\0\0\1\0\1";

	CHECK_INT(sendto(fd, query, sizeof(query) - 1, 0, (const struct sockaddr *)address,
			  sizeof(*address)),
		sizeof(query) - 1);
}

TEST(query_is_asked_answered_and_told)
{
	struct wire_gate_ticket ticket = {.sandbox = 5, .index = 2, .name = "site.test"};
	struct wire_gate_name name;
	struct wire_gate_dns line;
	struct sockaddr_in address;
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t answer[512];

	begin();
	configure();
	open_with_dns(5, &address);
	ask(client, &address);
	CHECK_INT(hear(&name, sizeof(name)), WIRE_GATE_NAME);
	CHECK(cookie_heard != 0);
	CHECK_INT(name.sandbox, 5);
	CHECK_TEXT(name.name, "site.test");
	tell(WIRE_GATE_TICKET, &ticket, sizeof(ticket), -1);
	CHECK_INT(hear(&line, sizeof(line)), WIRE_GATE_DNS);
	CHECK_INT(line.sandbox, 5);
	CHECK_INT(line.type, 1);
	CHECK_INT(line.rcode, 0);
	CHECK_TEXT(line.name, "site.test");
	CHECK(recv(client, answer, sizeof(answer), MSG_DONTWAIT) > 12);
	CHECK_INT(answer[7], 1);
	close(client);
	end();
}

TEST(swap_is_reviewed_and_said_to_be_done)
{
	const struct wire_gate_swap swap = {.sandbox = 5, .policy = 1};
	const struct {
		struct wire_gate_verdicts verdicts;
		uint64_t ids[2];
	} body = {.verdicts = {.sandbox = 5, .n_reset = 2}, .ids = {7, 8}};
	struct wire_gate_review review;
	struct wire_gate_close done;
	struct sockaddr_in address;

	begin();
	configure();
	open_with_dns(5, &address);
	tell(WIRE_GATE_SWAP, &swap, sizeof(swap), -1);
	CHECK_INT(hear(&review, sizeof(review)), WIRE_GATE_REVIEW);
	CHECK_INT(cookie_heard, COOKIE);
	CHECK_INT(review.sandbox, 5);
	CHECK_INT(review.n_flows, 0);
	tell(WIRE_GATE_VERDICTS, &body, sizeof(body), -1);
	CHECK_INT(hear(&done, sizeof(done)), WIRE_GATE_SWAPPED);
	CHECK_INT(cookie_heard, COOKIE);
	CHECK_INT(done.sandbox, 5);
	CHECK_INT(outcome(), RUNNING);
	end();
}
