/* Previews: the form of answers, and whole exchanges between a client, a cloched that the test
 * plays and a server that is the other end of a socket pair. */
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/v1/preview-answer.h"

#define OK "HTTP/1.1 200 OK\r\n"

static ssize_t parse(const char *text, bool to_head, struct preview_head *ret_head)
{
	ssize_t used;

	*ret_head = (struct preview_head){0};
	used = preview_head_parse(text, strlen(text), to_head, ret_head);
	writer_fini(&ret_head->headers);
	return used;
}

TEST(preview_head_tells_how_its_body_ends)
{
	static const struct {
		const char *text;
		bool to_head;
		enum preview_framing framing;
	} cases[] = {
		{OK "\r\n", false, PREVIEW_UNTIL_CLOSE},
		{OK "\r\n", true, PREVIEW_NO_BODY},
		{OK "Content-Length: 5\r\n\r\n", false, PREVIEW_LENGTH},
		{OK "content-length:5\r\nContent-Length: 5\r\n\r\n", false, PREVIEW_LENGTH},
		{OK "Transfer-Encoding: Chunked\r\n\r\n", false, PREVIEW_CHUNKED},
		{"HTTP/1.0 204 \r\nContent-Length: 5\r\n\r\n", false, PREVIEW_NO_BODY},
		{"HTTP/1.1 304\r\n\r\n", false, PREVIEW_NO_BODY},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct preview_head head;

		CHECK_INT(parse(cases[i].text, cases[i].to_head, &head), strlen(cases[i].text));
		CHECK_INT(head.framing, cases[i].framing);
	}
}

TEST(preview_head_that_is_not_plain_is_refused)
{
	static const char *const cases[] = {"hello", "HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 2000\r\n\r\n", OK "A : b\r\n\r\n", OK "A\r\n\r\n", OK ": b\r\n\r\n",
		OK "A: b\r\n folded\r\n\r\n", OK "A: b\nB: c\r\n\r\n", OK "A: b\rc\r\n\r\n",
		OK "Content-Length: -1\r\n\r\n", OK "Content-Length: 1, 1\r\n\r\n",
		OK "Content-Length:\r\n\r\n", OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
		OK "Content-Length: 9999999999999999999\r\n\r\n",
		OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
		OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct preview_head head;

		if (parse(cases[i], false, &head) != -EPROTO)
			CHECK_FAIL("not refused: %s", cases[i]);
	}
}

TEST(preview_head_waits_for_its_end_and_is_bounded)
{
	static char many[PREVIEW_HEAD_MAX + 1];
	static const char whole[] = OK "A: b\r\n\r\n";
	struct preview_head head;

	for (size_t size = 0; size < sizeof(whole) - 1; size++) {
		head = (struct preview_head){0};
		CHECK_INT(preview_head_parse(whole, size, false, &head), 0);
		writer_fini(&head.headers);
	}
	strcpy(many, OK "A: ");
	memset(many + strlen(many), 'x', PREVIEW_HEAD_MAX - strlen(many));
	CHECK_INT(parse(many, false, &head), -EMSGSIZE);
	strcpy(many, OK);
	for (size_t i = 0; i < PREVIEW_HEADERS_MAX; i++)
		strcat(many, "A: b\r\n");
	strcat(many, "\r\n");
	CHECK_INT(parse(many, false, &head), -EMSGSIZE);
}

/* In every split in two; returns the result of the feed, and what came out. */
static int unchunk(const char *text, size_t split, struct writer *out, bool *ret_done)
{
	const struct preview_head head = {.framing = PREVIEW_CHUNKED};
	struct preview_body body;
	int r;

	preview_body_begin(&body, &head);
	r = preview_body_feed(&body, text, split, out);
	if (r == 0)
		r = preview_body_feed(&body, text + split, strlen(text) - split, out);
	*ret_done = body.done;
	return r;
}

TEST(preview_chunks_become_a_body)
{
	static const char more[] = "5;a=b\r\nhello\r\n00a \r\n0123456789\r\n0\r\nT: u\r\n\r\nleft";

	for (size_t split = 0; split <= strlen(more); split++) {
		struct writer out = {0};
		bool done;

		CHECK_INT(unchunk(more, split, &out, &done), 0);
		CHECK(done && out.size == 15 && memcmp(out.bytes, "hello0123456789", 15) == 0);
		writer_fini(&out);
	}
}

TEST(preview_chunks_that_are_not_plain_are_refused)
{
	static const char *const cases[] = {"\r\n", "g\r\n", "-1\r\n", "1\nx", "1\r\nxy\r\n",
		"1\r\nx\n", "1111111111111111\r\n", "0\r\nT: u\n", "1;\n"};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct writer out = {0};
		bool done;

		CHECK_INT(unchunk(cases[i], 1, &out, &done), -EPROTO);
		writer_fini(&out);
	}
}

TEST(preview_headers_that_stay_behind)
{
	static const char *const requests[] = {"authorization", "COOKIE", "Host", "Connection",
		"te", "Proxy-Anything", "X-Forwarded-For", "Transfer-Encoding", "Content-Length"};
	static const char *const answers[] = {"Set-Cookie", "clear-site-data",
		"Access-Control-Allow-Origin", "WWW-Authenticate", "Connection", "Cache-Control"};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		CHECK(preview_drops(true, requests[i]));
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		CHECK(preview_drops(false, answers[i]));
	CHECK(!preview_drops(true, "Accept") && !preview_drops(false, "Content-Type"));
	CHECK(!preview_drops(true, "Authorization2") && !preview_drops(false, "ETag"));
	CHECK(preview_list_has("close, X-Hop", "x-hop") && !preview_list_has("X-Hopper", "X-Hop"));
}

