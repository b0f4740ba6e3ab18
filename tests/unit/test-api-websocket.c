/* WebSocket previews: the handshake, what follows it, who may ask, and tickets. */
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http/ticket.h"
#include "supervisor/base/cleanup.h"

#define PORT_PATH "/v1/sandboxes/sb-00000000000000ab/ports/8000"
#define WS_KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define HANDSHAKE                                                                                  \
	"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n" WS_KEY                         \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat\r\nOrigin: null\r\n"
#define SWITCHING                                                                                  \
	"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                  \
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n"

struct exchange {
	struct api api;
	struct frame question;
	int client, server; /* our ends */
};

static const struct wire_port row = {.sandbox = 0xab, .port = 8000};

static void give_port(struct exchange *exchange)
{
	const struct wire_port_open *open =
		api_expect(&exchange->api, &exchange->question, WIRE_API_PORT_OPEN, sizeof(*open));
	struct timeval limit = {.tv_sec = 10};
	int pair[2];

	CHECK_TEXT(open->caller.key, API_KEY);
	CHECK_INT(open->sandbox, 0xab);
	CHECK_INT(open->port, 8000);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	exchange->server = pair[0];
	api_answer(&exchange->api, &exchange->question, WIRE_API_PORT, &row, sizeof(row), NULL, 0,
		&pair[1], 1);
}

/* Up to the handshake that the server sees, in `head`. */
static void begin(struct exchange *exchange, const struct server_limits *limits, char head[4096])
{
	static char unused[4096];

	api_start(&exchange->api, limits);
	exchange->client = api_connect(&exchange->api);
	api_request(exchange->client, "GET", PORT_PATH "/chat?a=b", HANDSHAKE, NULL);
	give_port(exchange);
	api_read_until(exchange->server, "\r\n\r\n", head ? head : unused, 4096);
}

/* And its answer, which the client has seen. */
static void begin_open(struct exchange *exchange, const struct server_limits *limits)
{
	char head[4096];

	begin(exchange, limits, NULL);
	api_send(exchange->server, SWITCHING "\r\n");
	api_read_until(exchange->client, "\r\n\r\n", head, sizeof(head));
}

static void check_bytes(int fd, const char *text)
{
	char buffer[64] = "";

	CHECK_INT(recv(fd, buffer, strlen(text), MSG_WAITALL), strlen(text));
	CHECK_TEXT(buffer, text);
}

/* cloched is told that the connection is over, by its cookie. */
static void check_left(struct exchange *exchange)
{
	static struct frame frame;

	api_expect(&exchange->api, &frame, WIRE_API_PORT_LEFT, sizeof(struct wire_caller));
	CHECK_INT(frame.header.cookie, exchange->question.header.cookie);
}

static void end(struct exchange *exchange)
{
	if (exchange->server >= 0)
		close(exchange->server);
	if (exchange->client >= 0)
		close(exchange->client);
	CHECK_INT(api_stop(&exchange->api), 0);
}

