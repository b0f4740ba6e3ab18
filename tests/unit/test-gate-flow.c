/* Bytes, ends and resets of single connections. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "tests/harness/check.h"
#include "tests/harness/relay-scene.h"

#define CHUNK 65536

static struct scene scene;

static void begin(int family)
{
	scene_prepare(&scene, family);
	scene_start(&scene);
	scene_open(&scene, 1);
}

static void reset(int fd)
{
	const struct linger at_once = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void check_report(const struct wire_gate_flow *report, enum wire_gate_end end, int error,
	uint64_t bytes_sent, uint64_t bytes_received)
{
	CHECK_INT(report->end, end);
	CHECK_INT(report->error, error);
	CHECK_INT(report->bytes_sent, bytes_sent);
	CHECK_INT(report->bytes_received, bytes_received);
	CHECK_INT(report->sandbox, 1);
	CHECK_INT(report->rule, 7);
	CHECK_INT(report->policy, 77);
	CHECK_INT(report->port, ntohs(scene.origin.sin6_port));
	CHECK(memcmp(report->address.bytes, &scene.origin.sin6_addr, 16) == 0);
}

/* One side of a stream: sends its own bytes while it checks the other's. */
struct talker {
	int fd;
	uint64_t sent, received;
	uint64_t send_from, receive_from; /* positions in the byte stream */
	uint64_t total;
};

static bool talk(struct talker *it)
{
	uint8_t bytes[CHUNK], expected[CHUNK];
	size_t left = it->total - it->sent < CHUNK ? it->total - it->sent : CHUNK;
	ssize_t n;

	scene_bytes(it->send_from + it->sent, bytes, left);
	n = left ? send(it->fd, bytes, left, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	CHECK(n >= 0 || errno == EAGAIN);
	it->sent += n > 0 ? (uint64_t)n : 0;
	if (it->sent == it->total && n > 0)
		CHECK_INT(shutdown(it->fd, SHUT_WR), 0);
	n = recv(it->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	CHECK(n >= 0 || errno == EAGAIN);
	if (n > 0) {
		scene_bytes(it->receive_from + it->received, expected, (size_t)n);
		CHECK(memcmp(bytes, expected, (size_t)n) == 0);
		it->received += (uint64_t)n;
	}
	return n != 0;
}

static void exchange(uint64_t total)
{
	struct talker client = {
		.fd = scene_dial(&scene, 1), .receive_from = 1ULL << 40, .total = total};
	struct talker origin = {
		.fd = scene_accept(&scene), .send_from = 1ULL << 40, .total = total};
	bool client_on = true, origin_on = true;

	while (client_on || origin_on) {
		client_on = client_on && talk(&client);
		origin_on = origin_on && talk(&origin);
		CHECK_INT(loop_run_once(scene.loop, 0), 0);
	}
	CHECK_INT(client.received, total);
	CHECK_INT(origin.received, total);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_CLOSED, 0, total, total);
	close(client.fd);
	close(origin.fd);
}

TEST(much_data_arrives_unchanged_both_ways_over_ipv4)
{
	begin(AF_INET);
	exchange(48 << 20);
	scene_end(&scene);
}

TEST(much_data_arrives_unchanged_both_ways_over_ipv6)
{
	begin(AF_INET6);
	exchange(48 << 20);
	scene_end(&scene);
}

/* Descriptors for the connection itself and none for a pipe. */
TEST(data_arrives_unchanged_without_a_pipe)
{
	scene_prepare(&scene, AF_INET);
	scene.config.n_fds_max = 3;
	scene_start(&scene);
	scene_open(&scene, 1);
	exchange(16 << 20);
	scene_end(&scene);
}

TEST(client_that_finished_writing_still_gets_the_answer)
{
	char text[16] = "";
	int client, origin;

	begin(AF_INET);
	client = scene_dial(&scene, 1);
	scene_write(&scene, client, "question", 8);
	CHECK_INT(shutdown(client, SHUT_WR), 0);
	origin = scene_accept(&scene);
	scene_read(&scene, origin, text, 8);
	CHECK_TEXT(text, "question");
	CHECK_INT(scene_read_end(&scene, origin), 0);
	scene_write(&scene, origin, "the answer", 10);
	scene_read(&scene, client, text, 10);
	CHECK_TEXT(text, "the answer");
	CHECK_INT(scene.n_reports, 0);
	close(origin);
	CHECK_INT(scene_read_end(&scene, client), 0);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_CLOSED, 0, 8, 10);
	close(client);
	scene_end(&scene);
}

