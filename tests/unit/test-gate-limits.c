/* What the gate refuses, what it bounds, and that sandboxes do not wait for each other. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/gate/state.h"
#include "tests/harness/check.h"
#include "tests/harness/relay-scene.h"

static struct scene scene;

static void begin(void)
{
	scene_prepare(&scene, AF_INET);
	scene_start(&scene);
	scene_open(&scene, 1);
	scene_open(&scene, 2);
}

/* The connection is relayed: a byte crosses it. Returns the origin's end. */
static int check_works(int client)
{
	int origin = scene_accept(&scene);
	char byte = 0;

	scene_write(&scene, client, "w", 1);
	scene_read(&scene, origin, &byte, 1);
	CHECK_INT(byte, 'w');
	return origin;
}

static void check_refused(int client, enum wire_gate_end end, int error)
{
	const struct wire_gate_flow *report = scene_report(&scene, scene.n_reports + 1);

	CHECK_INT(report->end, end);
	CHECK_INT(report->error, error);
	CHECK_INT(scene_read_end(&scene, client), -ECONNRESET);
	CHECK(accept(scene.origin_fd, NULL, NULL) < 0);
	close(client);
}

/* ---- what nobody wrote down */

TEST(connection_that_nobody_wrote_down_is_refused)
{
	struct scene_flow flow;
	int client, origin;

	begin();
	client = scene_client(&scene, 1, AF_INET, &flow);
	scene_connect(&scene, 1, client, AF_INET);
	check_refused(client, WIRE_GATE_END_NO_FLOW, -ENOENT);
	client = scene_client(&scene, 1, AF_INET, &flow);
	scene_write_down(&scene, &flow);
	scene_connect(&scene, 1, client, AF_INET);
	origin = check_works(client);
	close(client);
	close(origin);
	scene_end(&scene);
}

TEST(flow_of_another_namespace_sandbox_address_or_protocol_is_refused)
{
	struct scene_flow wrong[4];
	int clients[4];

	begin();
	for (size_t i = 0; i < 4; i++)
		clients[i] = scene_client(&scene, 1, AF_INET, &wrong[i]);
	wrong[0].key.netns_cookie = 1002;
	wrong[1].flow.sandbox = 2;
	wrong[2].key.local_address.bytes[15] = 2;
	wrong[3].flow.protocol = IPPROTO_UDP;
	for (size_t i = 0; i < 4; i++) {
		scene_write_down(&scene, &wrong[i]);
		scene_connect(&scene, 1, clients[i], AF_INET);
		check_refused(clients[i], WIRE_GATE_END_NO_FLOW, -ENOENT);
	}
	scene_end(&scene);
}

/* Both families at one listening socket, each with the key that the kernel writes for it. */
TEST(clients_of_both_families_are_looked_up_by_their_own_address)
{
	static const int families[] = {AF_INET, AF_INET6};

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct scene_flow flow;
		int client = scene_client(&scene, 1, families[i], &flow), origin;

		scene_write_down(&scene, &flow);
		scene_connect(&scene, 1, client, families[i]);
		origin = check_works(client);
		close(client);
		close(origin);
	}
	scene_end(&scene);
}

/* ---- the host's own loopback */

TEST(host_itself_is_no_destination_even_if_written_down)
{
	static const uint8_t hosts[][16] = {{[10] = 0xff, 0xff, 127, 0, 0, 1},
		{[10] = 0xff, 0xff, 127, 255, 1, 2}, {[10] = 0xff, 0xff, 0, 0, 0, 0}, {[15] = 1},
		{0}, {[12] = 127, 0, 0, 1}};

	scene_prepare(&scene, AF_INET);
	scene.config.allow_loopback = false;
	scene_start(&scene);
	scene_open(&scene, 1);
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		struct scene_flow flow;
		int client = scene_client(&scene, 1, AF_INET, &flow);

		memcpy(flow.flow.address.bytes, hosts[i], 16);
		scene_write_down(&scene, &flow);
		scene_connect(&scene, 1, client, AF_INET);
		check_refused(client, WIRE_GATE_END_CONNECT, -EACCES);
	}
	scene_end(&scene);
}

/* ---- limits */

