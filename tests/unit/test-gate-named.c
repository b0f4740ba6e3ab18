/* Connections to names: what they must ask for, where they may go, how they are refused. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"
#include "tests/harness/names-scene.h"

#define NAME "site.test"
#define INDEX 3

static struct names_scene names;
static struct scene *const scene = &names.relay;
static size_t n_checked; /* reports */

static void begin_with(uint16_t flags)
{
	n_checked = 0;
	names_scene_prepare(&names, AF_INET);
	names_scene_add_host(&names, &(struct names_host){NAME, {"127.0.0.1"}});
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_ticket(&names, 1, INDEX, NAME, flags, 0);
}

static size_t put_bytes(uint8_t *at, const uint8_t *bytes, size_t n_bytes)
{
	memcpy(at, bytes, n_bytes);
	return n_bytes;
}

static size_t put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return 2;
}

/* A ClientHello that asks for `name` (NULL: for none), in one record. */
static size_t hello(uint8_t *ret_bytes, const char *name)
{
	static const uint8_t suites[] = {0, 2, 0x13, 0x01, 1, 0}, random[32] = {7},
			     versions[] = {0, 43, 0, 3, 2, 3, 4};
	size_t n = 9, n_name = name ? strlen(name) : 0, extensions;

	n += put16(ret_bytes + n, 0x0303);
	n += put_bytes(ret_bytes + n, random, sizeof(random));
	ret_bytes[n++] = 0;
	n += put_bytes(ret_bytes + n, suites, sizeof(suites));
	extensions = n;
	n += 2;
	if (name) {
		n += put16(ret_bytes + n, 0);
		n += put16(ret_bytes + n, n_name + 5);
		n += put16(ret_bytes + n, n_name + 3);
		ret_bytes[n++] = 0;
		n += put16(ret_bytes + n, n_name);
		n += put_bytes(ret_bytes + n, (const uint8_t *)name, n_name);
	}
	n += put_bytes(ret_bytes + n, versions, sizeof(versions));
	put16(ret_bytes + extensions, n - extensions - 2);
	memcpy(ret_bytes, (uint8_t[]){22, 3, 1, 0, 0, 1, 0}, 7);
	put16(ret_bytes + 3, n - 5);
	put16(ret_bytes + 7, n - 9);
	return n;
}

static void check_report(enum wire_gate_end end, int error, const char *said)
{
	const struct wire_gate_flow *report = scene_report(scene, ++n_checked);

	CHECK_INT(report->end, end);
	CHECK_INT(report->error, error);
	CHECK_TEXT(report->name, NAME);
	CHECK_TEXT(report->said, said);
	CHECK_INT(report->rule, 5);
}

/* Reads until the end; returns how many bytes. */
static size_t read_all(int fd, char *ret_text, size_t size)
{
	size_t used = 0;

	for (int i = 0; i < 2000; i++) {
		ssize_t got = recv(fd, ret_text + used, size - 1 - used, MSG_DONTWAIT);

		if (got == 0)
			break;
		CHECK(got > 0 || errno == EAGAIN);
		used += got > 0 ? (size_t)got : 0;
		scene_step(scene);
	}
	ret_text[used] = '\0';
	return used;
}

static void check_alert(int client, uint8_t description)
{
	uint8_t bytes[16];

	CHECK_INT(read_all(client, (char *)bytes, sizeof(bytes)), 7);
	CHECK_INT(bytes[0], 21);
	CHECK_INT(bytes[5], 2);
	CHECK_INT(bytes[6], description);
}

/* What was sent arrives, an answer comes back. Returns the origin's end. */
static int check_relayed(int client, const void *sent, size_t size)
{
	int origin = scene_accept(scene);
	char bytes[4096];

	CHECK(size <= sizeof(bytes));
	scene_read(scene, origin, bytes, size);
	CHECK(memcmp(bytes, sent, size) == 0);
	scene_write(scene, origin, "answer", 6);
	scene_read(scene, client, bytes, 6);
	CHECK(memcmp(bytes, "answer", 6) == 0);
	return origin;
}