TEST(server_that_finished_writing_still_gets_the_rest)
{
	char text[16] = "";
	int client, origin;

	begin(AF_INET6);
	client = scene_dial(&scene, 1);
	origin = scene_accept(&scene);
	scene_write(&scene, origin, "hello", 5);
	CHECK_INT(shutdown(origin, SHUT_WR), 0);
	scene_read(&scene, client, text, 5);
	CHECK_INT(scene_read_end(&scene, client), 0);
	scene_write(&scene, client, "goodbye", 7);
	scene_read(&scene, origin, text, 7);
	CHECK_TEXT(text, "goodbye");
	close(client);
	CHECK_INT(scene_read_end(&scene, origin), 0);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_CLOSED, 0, 7, 5);
	close(origin);
	scene_end(&scene);
}

TEST(reset_by_the_client_reaches_the_server)
{
	int client, origin;
	char byte;

	begin(AF_INET);
	client = scene_dial(&scene, 1);
	scene_write(&scene, client, "x", 1);
	origin = scene_accept(&scene);
	scene_read(&scene, origin, &byte, 1);
	reset(client);
	CHECK_INT(scene_read_end(&scene, origin), -ECONNRESET);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_RESET, -ECONNRESET, 1, 0);
	close(origin);
	scene_end(&scene);
}

/* As a server does that answers early and closes without reading the rest. */
TEST(reset_by_the_server_reaches_the_client_after_its_last_words)
{
	char text[8] = "";
	int client, origin;

	begin(AF_INET);
	client = scene_dial(&scene, 1);
	origin = scene_accept(&scene);
	scene_write(&scene, client, "unread", 6);
	while (recv(origin, text, sizeof(text), MSG_PEEK | MSG_DONTWAIT) < 0)
		scene_step(&scene);
	scene_write(&scene, origin, "no", 2);
	reset(origin);
	scene_read(&scene, client, text, 2);
	CHECK(memcmp(text, "no", 2) == 0);
	CHECK_INT(scene_read_end(&scene, client), -ECONNRESET);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_RESET, -ECONNRESET, 6, 2);
	close(client);
	scene_end(&scene);
}

TEST(urgent_data_arrives_in_its_place)
{
	char text[16] = "";
	int client, origin;

	begin(AF_INET);
	client = scene_dial(&scene, 1);
	origin = scene_accept(&scene);
	scene_write(&scene, client, "before ", 7);
	CHECK_INT(send(client, "!", 1, MSG_OOB), 1);
	scene_write(&scene, client, " after", 6);
	scene_read(&scene, origin, text, 14);
	CHECK_TEXT(text, "before ! after");
	scene_write(&scene, client, "more", 4);
	scene_read(&scene, origin, text, 4);
	close(client);
	close(origin);
	CHECK_INT(scene_report(&scene, 1)->bytes_sent, 18);
	scene_end(&scene);
}

TEST(refused_connect_becomes_a_reset)
{
	int client;

	begin(AF_INET);
	close(scene.origin_fd);
	scene.origin_fd = -1;
	client = scene_dial(&scene, 1);
	CHECK_INT(scene_read_end(&scene, client), -ECONNRESET);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_CONNECT, -ECONNREFUSED, 0, 0);
	close(client);
	scene_end(&scene);
}