/* ---- exchanges */

#define PORT_PATH "/v1/sandboxes/sb-00000000000000ab/ports/8000"

struct exchange {
	struct api api;
	struct frame question;
	int client, server; /* our ends */
};

static void begin(struct exchange *exchange, const struct server_limits *limits, const char *method,
	const char *path)
{
	const struct wire_port row = {.sandbox = 0xab, .port = 8000};
	const struct wire_port_open *open;
	struct timeval limit = {.tv_sec = 10};
	int pair[2];

	api_start(&exchange->api, limits);
	exchange->client = api_connect(&exchange->api);
	api_request(exchange->client, method, path, "", NULL);
	open = api_expect(&exchange->api, &exchange->question, WIRE_API_PORT_OPEN, sizeof(*open));
	CHECK_TEXT(open->caller.key, API_KEY);
	CHECK_INT(open->sandbox, 0xab);
	CHECK_INT(open->port, 8000);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	exchange->server = pair[0];
	api_answer(&exchange->api, &exchange->question, WIRE_API_PORT, &row, sizeof(row), NULL, 0,
		&pair[1], 1);
}

static void check_end(struct exchange *exchange, unsigned status, const char *part)
{
	struct response response;

	api_read(exchange->client, &response);
	CHECK_INT(response.status, status);
	CHECK(strstr(response.body, part));
	api_response_fini(&response);
	close(exchange->server);
	close(exchange->client);
	CHECK_INT(api_stop(&exchange->api), 0);
}

TEST(preview_passes_a_request_and_its_answer)
{
	struct exchange exchange;
	char head[4096];

	begin(&exchange, NULL, "GET", PORT_PATH "/a%20b?c=%64");
	api_read_until(exchange.server, "\r\n\r\n", head, sizeof(head));
	CHECK(strncmp(head, "GET /a%20b?c=%64 HTTP/1.1\r\nHost: localhost:8000\r\n", 48) == 0);
	CHECK(!strcasestr(head, "authorization") && strstr(head, "Connection: close\r\n"));
	api_send(exchange.server,
		"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" OK "Content-Length: 4\r\n\r\nbo");
	api_send(exchange.server, "dy");
	check_end(&exchange, 200, "body");
}

TEST(preview_describes_an_open_port)
{
	struct exchange exchange;

	begin(&exchange, NULL, "GET", PORT_PATH);
	check_end(&exchange, 200, "{\"url\":\"" PORT_PATH "/\",\"port\":8000,\"open\":true}");
}

TEST(preview_of_a_server_that_says_nothing_ends)
{
	struct server_limits limits = server_default_limits(1024);
	struct exchange exchange;

	limits.preview_head_ms = 50;
	begin(&exchange, &limits, "GET", PORT_PATH "/");
	check_end(&exchange, 504, "gateway-timeout");
}

TEST(preview_of_a_server_that_leaves_ends)
{
	struct exchange exchange;

	begin(&exchange, NULL, "GET", PORT_PATH "/");
	api_send(exchange.server, "HTTP/1.1 200");
	shutdown(exchange.server, SHUT_RDWR);
	check_end(&exchange, 502, "bad-gateway");
}

TEST(preview_does_not_upgrade)
{
	struct exchange exchange;

	begin(&exchange, NULL, "GET", PORT_PATH "/");
	api_send(exchange.server, "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n");
	check_end(&exchange, 502, "bad-gateway");
}

TEST(preview_ends_when_its_port_is_closed)
{
	static const struct wire_port row = {.sandbox = 0xab, .port = 8000};
	struct exchange exchange;
	char head[4096];

	begin(&exchange, NULL, "GET", PORT_PATH "/");
	api_read_until(exchange.server, "\r\n\r\n", head, sizeof(head));
	api_answer(&exchange.api, &exchange.question, WIRE_API_PORT_CLOSED, &row, sizeof(row), NULL,
		0, NULL, 0);
	CHECK(api_is_closed(exchange.server));
	check_end(&exchange, 403, "forbidden");
}

TEST(preview_ends_with_its_client)
{
	struct exchange exchange;
	char head[4096], byte;

	begin(&exchange, NULL, "GET", PORT_PATH "/");
	api_read_until(exchange.server, "\r\n\r\n", head, sizeof(head));
	close(exchange.client);
	CHECK_INT(recv(exchange.server, &byte, 1, 0), 0);
	close(exchange.server);
	CHECK_INT(api_stop(&exchange.api), 0);
}

TEST(preview_of_a_port_where_nobody_listens)
{
	static struct frame frame;
	const struct wire_port row = {.sandbox = 0xab, .port = 8000};
	struct response response;
	struct api api;
	int fd;

	api_start(&api, NULL);
	fd = api_connect(&api);
	api_request(fd, "GET", PORT_PATH "/", "", NULL);
	api_expect(&api, &frame, WIRE_API_PORT_OPEN, sizeof(struct wire_port_open));
	api_answer(&api, &frame, WIRE_API_PORT, &row, sizeof(row), NULL, 0, NULL, 0);
	api_read(fd, &response);
	CHECK_INT(response.status, 502);
	api_response_fini(&response);
	/* What is no port, and what would not arrive as it was written, is not asked for. */
	api_request(fd, "GET", "/v1/sandboxes/sb-00000000000000ab/ports/80%30%30/", "", NULL);
	api_read(fd, &response);
	CHECK_INT(response.status, 400);
	api_response_fini(&response);
	CHECK(api_is_quiet(&api));
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}