static void check_nobody_came(void)
{
	CHECK(accept(scene->origin_fd, NULL, NULL) < 0);
	CHECK_INT(errno, EAGAIN);
}

/* Both ends close, and the connection was in order. */
static void check_closes(int client, int origin)
{
	close(client);
	close(origin);
	check_report(WIRE_GATE_END_CLOSED, 0, "");
}

/* ---- TLS */

TEST(tls_that_asks_for_the_name_passes)
{
	uint8_t bytes[512];
	size_t size = hello(bytes, NAME);
	int client, origin;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, bytes, size);
	origin = check_relayed(client, bytes, size);
	close(client);
	close(origin);
	check_report(WIRE_GATE_END_CLOSED, 0, "");
	CHECK_INT(scene->reports[0].bytes_sent, size);
	CHECK_INT(scene->reports[0].dialled.bytes[12], 127);
	names_scene_end(&names);
}

TEST(tls_that_asks_for_another_name_gets_an_alert_and_goes_nowhere)
{
	uint8_t bytes[512];
	int client;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, bytes, hello(bytes, "other.test"));
	check_alert(client, 112);
	check_report(WIRE_GATE_END_NAME, -EACCES, "other.test");
	check_nobody_came();
	CHECK_INT(names.n_resolver_queries, 0);
	close(client);
	names_scene_end(&names);
}

TEST(tls_name_in_pieces_passes)
{
	uint8_t bytes[512];
	size_t size = hello(bytes, "SITE.test");
	int client, origin;

	begin_with(WIRE_GATE_RANGE_TLS);
	client = names_scene_dial(&names, 1, INDEX);
	for (size_t i = 0; i < size; i++) {
		CHECK_INT(names.n_resolver_queries, 0);
		scene_write(scene, client, bytes + i, 1);
		scene_step(scene);
	}
	origin = check_relayed(client, bytes, size);
	close(client);
	close(origin);
	check_report(WIRE_GATE_END_CLOSED, 0, "");
	names_scene_end(&names);
}

TEST(tls_without_a_name_is_refused)
{
	uint8_t bytes[512];
	int client;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, bytes, hello(bytes, NULL));
	check_alert(client, 112);
	check_report(WIRE_GATE_END_NAME, -EACCES, "");
	check_nobody_came();
	close(client);
	names_scene_end(&names);
}

/* ---- HTTP */

#define REQUEST "GET / HTTP/1.1\r\nHost: " NAME "\r\n\r\n"
#define OTHER "GET / HTTP/1.1\r\nHost: other.test\r\n\r\n"

static void check_page(int client, const char *status)
{
	char text[4096];

	read_all(client, text, sizeof(text));
	if (!strstr(text, status))
		CHECK_FAIL("the page is: %s", text);
	CHECK(strstr(text, "test-policy"));
}

TEST(http_that_asks_for_the_name_passes_each_time)
{
	int client, origin;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, REQUEST, strlen(REQUEST));
	origin = check_relayed(client, REQUEST, strlen(REQUEST));
	for (int i = 0; i < 3; i++) {
		char bytes[256];

		scene_write(scene, client, REQUEST, strlen(REQUEST));
		scene_read(scene, origin, bytes, strlen(REQUEST));
		CHECK(memcmp(bytes, REQUEST, strlen(REQUEST)) == 0);
	}
	check_closes(client, origin);
	names_scene_end(&names);
}

TEST(first_request_for_another_name_gets_a_page)
{
	int client;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, OTHER, strlen(OTHER));
	check_page(client, "HTTP/1.1 403 ");
	check_report(WIRE_GATE_END_NAME, -EACCES, "other.test");
	check_nobody_came();
	close(client);
	names_scene_end(&names);
}