TEST(sandbox_at_its_limit_is_refused_and_another_is_not)
{
	int clients[3], origins[3];

	scene_prepare(&scene, AF_INET);
	scene.config.limits.n_flows_per_sandbox_max = 2;
	scene_start(&scene);
	scene_open(&scene, 1);
	scene_open(&scene, 2);
	for (size_t i = 0; i < 2; i++) {
		clients[i] = scene_dial(&scene, 1);
		origins[i] = check_works(clients[i]);
	}
	check_refused(scene_dial(&scene, 1), WIRE_GATE_END_LIMIT, -EUSERS);
	clients[2] = scene_dial(&scene, 2);
	origins[2] = check_works(clients[2]);
	/* One ends, one may come. */
	close(clients[0]);
	close(origins[0]);
	CHECK_INT(scene_report(&scene, 2)->end, WIRE_GATE_END_CLOSED);
	clients[0] = scene_dial(&scene, 1);
	origins[0] = check_works(clients[0]);
	for (size_t i = 0; i < 3; i++) {
		close(clients[i]);
		close(origins[i]);
	}
	scene_end(&scene);
}

TEST(all_sandboxes_together_have_a_limit)
{
	int client, origin;

	scene_prepare(&scene, AF_INET);
	scene.config.limits.n_flows_max = 1;
	scene_start(&scene);
	scene_open(&scene, 1);
	scene_open(&scene, 2);
	client = scene_dial(&scene, 1);
	origin = check_works(client);
	check_refused(scene_dial(&scene, 2), WIRE_GATE_END_LIMIT, -EUSERS);
	close(client);
	close(origin);
	scene_end(&scene);
}

TEST(connection_waits_in_the_backlog_while_descriptors_are_short)
{
	int clients[2], origins[2];
	struct wire_gate_state state;

	scene_prepare(&scene, AF_INET);
	scene.config.n_fds_max = 3; /* the listening socket and one connection */
	scene_start(&scene);
	scene_open(&scene, 1);
	clients[0] = scene_dial(&scene, 1);
	origins[0] = check_works(clients[0]);
	clients[1] = scene_dial(&scene, 1);
	for (int i = 0; i < 20; i++)
		scene_step(&scene);
	gate_count(scene.gate, &state);
	CHECK_INT(state.n_flows, 1);
	CHECK_INT(scene.n_reports, 0);
	close(clients[0]);
	close(origins[0]);
	origins[1] = check_works(clients[1]);
	close(clients[1]);
	close(origins[1]);
	scene_end(&scene);
}

TEST(listening_socket_needs_a_descriptor_too)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	scene_prepare(&scene, AF_INET);
	scene.config.n_fds_max = 1;
	scene_start(&scene);
	scene_open(&scene, 1);
	CHECK_INT(gate_open(scene.gate, 2, 1002, &(struct gate_sockets){fd, -1, -1}), -ENOSPC);
	CHECK(close(fd) < 0);
	scene_end(&scene);
}

static int refuse_first_report(void *userdata, const struct wire_gate_flow *flow)
{
	struct scene *it = userdata;

	it->reports[it->n_reports++] = *flow;
	return it->n_reports == 1 ? -ENOBUFS : 0;
}

TEST(report_that_nobody_takes_pauses_and_does_not_stop)
{
	int client, origin;
	struct scene_flow flow;

	scene_prepare(&scene, AF_INET);
	scene.config.report = refuse_first_report;
	scene_start(&scene);
	scene_open(&scene, 1);
	client = scene_client(&scene, 1, AF_INET, &flow);
	scene_connect(&scene, 1, client, AF_INET);
	check_refused(client, WIRE_GATE_END_NO_FLOW, -ENOENT);
	client = scene_dial(&scene, 1);
	origin = check_works(client);
	close(client);
	close(origin);
	scene_end(&scene);
}

/* ---- closing a sandbox */