/* A listening socket whose backlog is full drops what else arrives. */
TEST(connect_without_an_answer_times_out)
{
	int fillers[8], client;
	const struct wire_gate_flow *report;

	scene_prepare(&scene, AF_INET);
	scene.config.limits.connect_timeout_ms = 100;
	scene_start(&scene);
	scene_open(&scene, 1);
	CHECK_INT(listen(scene.origin_fd, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++) {
		fillers[i] = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		connect(fillers[i], (struct sockaddr *)&scene.origin, sizeof(scene.origin));
	}
	client = scene_dial(&scene, 1);
	report = scene_report(&scene, 1);
	check_report(report, WIRE_GATE_END_CONNECT, -ETIMEDOUT, 0, 0);
	CHECK(report->duration_us >= 100000);
	CHECK_INT(scene_read_end(&scene, client), -ECONNRESET);
	for (size_t i = 0; i < ARRAY_SIZE(fillers); i++)
		close(fillers[i]);
	close(client);
	scene_end(&scene);
}

TEST(silent_connection_ends_and_a_talking_one_does_not)
{
	uint64_t begin_ns = clock_monotonic_ns();
	int silent, talking, silent_origin, talking_origin;
	char byte;

	scene_prepare(&scene, AF_INET);
	scene.config.limits.idle_timeout_ms = 150;
	scene_start(&scene);
	scene_open(&scene, 1);
	silent = scene_dial(&scene, 1);
	silent_origin = scene_accept(&scene);
	talking = scene_dial(&scene, 1);
	talking_origin = scene_accept(&scene);
	while (clock_monotonic_ns() - begin_ns < 400 * NS_PER_MS) {
		scene_write(&scene, talking, "x", 1);
		scene_read(&scene, talking_origin, &byte, 1);
		scene_step(&scene);
	}
	check_report(scene_report(&scene, 1), WIRE_GATE_END_IDLE, -ETIMEDOUT, 0, 0);
	CHECK_INT(scene_read_end(&scene, silent), -ECONNRESET);
	CHECK_INT(scene_read_end(&scene, silent_origin), -ECONNRESET);
	CHECK_INT(scene_report(&scene, 2)->end, WIRE_GATE_END_IDLE);
	CHECK(scene.reports[1].bytes_sent > 0);
	close(silent);
	close(silent_origin);
	close(talking);
	close(talking_origin);
	scene_end(&scene);
}

/* Writes until nobody takes more: EAGAIN, and still EAGAIN after the loop found nothing to do. */
static uint64_t write_until_full(int fd)
{
	uint8_t bytes[CHUNK];
	uint64_t total = 0;

	for (int n_quiet = 0; n_quiet < 20;) {
		ssize_t sent;

		scene_bytes(total, bytes, sizeof(bytes));
		sent = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
		total += sent > 0 ? (uint64_t)sent : 0;
		n_quiet = sent > 0 ? 0 : n_quiet + 1;
		scene_step(&scene);
		CHECK(total < 64 << 20);
	}
	return total;
}

/* Bytes that are accepted for a reader that does not read, all of which must arrive once it does.
 */
static void check_slow_reader(void)
{
	uint8_t bytes[CHUNK], expected[CHUNK];
	uint64_t total, received = 0;
	int client, origin;

	client = scene_dial(&scene, 1);
	origin = scene_accept(&scene);
	total = write_until_full(client);
	/* The writer's own buffer (net.ipv4.tcp_wmem[2], 4 MiB), two receive buffers that nobody
	 * reads and that therefore do not grow, at most UNSENT_BYTES_MAX and one pipe of ours. */
	CHECK(total < 8 << 20);
	CHECK_INT(shutdown(client, SHUT_WR), 0);
	while (received < total) {
		size_t size = total - received < CHUNK ? total - received : CHUNK;

		scene_read(&scene, origin, bytes, size);
		scene_bytes(received, expected, size);
		CHECK(memcmp(bytes, expected, size) == 0);
		received += size;
	}
	CHECK_INT(scene_read_end(&scene, origin), 0);
	close(origin);
	CHECK_INT(scene_read_end(&scene, client), 0);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_CLOSED, 0, total, 0);
	close(client);
	scene_end(&scene);
}

TEST(slow_reader_holds_its_writer_back_and_loses_nothing)
{
	begin(AF_INET);
	check_slow_reader();
}

TEST(slow_reader_loses_nothing_without_a_pipe)
{
	scene_prepare(&scene, AF_INET);
	scene.config.n_fds_max = 3;
	scene_start(&scene);
	scene_open(&scene, 1);
	check_slow_reader();
}

/* The server finished first and reads late: the connection ends here while much of what the client
 * sent is still in the kernel's queue. */
TEST(bytes_queued_at_an_orderly_end_still_arrive)
{
	enum { SIZE = 128 * 1024 };
	static uint8_t sent[SIZE], received[SIZE];
	const int small = 4096;
	int client, origin;

	begin(AF_INET);
	setsockopt(scene.origin_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	scene_bytes(0, sent, SIZE);
	client = scene_dial(&scene, 1);
	origin = scene_accept(&scene);
	CHECK_INT(shutdown(origin, SHUT_WR), 0);
	CHECK_INT(scene_read_end(&scene, client), 0);
	scene_write(&scene, client, sent, SIZE);
	close(client);
	check_report(scene_report(&scene, 1), WIRE_GATE_END_CLOSED, 0, SIZE, 0);
	scene_read(&scene, origin, received, SIZE);
	CHECK(memcmp(sent, received, SIZE) == 0);
	CHECK_INT(scene_read_end(&scene, origin), 0);
	close(origin);
	scene_end(&scene);
}

/* Its bytes that were on their way end with it: the next connection sees its own only. */
TEST(reset_passes_by_a_reader_that_stopped_and_takes_its_bytes_along)
{
	int client, origin, other, other_origin;
	char text[8] = "";

	begin(AF_INET);
	client = scene_dial(&scene, 1);
	origin = scene_accept(&scene);
	write_until_full(client);
	reset(client);
	CHECK_INT(scene_report(&scene, 1)->end, WIRE_GATE_END_RESET);
	other = scene_dial(&scene, 1);
	other_origin = scene_accept(&scene);
	scene_write(&scene, other, "mine", 4);
	scene_read(&scene, other_origin, text, 4);
	CHECK_TEXT(text, "mine");
	close(origin);
	close(other);
	close(other_origin);
	scene_end(&scene);
}