TEST(second_request_for_another_name_never_reaches_the_server)
{
	int client, origin;
	char byte;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, REQUEST, strlen(REQUEST));
	origin = check_relayed(client, REQUEST, strlen(REQUEST));
	scene_write(scene, client, OTHER, strlen(OTHER));
	check_report(WIRE_GATE_END_NAME, -EACCES, "other.test");
	CHECK_INT(scene->reports[0].bytes_sent, strlen(REQUEST));
	CHECK_INT(scene_read_end(scene, origin), -ECONNRESET);
	CHECK(recv(client, &byte, 1, MSG_DONTWAIT) <= 0);
	close(client);
	close(origin);
	names_scene_end(&names);
}

TEST(both_requests_in_one_segment_are_told_apart)
{
	int client, origin;
	char bytes[256];

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, REQUEST OTHER, strlen(REQUEST OTHER));
	check_report(WIRE_GATE_END_NAME, -EACCES, "other.test");
	/* Whether the first got through first is of no matter; the second must not. */
	origin = accept4(scene->origin_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (origin >= 0) {
		ssize_t got = recv(origin, bytes, sizeof(bytes), 0);

		CHECK(got <= (ssize_t)strlen(REQUEST));
		close(origin);
	}
	close(client);
	names_scene_end(&names);
}

TEST(proxy_and_other_protocols_are_refused_where_plain_http_passes)
{
	static const struct {
		const char *bytes, *status;
	} rows[] = {
		{"CONNECT " NAME ":443 HTTP/1.1\r\nHost: " NAME "\r\n\r\n", "HTTP/1.1 403 "},
		{"GET / HTTP/1.1\r\nHost: " NAME "\r\nContent-Length: 1\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n",
			"HTTP/1.1 400 "},
		{"GET http://other.test/ HTTP/1.1\r\nHost: " NAME "\r\n\r\n", "HTTP/1.1 403 "},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 40"},
	};

	begin_with(0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int client = names_scene_dial(&names, 1, INDEX);

		scene_write(scene, client, rows[i].bytes, strlen(rows[i].bytes));
		check_page(client, rows[i].status);
		CHECK(scene_report(scene, i + 1)->end == WIRE_GATE_END_PROTOCOL ||
			scene->reports[i].end == WIRE_GATE_END_NAME);
		close(client);
	}
	check_nobody_came();
	names_scene_end(&names);
}

TEST(rule_that_wants_tls_refuses_http)
{
	int client;

	begin_with(WIRE_GATE_RANGE_TLS);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, REQUEST, strlen(REQUEST));
	check_page(client, "HTTP/1.1 403 ");
	check_report(WIRE_GATE_END_PROTOCOL, -EPROTO, "");
	check_nobody_came();
	close(client);
	names_scene_end(&names);
}

#define UPGRADE                                                                                    \
	"GET /chat HTTP/1.1\r\nHost: " NAME                                                        \
	"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"           \
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define SWITCHES                                                                                   \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

TEST(websocket_is_opaque_once_the_server_agreed)
{
	int client, origin;
	char bytes[512];

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, UPGRADE, strlen(UPGRADE));
	origin = scene_accept(scene);
	scene_read(scene, origin, bytes, strlen(UPGRADE));
	scene_write(scene, origin, SWITCHES, strlen(SWITCHES));
	scene_read(scene, client, bytes, strlen(SWITCHES));
	CHECK(memcmp(bytes, SWITCHES, strlen(SWITCHES)) == 0);
	scene_write(scene, client, "\x81\x05Hello", 7);
	scene_read(scene, origin, bytes, 7);
	CHECK(memcmp(bytes, "\x81\x05Hello", 7) == 0);
	check_closes(client, origin);
	names_scene_end(&names);
}