TEST(websocket_handshake_is_passed_on_both_ways)
{
	struct exchange exchange;
	char head[4096];

	begin(&exchange, NULL, head);
	CHECK(strncmp(head, "GET /chat?a=b HTTP/1.1\r\n", 24) == 0);
	CHECK(strstr(head, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
	CHECK(strstr(head, WS_KEY) && strstr(head, "\r\nSec-WebSocket-Version: 13\r\n"));
	CHECK(strstr(head, "\r\nSec-WebSocket-Protocol: chat\r\n"));
	CHECK(strstr(head, "\r\nOrigin: null\r\n"));
	CHECK(!strcasestr(head, "authorization") && !strcasestr(head, "keep-alive"));
	/* What comes right behind the 101 is the WebSocket's already. */
	api_send(exchange.server, SWITCHING "Set-Cookie: a=b\r\n\r\nhello");
	api_read_until(exchange.client, "\r\n\r\n", head, sizeof(head));
	CHECK(strncmp(head, "HTTP/1.1 101 ", 13) == 0);
	CHECK(strstr(head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
	CHECK(strstr(head, "\r\nSec-WebSocket-Protocol: chat\r\n"));
	CHECK(strcasestr(head, "\r\nUpgrade: websocket\r\n"));
	CHECK(strcasestr(head, "\r\nConnection: Upgrade\r\n") && !strstr(head, "Set-Cookie"));
	check_bytes(exchange.client, "hello");
	api_send(exchange.client, "ping");
	check_bytes(exchange.server, "ping");
	api_send(exchange.server, "pong");
	check_bytes(exchange.client, "pong");
	end(&exchange);
}

TEST(websocket_is_reported_when_it_ends)
{
	static struct frame frame;
	struct exchange exchange;
	const struct wire_call *call;

	begin_open(&exchange, NULL);
	CHECK(api_is_quiet(&exchange.api));
	close(steal_fd(&exchange.client));
	call = api_expect(&exchange.api, &frame, WIRE_API_CALL, sizeof(*call));
	CHECK_INT(call->status, 101);
	CHECK_INT(call->sandbox, 0xab);
	check_left(&exchange);
	CHECK(api_is_closed(exchange.server));
	end(&exchange);
}

TEST(websocket_ends_with_its_server)
{
	struct exchange exchange;

	begin_open(&exchange, NULL);
	close(steal_fd(&exchange.server));
	CHECK(api_is_closed(exchange.client));
	close(steal_fd(&exchange.client));
	check_left(&exchange);
	end(&exchange);
}

TEST(websocket_passes_on_half_of_an_end)
{
	struct exchange exchange;
	char byte;

	begin_open(&exchange, NULL);
	shutdown(exchange.client, SHUT_WR);
	CHECK_INT(recv(exchange.server, &byte, 1, 0), 0);
	api_send(exchange.server, "last words");
	check_bytes(exchange.client, "last words");
	close(steal_fd(&exchange.server));
	CHECK(api_is_closed(exchange.client));
	end(&exchange);
}

TEST(websocket_that_is_idle_ends)
{
	struct server_limits limits = server_default_limits(1024);
	struct exchange exchange;

	limits.preview_idle_ms = 50;
	begin_open(&exchange, &limits);
	CHECK(api_is_closed(exchange.client) && api_is_closed(exchange.server));
	end(&exchange);
}

TEST(websocket_ends_when_its_port_is_closed)
{
	struct exchange exchange;

	begin_open(&exchange, NULL);
	api_answer(&exchange.api, &exchange.question, WIRE_API_PORT_CLOSED, &row, sizeof(row), NULL,
		0, NULL, 0);
	CHECK(api_is_closed(exchange.client) && api_is_closed(exchange.server));
	/* cloched knows already. */
	CHECK(api_is_quiet(&exchange.api));
	end(&exchange);
}

TEST(websocket_outlives_no_server)
{
	struct exchange exchange;

	begin_open(&exchange, NULL);
	CHECK_INT(api_stop(&exchange.api), 0);
	CHECK(api_is_closed(exchange.client) && api_is_closed(exchange.server));
	close(exchange.client);
	close(exchange.server);
}

TEST(websocket_answer_that_is_no_switch_is_passed_on)
{
	struct exchange exchange;
	struct response response;

	begin(&exchange, NULL, NULL);
	api_send(exchange.server, "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8\r\n"
				  "Content-Length: 3\r\n\r\nold");
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 426);
	CHECK_TEXT(response.body, "old");
	CHECK(strstr(response.head, "Sec-WebSocket-Version: 8\n"));
	api_response_fini(&response);
	/* The connection is still one of HTTP. */
	api_request(exchange.client, "GET", "/healthz", "", NULL);
	api_read(exchange.client, &response);
	CHECK_INT(response.status, 200);
	api_response_fini(&response);
	end(&exchange);
}

TEST(websocket_switch_to_something_else_is_refused)
{
	static const char *const answers[] = {
		"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Accept: x\r\n\r\n",
		"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
		"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct exchange exchange;
		struct response response;

		begin(&exchange, NULL, NULL);
		api_send(exchange.server, "%s", answers[i]);
		api_read(exchange.client, &response);
		CHECK_INT(response.status, 502);
		api_response_fini(&response);
		end(&exchange);
	}
}

static void check_status(int fd, unsigned status)
{
	struct response response;

	api_read(fd, &response);
	CHECK_INT(response.status, status);
	api_response_fini(&response);
}

TEST(websocket_handshake_that_is_wrong_is_not_asked_for)
{
	static const struct {
		const char *method, *headers;
		unsigned status;
	} cases[] = {
		{"GET", "Connection: Upgrade\r\nUpgrade: h2c\r\n" WS_KEY, 501},
		{"GET", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n" WS_KEY, 501},
		{"POST", "Connection: Upgrade\r\nUpgrade: websocket\r\n" WS_KEY, 400},
		{"GET", "Upgrade: websocket\r\n" WS_KEY, 400},
		{"GET", "Connection: Upgrade\r\nUpgrade: websocket\r\n", 400},
		{"GET",
			"Connection: Upgrade\r\nUpgrade: websocket\r\n"
			"Sec-WebSocket-Key: dG9vIHNob3J0\r\n",
			400},
		{"GET", "Content-Length: 0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" WS_KEY,
			400},
	};
	struct api api;

	api_start(&api, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = api_connect(&api);

		api_request(fd, cases[i].method, PORT_PATH "/", cases[i].headers, NULL);
		check_status(fd, cases[i].status);
		close(fd);
	}
	CHECK(api_is_quiet(&api));
	CHECK_INT(api_stop(&api), 0);
}

TEST(websockets_are_bounded)
{
	struct server_limits limits = server_default_limits(1024);
	struct exchange exchange;
	int fd;

	limits.n_upgrades_max = 1;
	begin_open(&exchange, &limits);
	fd = api_connect(&exchange.api);
	api_request(fd, "GET", PORT_PATH "/", HANDSHAKE, NULL);
	check_status(fd, 503);
	/* A place is free again when one has ended. */
	close(steal_fd(&exchange.client));
	check_left(&exchange);
	close(exchange.server);
	api_request(fd, "GET", PORT_PATH "/", HANDSHAKE, NULL);
	give_port(&exchange);
	close(fd);
	end(&exchange);
}

/* ---- tickets */

/* Asks for one; its text in `ticket`. */
static void get_ticket(struct exchange *exchange, const char *body, char ticket[TICKET_SIZE])
{
	struct response response;
	const char *text;

	api_start(&exchange->api, NULL);
	exchange->client = api_connect(&exchange->api);
	api_request(exchange->client, "POST", PORT_PATH, "", body);
	give_port(exchange);
	close(steal_fd(&exchange->server));
	api_read(exchange->client, &response);
	CHECK_INT(response.status, 201);
	text = strstr(response.body, "\"ticket\":\"");
	CHECK(text && strstr(response.body, "\"url\":\"" PORT_PATH "/?cloche_ticket="));
	CHECK(sscanf(text, "\"ticket\":\"%47[0-9a-f]\"", ticket) == 1);
	CHECK(!strstr(response.body, API_KEY));
	api_response_fini(&response);
}

static void ask_without_key(int fd, const char *path, const char *query, const char *headers)
{
	api_send(fd, "GET %s%s HTTP/1.1\r\nHost: x\r\n%s\r\n", path, query, headers);
}

TEST(ticket_opens_a_websocket_and_stays_behind)
{
	struct exchange exchange;
	char ticket[TICKET_SIZE], head[4096], path[512];

	get_ticket(&exchange, "{\"ttl_seconds\": 5}", ticket);
	snprintf(path, sizeof(path), PORT_PATH "/a?x=1&cloche_ticket=%s&cloche_ticket=y&z", ticket);
	ask_without_key(exchange.client, path, "", HANDSHAKE);
	give_port(&exchange);
	api_read_until(exchange.server, "\r\n\r\n", head, sizeof(head));
	CHECK(strncmp(head, "GET /a?x=1&z HTTP/1.1\r\n", 23) == 0);
	CHECK(!strstr(head, ticket) && !strstr(head, "ticket"));
	end(&exchange);
}

TEST(ticket_alone_in_the_query_leaves_no_question_mark)
{
	struct exchange exchange;
	char ticket[TICKET_SIZE], head[4096], path[512];

	get_ticket(&exchange, "{}", ticket);
	snprintf(path, sizeof(path), PORT_PATH "/?cloche_ticket=%s", ticket);
	ask_without_key(exchange.client, path, "", HANDSHAKE);
	give_port(&exchange);
	api_read_until(exchange.server, "\r\n\r\n", head, sizeof(head));
	CHECK(strncmp(head, "GET / HTTP/1.1\r\n", 16) == 0);
	end(&exchange);
}

TEST(ticket_opens_nothing_else)
{
	static const char other_port[] = "/v1/sandboxes/sb-00000000000000ab/ports/8001/";
	static const char other_sandbox[] = "/v1/sandboxes/sb-00000000000000ac/ports/8000/";
	char ticket[TICKET_SIZE], query[128], wrong[128];
	struct exchange exchange;

	get_ticket(&exchange, "{}", ticket);
	snprintf(query, sizeof(query), "?cloche_ticket=%s", ticket);
	snprintf(wrong, sizeof(wrong), "%s", query);
	wrong[strlen(wrong) - 1] ^= 1;
	ask_without_key(exchange.client, other_port, query, HANDSHAKE);
	check_status(exchange.client, 401);
	ask_without_key(exchange.client, other_sandbox, query, HANDSHAKE);
	check_status(exchange.client, 401);
	ask_without_key(exchange.client, PORT_PATH "/", wrong, HANDSHAKE);
	check_status(exchange.client, 401);
	ask_without_key(exchange.client, PORT_PATH "/", "?cloche_ticket=", HANDSHAKE);
	check_status(exchange.client, 401);
	/* Neither a request that is no WebSocket, nor cookies and an origin. */
	ask_without_key(exchange.client, PORT_PATH "/", query, "");
	check_status(exchange.client, 401);
	ask_without_key(exchange.client, PORT_PATH "/", "", HANDSHAKE "Cookie: a=b\r\n");
	check_status(exchange.client, 401);
	ask_without_key(exchange.client, "/v1/sandboxes", query, HANDSHAKE);
	check_status(exchange.client, 401);
	CHECK(api_is_quiet(&exchange.api));
	end(&exchange);
}

TEST(ticket_is_refused_where_the_port_is)
{
	static struct frame frame;
	struct api api;
	int fd;

	api_start(&api, NULL);
	fd = api_connect(&api);
	api_request(fd, "POST", PORT_PATH, "", "{}");
	api_expect(&api, &frame, WIRE_API_PORT_OPEN, sizeof(struct wire_port_open));
	api_answer_error(&api, &frame, WIRE_CODE_FORBIDDEN, "Port 8000 is not open.");
	check_status(fd, 403);
	api_request(fd, "POST", PORT_PATH, "", "{\"ttl_seconds\": 3601}");
	check_status(fd, 400);
	api_request(fd, "POST", PORT_PATH, "", "{\"ttl_seconds\": 0}");
	check_status(fd, 400);
	CHECK(api_is_quiet(&api));
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

static bool redeem(const struct tickets *tickets, const char *text, uint64_t now_ns)
{
	char key[WIRE_KEY_SIZE];

	return ticket_redeem(tickets, text, strlen(text), 7, 80, now_ns, key);
}

TEST(tickets_expire_and_are_bounded)
{
	struct tickets *tickets = tickets_new();
	struct ticket_use use = {.key = "one", .sandbox = 7, .port = 80};
	char first[TICKET_SIZE], text[TICKET_SIZE];

	CHECK(tickets);
	CHECK_INT(ticket_issue(tickets, &use, 100, 10, first), 0);
	CHECK(redeem(tickets, first, 109));
	CHECK(!redeem(tickets, first, 110));
	for (size_t i = 1; i < TICKETS_PER_KEY_MAX; i++)
		CHECK_INT(ticket_issue(tickets, &use, 100, 100, text), 0);
	CHECK_INT(ticket_issue(tickets, &use, 100, 10, text), -EDQUOT);
	/* The place of one that has expired is taken, and the old one does not come back. */
	CHECK_INT(ticket_issue(tickets, &use, 110, 10, text), 0);
	CHECK(redeem(tickets, text, 111) && !redeem(tickets, first, 111));
	for (size_t i = 0; i < TICKETS_MAX - TICKETS_PER_KEY_MAX; i++) {
		snprintf(use.key, sizeof(use.key), "other %zu", i);
		CHECK_INT(ticket_issue(tickets, &use, 111, 100, text), 0);
	}
	CHECK_INT(ticket_issue(tickets, &use, 111, 100, text), -ENOSPC);
	tickets_free(tickets);
}
