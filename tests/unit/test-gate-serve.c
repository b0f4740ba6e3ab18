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

static struct loop *loop;
static struct serve *serve;
static int supervisor;

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

static void tell(uint16_t type, const void *body, size_t size, int fd)
{
	_Alignas(8) char bytes[1024];
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct wire_header header = {
		.version = WIRE_VERSION, .type = type, .size = (uint32_t)(sizeof(header) + size)};
	struct iovec part = {bytes, header.size};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	memcpy(bytes, &header, sizeof(header));
	if (size)
		memcpy(bytes + sizeof(header), body, size);
	if (fd >= 0) {
		message.msg_control = control;
		message.msg_controllen = sizeof(control);
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(int));
	}
	CHECK_INT(sendmsg(supervisor, &message, MSG_NOSIGNAL), header.size);
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

	tell(WIRE_GATE_CONFIG, &good_config, sizeof(good_config), map);
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
	bool with_fd, configured;
};

TEST(malformed_message_ends_the_gate_with_an_error)
{
	static const struct malformed rows[] = {
		{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config), false, false},
		{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config) - 4, true, false},
		{WIRE_GATE_CONFIG, sizeof(struct wire_gate_config), true, true}, /* twice */
		{WIRE_GATE_OPEN, sizeof(struct wire_gate_open), true, false},    /* too early */
		{WIRE_GATE_OPEN, sizeof(struct wire_gate_open), false, true},
		{WIRE_GATE_OPEN, sizeof(struct wire_gate_open) + 8, true, true},
		{WIRE_GATE_CLOSE, sizeof(struct wire_gate_close), false, false},
		{WIRE_GATE_CLOSE, sizeof(struct wire_gate_close), true, true},
		{WIRE_GATE_READY, 0, false, true},
		{0, 0, false, true},
		{77, 0, false, true},
	};
	static const char ones[512] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		begin();
		if (rows[i].configured)
			configure();
		tell(rows[i].type, ones, rows[i].size, rows[i].with_fd ? supervisor : -1);
		if (outcome() != 1)
			CHECK_FAIL("row %zu was taken", i);
		end();
	}
}

TEST(limit_of_zero_is_malformed)
{
	for (size_t i = 0; i < 4; i++) {
		struct wire_gate_config config = good_config;

		memset((uint32_t *)&config + i, 0, sizeof(uint32_t));
		begin();
		tell(WIRE_GATE_CONFIG, &config, sizeof(config), supervisor);
		CHECK_INT(outcome(), 1);
		end();
	}
}