TEST(websocket_bytes_before_the_server_agreed_are_refused)
{
	int client, origin;
	char bytes[512];

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, UPGRADE, strlen(UPGRADE));
	origin = scene_accept(scene);
	scene_read(scene, origin, bytes, strlen(UPGRADE));
	scene_write(scene, client, "\x81\x05Hello", 7);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_PROTOCOL);
	CHECK_INT(scene_read_end(scene, origin), -ECONNRESET);
	close(client);
	close(origin);
	names_scene_end(&names);
}

/* ---- neither looked at */

TEST(passthrough_is_not_looked_at)
{
	int client, origin;

	begin_with(WIRE_GATE_RANGE_PASSTHROUGH);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, "EHLO x\r\n", 8);
	origin = check_relayed(client, "EHLO x\r\n", 8);
	close(client);
	close(origin);
	check_report(WIRE_GATE_END_CLOSED, 0, "");
	names_scene_end(&names);
}

TEST(server_that_speaks_first_is_heard_with_passthrough)
{
	int client, origin;
	char bytes[8];

	begin_with(WIRE_GATE_RANGE_PASSTHROUGH);
	client = names_scene_dial(&names, 1, INDEX);
	origin = scene_accept(scene);
	scene_write(scene, origin, "220 x\r\n", 7);
	scene_read(scene, client, bytes, 7);
	CHECK(memcmp(bytes, "220 x\r\n", 7) == 0);
	close(client);
	close(origin);
	names_scene_end(&names);
}

TEST(neither_tls_nor_http_is_refused_without_passthrough)
{
	int client;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, "\x01\x02\x03\x04\r\n\r\n", 8);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_PROTOCOL);
	check_nobody_came();
	close(client);
	names_scene_end(&names);
}

TEST(client_that_says_nothing_is_given_up)
{
	int client;

	n_checked = 0;
	names_scene_prepare(&names, AF_INET);
	scene->config.inspection_timeout_ms = 50;
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_ticket(&names, 1, INDEX, NAME, 0, 0);
	client = names_scene_dial(&names, 1, INDEX);
	check_report(WIRE_GATE_END_PROTOCOL, -ETIMEDOUT, "");
	CHECK_INT(scene_read_end(scene, client), -ECONNRESET);
	close(client);
	names_scene_end(&names);
}

/* ---- where names point */

/* The connection to a name that has these addresses ends with `end`, or (0) is relayed. */
static void check_addresses(uint16_t flags, const struct names_host *host, enum wire_gate_end end)
{
	int client, origin;

	n_checked = 0;
	names_scene_prepare(&names, AF_INET);
	scene->config.allow_loopback = end == 0;
	names_scene_add_host(&names, host);
	names_scene_start(&names);
	names_scene_open(&names, 1);
	names_scene_ticket(&names, 1, INDEX, NAME, flags, 0);
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, REQUEST, strlen(REQUEST));
	if (end == 0) {
		origin = check_relayed(client, REQUEST, strlen(REQUEST));
		close(origin);
	} else {
		const struct wire_gate_flow *report = scene_report(scene, 1);

		if (report->end != end)
			CHECK_FAIL("%s: %d", host->addresses[0], report->end);
		check_nobody_came();
	}
	close(client);
	names_scene_end(&names);
}

