/* Checked bytes in bulk: unchanged, held back by a slow server, in a bounded buffer. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/gate/named.h"
#include "tests/harness/check.h"
#include "tests/harness/names-scene.h"

#define NAME "site.test"
#define BODY_BYTES (24 << 20)
#define CHUNK 65536

static struct names_scene names;
static struct scene *const scene = &names.relay;

static void begin(void)
{
	names_scene_prepare(&names, AF_INET);
	names_scene_add_host(&names, &(struct names_host){NAME, {"127.0.0.1"}});
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_ticket(&names, 1, 3, NAME, 0, 0);
}

static const struct inlet *inlet(void)
{
	struct listener *listener = table_get(scene->gate->listeners, 1);

	return &TAILQ_FIRST(&listener->flows)->named->inlet;
}

/* Sends what the socket takes; returns how many bytes. */
static size_t push(int fd, uint64_t position, uint64_t end)
{
	uint8_t bytes[CHUNK];
	size_t left = end - position < CHUNK ? (size_t)(end - position) : CHUNK;
	ssize_t sent;

	scene_bytes(position, bytes, left);
	sent = left ? send(fd, bytes, left, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
	CHECK(sent >= 0 || errno == EAGAIN);
	return sent > 0 ? (size_t)sent : 0;
}

static size_t pull(int fd, uint64_t position)
{
	uint8_t bytes[CHUNK], expected[CHUNK];
	ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	CHECK(got > 0 || errno == EAGAIN);
	if (got <= 0)
		return 0;
	scene_bytes(position, expected, (size_t)got);
	CHECK(memcmp(bytes, expected, (size_t)got) == 0);
	return (size_t)got;
}

static int start_upload(int *ret_client)
{
	char head[256], seen[256];
	int origin, n = snprintf(head, sizeof(head),
			    "PUT /x HTTP/1.1\r\nHost: " NAME "\r\nContent-Length: %d\r\n\r\n",
			    BODY_BYTES);

	*ret_client = names_scene_dial(&names, 1, 3);
	scene_write(scene, *ret_client, head, (size_t)n);
	origin = scene_accept(scene);
	scene_read(scene, origin, seen, (size_t)n);
	CHECK(memcmp(head, seen, (size_t)n) == 0);
	return origin;
}

TEST(large_upload_arrives_unchanged_and_the_next_request_is_judged)
{
	static const char next[] = "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n";
	uint64_t sent = 0, received = 0;
	int client, origin;

	begin();
	origin = start_upload(&client);
	while (received < BODY_BYTES) {
		sent += push(client, sent, BODY_BYTES);
		received += pull(origin, received);
		CHECK_INT(loop_run_once(scene->loop, 0), 0);
	}
	scene_write(scene, client, next, sizeof(next) - 1);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_NAME);
	CHECK_INT(scene_read_end(scene, origin), -ECONNRESET);
	close(client);
	close(origin);
	names_scene_end(&names);
}

/* Nobody reads: the client's sending stops, what the gate holds stays small, and it all arrives
 * when the server reads again. */
TEST(slow_server_holds_the_client_back)
{
	uint64_t sent = 0, received = 0, end_ns;
	int client, origin;

	begin();
	origin = start_upload(&client);
	end_ns = clock_monotonic_ns() + NS_PER_SECOND;
	while (clock_monotonic_ns() < end_ns) {
		size_t more = push(client, sent, BODY_BYTES);

		sent += more;
		if (more > 0)
			end_ns = clock_monotonic_ns() + 200 * NS_PER_MS;
		CHECK_INT(loop_run_once(scene->loop, 1), 0);
		CHECK(inlet()->n_buffer_max <= INSPECT_HELD_MAX);
	}
	CHECK(sent < BODY_BYTES);
	while (received < BODY_BYTES) {
		sent += push(client, sent, BODY_BYTES);
		received += pull(origin, received);
		CHECK_INT(loop_run_once(scene->loop, 0), 0);
	}
	close(client);
	close(origin);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_CLOSED);
	names_scene_end(&names);
}

TEST(long_download_is_not_copied_and_arrives_unchanged)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: " NAME "\r\n\r\n";
	uint64_t sent = 0, received = 0;
	char seen[128];
	int client, origin;

	begin();
	client = names_scene_dial(&names, 1, 3);
	scene_write(scene, client, request, sizeof(request) - 1);
	origin = scene_accept(scene);
	scene_read(scene, origin, seen, sizeof(request) - 1);
	while (received < BODY_BYTES) {
		sent += push(origin, sent, BODY_BYTES);
		received += pull(client, received);
		CHECK_INT(loop_run_once(scene->loop, 0), 0);
	}
	CHECK(scene->gate->pipes.n_all > 0);
	CHECK_INT(inlet()->n_buffer, 0);
	close(client);
	close(origin);
	CHECK_INT(scene_report(scene, 1)->bytes_received, BODY_BYTES);
	names_scene_end(&names);
}

/* A head in 2,000 pieces, far larger than the buffer is at first. */
TEST(long_head_in_pieces_is_sent_on_whole)
{
	static char head[40000], seen[40000];
	int n = snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: " NAME "\r\n"), client,
	    origin;

	while (n < 30000)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "X-Field-%d: value %d\r\n", n, n);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
	begin();
	client = names_scene_dial(&names, 1, 3);
	for (int i = 0; i < n; i += 15) {
		scene_write(scene, client, head + i, (size_t)(n - i < 15 ? n - i : 15));
		if (i % 150 == 0)
			CHECK_INT(loop_run_once(scene->loop, 0), 0);
	}
	origin = scene_accept(scene);
	scene_read(scene, origin, seen, (size_t)n);
	CHECK(memcmp(head, seen, (size_t)n) == 0);
	/* And the large buffer is given back. */
	CHECK(inlet()->n_buffer_max <= 4096);
	close(client);
	close(origin);
	names_scene_end(&names);
}

/* The page is read by a client that sends on and on, and by one that never closes. */
TEST(refused_client_that_stays_is_let_go)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n";
	struct wire_gate_state state = {.n_flows = 1};
	uint64_t end_ns;
	char page[4096];
	int client;

	begin();
	client = names_scene_dial(&names, 1, 3);
	scene_write(scene, client, request, sizeof(request) - 1);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_NAME);
	CHECK(send(client, page, sizeof(page), MSG_DONTWAIT | MSG_NOSIGNAL) > 0);
	scene_step(scene);
	CHECK(recv(client, page, sizeof(page), MSG_DONTWAIT) > 0);
	gate_count(scene->gate, &state);
	CHECK_INT(state.n_flows, 1);
	end_ns = clock_monotonic_ns() + 5 * NS_PER_SECOND;
	while (state.n_flows > 0) {
		CHECK(clock_monotonic_ns() < end_ns);
		scene_step(scene);
		gate_count(scene->gate, &state);
	}
	CHECK_INT(state.n_flows_total, 1);
	CHECK_INT(scene->n_reports, 1);
	close(client);
	names_scene_end(&names);
}