TEST(closing_a_sandbox_resets_its_connections_and_no_others)
{
	int clients[2], origins[2];
	struct sockaddr_in6 address = {.sin6_family = AF_INET6};
	int late = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	begin();
	for (size_t i = 0; i < 2; i++) {
		clients[i] = scene_dial(&scene, 1 + i);
		origins[i] = check_works(clients[i]);
	}
	gate_close(scene.gate, 1);
	gate_close(scene.gate, 3);
	CHECK_INT(scene_report(&scene, 1)->end, WIRE_GATE_END_SANDBOX);
	CHECK_INT(scene.reports[0].sandbox, 1);
	CHECK_INT(scene.reports[0].bytes_sent, 1);
	CHECK_INT(scene_read_end(&scene, clients[0]), -ECONNRESET);
	CHECK_INT(scene_read_end(&scene, origins[0]), -ECONNRESET);
	address.sin6_port = htons(scene.ports[1]);
	CHECK(connect(late, (struct sockaddr *)&address, sizeof(address)) < 0);
	CHECK_INT(errno, ECONNREFUSED);
	scene_write(&scene, clients[1], "x", 1);
	scene_read(&scene, origins[1], &(char){0}, 1);
	scene_open(&scene, 1);
	CHECK_INT(gate_open(scene.gate, 1, 1001, &(struct gate_sockets){late, -1, -1}), -EEXIST);
	for (size_t i = 0; i < 2; i++) {
		close(clients[i]);
		close(origins[i]);
	}
	scene_end(&scene);
}

/* ---- fairness */

#define N_BULK 48

static void fill(int fd)
{
	static const char bytes[65536];

	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
}

static uint64_t take_all(const int *fds, size_t n)
{
	static char bytes[262144];
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		ssize_t got;

		while ((got = recv(fds[i], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
			total += (uint64_t)got;
	}
	return total;
}

/* Sandbox 1 has as much to send as fits into 48 connections; sandbox 2 sends one byte. In every
 * round of the loop each has its share, so the byte arrives while sandbox 1 has moved few shares.
 */
TEST(busy_sandbox_does_not_hold_up_another)
{
	int bulk[N_BULK], bulk_origins[N_BULK], client, origin;
	uint64_t moved = 0;
	char byte;

	begin();
	for (size_t i = 0; i < N_BULK; i++) {
		bulk[i] = scene_dial(&scene, 1);
		bulk_origins[i] = scene_accept(&scene);
	}
	client = scene_dial(&scene, 2);
	origin = check_works(client);
	for (size_t i = 0; i < N_BULK; i++)
		fill(bulk[i]);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	take_all(bulk_origins, N_BULK);
	scene_write(&scene, client, "x", 1);
	while (recv(origin, &byte, 1, MSG_DONTWAIT) < 0) {
		CHECK_INT(loop_run_once(scene.loop, 0), 0);
		moved += take_all(bulk_origins, N_BULK);
	}
	CHECK(moved <= 2 * (256 + 256) * 1024);
	/* And there was more to move. */
	for (int i = 0; i < 50; i++) {
		scene_step(&scene);
		moved += take_all(bulk_origins, N_BULK);
	}
	CHECK(moved > 4 * (256 + 256) * 1024);
	for (size_t i = 0; i < N_BULK; i++) {
		close(bulk[i]);
		close(bulk_origins[i]);
	}
	close(client);
	close(origin);
	scene_end(&scene);
}

#define PIPES_HELD 32

static size_t pipes_held(void)
{
	return scene.gate->pipes.n_all - scene.gate->pipes.n_stock;
}

/* One sandbox's slow readers keep no more pipes than it may, and others still have theirs. */
TEST(slow_readers_of_one_sandbox_leave_pipes_to_others)
{
	int clients[N_BULK * 2], origins[N_BULK * 2], client, origin;

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		clients[i] = scene_dial(&scene, 1);
		origins[i] = scene_accept(&scene);
	}
	for (int round = 0; round < 5000 && pipes_held() < PIPES_HELD; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(clients) && round % 16 == 0; i++)
			fill(clients[i]);
		CHECK_INT(loop_run_once(scene.loop, 0), 0);
	}
	for (int round = 0; round < 500; round++)
		CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(pipes_held(), PIPES_HELD);
	client = scene_dial(&scene, 2);
	origin = check_works(client);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		close(clients[i]);
		close(origins[i]);
	}
	close(client);
	close(origin);
	scene_end(&scene);
}