TEST(name_that_points_at_the_host_or_its_neighbours_is_refused)
{
	static const char *const special[] = {"127.0.0.1", "127.8.8.8", "0.0.0.0",
		"169.254.169.254", "10.0.0.1", "172.16.5.5", "192.168.1.1", "100.64.0.1",
		"224.0.0.1", "255.255.255.255", "198.18.1.3", "::1", "::", "fe80::1", "ff02::1",
		"fd00::1", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
		"::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "fd43:6c6f:6368:6500::1:3"};

	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		check_addresses(0, &(struct names_host){NAME, {special[i]}}, WIRE_GATE_END_SPECIAL);
	/* The twin: what the tests of this file all rest on. */
	check_addresses(0, &(struct names_host){NAME, {"127.0.0.1"}}, 0);
}

TEST(private_rule_opens_private_space_and_nothing_more)
{
	static const char *const never[] = {"127.0.0.1", "169.254.169.254", "::1", "fe80::1",
		"::ffff:127.0.0.1", "fd00:ec2::254"};

	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		check_addresses(WIRE_GATE_RANGE_PRIVATE, &(struct names_host){NAME, {never[i]}},
			WIRE_GATE_END_SPECIAL);
}

TEST(special_address_beside_a_good_one_is_passed_over)
{
	struct names_host host = {NAME, {"169.254.169.254", "10.0.0.1", "127.0.0.1"}};

	check_addresses(0, &host, 0);
}

TEST(special_address_is_told_by_a_page)
{
	int client;

	begin_with(0);
	names.hosts[0].addresses[0] = "169.254.169.254";
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, REQUEST, strlen(REQUEST));
	check_page(client, "HTTP/1.1 403 ");
	check_report(WIRE_GATE_END_SPECIAL, -EACCES, "");
	CHECK_INT(scene->reports[0].dialled.bytes[12], 169);
	close(client);
	names_scene_end(&names);
}

TEST(dead_name_is_told_by_an_alert)
{
	uint8_t bytes[512];
	int client;

	begin_with(0);
	names.n_hosts = 0;
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, bytes, hello(bytes, NAME));
	check_alert(client, 80);
	check_report(WIRE_GATE_END_RESOLVE, -ENOENT, "");
	close(client);
	names_scene_end(&names);
}

TEST(dead_name_resets_what_is_not_looked_at)
{
	int client;

	begin_with(WIRE_GATE_RANGE_PASSTHROUGH);
	names.n_hosts = 0;
	client = names_scene_dial(&names, 1, INDEX);
	check_report(WIRE_GATE_END_RESOLVE, -ENOENT, "");
	CHECK_INT(scene_read_end(scene, client), -ECONNRESET);
	close(client);
	names_scene_end(&names);
}

/* The origin listens on IPv4 alone: [::1] refuses. */
TEST(dead_ipv6_falls_back_to_ipv4)
{
	struct names_host host = {NAME, {"::1", "127.0.0.1"}};

	check_addresses(0, &host, 0);
}

TEST(name_whose_addresses_all_refuse_is_told_by_a_page)
{
	int client;

	begin_with(0);
	names.hosts[0].addresses[0] = "127.0.0.9";
	client = names_scene_dial(&names, 1, INDEX);
	scene_write(scene, client, REQUEST, strlen(REQUEST));
	check_page(client, "HTTP/1.1 502 ");
	check_report(WIRE_GATE_END_CONNECT, -ECONNREFUSED, "");
	close(client);
	names_scene_end(&names);
}

/* ---- tickets */

TEST(address_without_a_ticket_is_refused)
{
	int client;

	begin_with(0);
	client = names_scene_dial(&names, 1, INDEX + 1);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_POLICY);
	CHECK_INT(scene_read_end(scene, client), -ECONNRESET);
	close(client);
	names_scene_ticket(&names, 1, INDEX, NAME, 0, -EACCES);
	client = names_scene_dial(&names, 1, INDEX);
	CHECK_INT(scene_report(scene, 2)->end, WIRE_GATE_END_POLICY);
	close(client);
	names_scene_end(&names);
}

TEST(ticket_of_one_sandbox_opens_nothing_in_another)
{
	int client;

	begin_with(WIRE_GATE_RANGE_PASSTHROUGH);
	names_scene_open(&names, 2);
	client = names_scene_dial(&names, 2, INDEX);
	CHECK_INT(scene_report(scene, 1)->end, WIRE_GATE_END_POLICY);
	CHECK_INT(scene->reports[0].sandbox, 2);
	check_nobody_came();
	close(client);
	names_scene_end(&names);
}
