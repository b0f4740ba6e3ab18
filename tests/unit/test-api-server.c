/* What the server does with any client: methods, sizes, time, places; and with a broken cloched. */
#include "supervisor/wire/tenants.h"
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SANDBOX_PATH "/v1/sandboxes/sb-00000000000000ab"

static struct server_limits limits;

static void start(struct api *api)
{
	api_start(api, &limits);
}

static void set_default_limits(void)
{
	limits = server_default_limits(1024);
}

static void reads(int fd, unsigned status, const char *part)
{
	struct response response;

	api_read(fd, &response);
	if (response.status != status || !strstr(response.body, part))
		CHECK_FAIL("%u %s", response.status, response.body);
	api_response_fini(&response);
}

static void is_served(struct api *api)
{
	int fd = api_connect(api);

	api_request(fd, "GET", "/healthz", "", NULL);
	reads(fd, 200, "{\"status\":\"ok\"}");
	close(fd);
}

TEST(answers_what_does_not_exist)
{
	struct response response;
	struct api api;
	char path[700];
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_request(fd, "GET", "/v1/sandbox", "", NULL);
	reads(fd, 404,
		"{\"type\":\"urn:cloche:error:not-found\",\"title\":\"Not found\",\"status\":404,"
		"\"detail\":\"there is nothing at this path");
	api_request(fd, "GET", "/v1/sandboxes/", "", NULL);
	reads(fd, 404, "not-found");
	api_request(fd, "GET", "/v1/sandboxes/nonsense", "", NULL);
	reads(fd, 404, "\\\"nonsense\\\" is no sandbox's id");
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	api_request(fd, "GET", path, "", NULL);
	reads(fd, 404, "no path is this long");
	snprintf(path, sizeof(path), "/v1/policies/%0100d", 0);
	api_request(fd, "GET", path, "", NULL);
	reads(fd, 400, "a name in the path is too long");
	api_request(fd, "GET", "/healthz%00.json", "", NULL);
	reads(fd, 400, "neither a path nor a query has a zero byte");
	api_request(fd, "GET", "/healthz?%00", "", NULL);
	reads(fd, 400, "neither a path nor a query has a zero byte");
	api_request(fd, "GET", "/healthz%2500", "", NULL);
	reads(fd, 404, "not-found");
	api_request(fd, "GET", "/h%65althz", "", NULL);
	reads(fd, 200, "ok");
	api_request(fd, "PUT", "/v1/sandboxes", "", "{}");
	api_read(fd, &response);
	CHECK_INT(response.status, 405);
	CHECK(strstr(response.head, "Allow: POST, GET, HEAD, OPTIONS\n"));
	CHECK(strstr(response.body, "urn:cloche:error:method-not-allowed"));
	api_response_fini(&response);
	api_request(fd, "OPTIONS", "/v1/sandboxes", "", NULL);
	api_read(fd, &response);
	CHECK_INT(response.status, 204);
	CHECK(strstr(response.head, "Allow: POST, GET, HEAD, OPTIONS\n"));
	api_response_fini(&response);
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(answers_head_without_a_body)
{
	char buffer[4096];
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_request(fd, "HEAD", "/healthz", "", NULL);
	api_read_until(fd, "\r\n\r\n", buffer, sizeof(buffer));
	CHECK(strstr(buffer, "HTTP/1.1 200"));
	CHECK(strstr(buffer, "Content-Length: 15\r\n"));
	api_request(fd, "GET", "/healthz", "", NULL);
	reads(fd, 200, "ok");
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(wants_a_key)
{
	static const char *const headers[] = {"", "Authorization: Basic eDp5\r\n",
		"Authorization: Bearer \r\n", "Authorization: Bearer a b\r\n",
		"Authorization: Bearer "
		"0123456789012345678901234567890123456789012345678901234567890123456789"
		"01234567890123456789012345\r\n"};
	struct response response;
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		api_send(fd, "GET /v1/sandboxes HTTP/1.1\r\nHost: x\r\n%s\r\n", headers[i]);
		api_read(fd, &response);
		CHECK_INT(response.status, 401);
		CHECK(strstr(response.head, "WWW-Authenticate: Bearer"));
		CHECK(strstr(response.body, "urn:cloche:error:unauthenticated"));
		api_response_fini(&response);
	}
	api_send(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
	reads(fd, 200, "ok");
	CHECK(api_is_quiet(&api));
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(wants_json)
{
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_send(fd, "POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
		     "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
	reads(fd, 415, "urn:cloche:error:unsupported-media-type");
	api_send(fd, "POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
		     "Content-Length: 2\r\n\r\n{}");
	reads(fd, 415, "Content-Type: application/json");
	api_send(fd,
		"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
		"Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n[]");
	reads(fd, 400, "must be a JSON object");
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(takes_a_body_in_chunks)
{
	static struct frame frame;
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_send(fd, "POST /v1/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
		     "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
		     "9\r\n{\"name\":\"\r\n6\r\nacme\"}\r\n0\r\n\r\n");
	CHECK_TEXT(((const struct wire_tenant_create *)api_expect(&api, &frame,
			    WIRE_API_TENANT_CREATE, sizeof(struct wire_tenant_create)))
			   ->name,
		"acme");
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(refuses_bodies_over_the_limit)
{
	char *body;
	struct api api;
	int fd;

	set_default_limits();
	limits.body_bytes_max = 100000;
	start(&api);
	fd = api_connect(&api);
	body = malloc(150001);
	memset(body, ' ', 150000);
	body[150000] = '\0';
	api_request(fd, "POST", "/v1/sandboxes", "", body);
	reads(fd, 413, "the body is larger than 100000 bytes");
	api_request(fd, "GET", "/healthz", "", NULL); /* the connection is still good */
	reads(fd, 200, "ok");
	api_send(fd,
		"POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
		"Content-Type: application/json\r\nTransfer-Encoding: "
		"chunked\r\n\r\n249f0\r\n%s\r\n"
		"0\r\n\r\n",
		body);
	reads(fd, 413, "urn:cloche:error:too-large");
	free(body);
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(refuses_bodies_beyond_all_memory_together)
{
	char *body = malloc(70001);
	struct api api;
	int fd;

	set_default_limits();
	limits.held_bytes_max = 65536;
	start(&api);
	fd = api_connect(&api);
	memset(body, ' ', 70000);
	body[70000] = '\0';
	api_request(fd, "POST", "/v1/sandboxes", "", body);
	reads(fd, 503, "too much memory is in use");
	body[60000] = '\0';
	for (int i = 0; i < 3; i++) { /* what was held is given back */
		api_request(fd, "POST", "/v1/sandboxes", "", body);
		reads(fd, 400, "the body is not JSON");
	}
	free(body);
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(refuses_headers_over_the_limit)
{
	char *header = malloc(70000), answer[4096];
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	memset(header, 'a', 69999);
	header[69999] = '\0';
	send(fd, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", 36, MSG_NOSIGNAL);
	send(fd, header, 69999, MSG_NOSIGNAL);
	api_read_until(fd, "\r\n", answer, sizeof(answer));
	CHECK(strstr(answer, "HTTP/1.1 431"));
	free(header);
	close(fd);
	is_served(&api);
	CHECK_INT(api_stop(&api), 0);
}

TEST(closes_connections_that_send_headers_slowly)
{
	struct api api;
	int fd, still;

	set_default_limits();
	limits.head_ms = 300;
	start(&api);
	fd = api_connect(&api);
	still = api_connect_tcp(&api);
	api_send(fd, "GET /healthz HT");
	is_served(&api);
	CHECK(api_is_closed(fd));
	CHECK(api_is_closed(still));
	is_served(&api);
	close(fd);
	close(still);
	CHECK_INT(api_stop(&api), 0);
}

TEST(closes_connections_that_send_bodies_slowly)
{
	struct api api;
	int fd;

	set_default_limits();
	limits.body_ms = 300;
	start(&api);
	fd = api_connect(&api);
	api_send(fd, "POST /v1/sandboxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
		     "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{");
	is_served(&api);
	CHECK(api_is_closed(fd));
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(does_not_close_a_connection_that_waits_for_cloched)
{
	static struct frame frame;
	struct api api;
	int fd;

	set_default_limits();
	limits.head_ms = limits.body_ms = 100;
	start(&api);
	fd = api_connect(&api);
	api_request(fd, "DELETE", SANDBOX_PATH, "", NULL);
	api_expect(&api, &frame, WIRE_API_SANDBOX_DELETE, sizeof(struct wire_sandbox_ref));
	poll(NULL, 0, 1200);
	api_answer(&api, &frame, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	reads(fd, 204, "");
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

TEST(idle_connections_make_room_for_new_ones)
{
	int idle[16];
	struct api api;

	set_default_limits();
	limits.n_connections_max = 16;
	start(&api);
	for (size_t i = 0; i < 16; i++)
		idle[i] = api_connect(&api);
	poll(NULL, 0, 1200); /* only those that have been idle for a second make room */
	for (size_t i = 0; i < 4; i++)
		is_served(&api);
	for (size_t i = 0; i < 16; i++)
		close(idle[i]);
	CHECK_INT(api_stop(&api), 0);
}

TEST(limits_connections_of_one_address)
{
	int fds[4], more;
	struct api api;

	set_default_limits();
	limits.n_connections_per_ip_max = 4;
	start(&api);
	for (size_t i = 0; i < 4; i++) {
		fds[i] = api_connect_tcp(&api);
		api_request(fds[i], "GET", "/healthz", "", NULL);
		reads(fds[i], 200, "ok");
	}
	more = api_connect_tcp(&api);
	CHECK(api_is_closed(more));
	is_served(&api); /* over the unix socket */
	close(fds[0]);
	is_served(&api);
	for (size_t i = 1; i < 4; i++)
		close(fds[i]);
	close(more);
	CHECK_INT(api_stop(&api), 0);
}

TEST(serves_others_while_many_wait)
{
	static struct frame frames[8];
	struct api api;
	int fds[8];

	set_default_limits();
	start(&api);
	for (size_t i = 0; i < 8; i++) {
		fds[i] = api_connect(&api);
		api_request(fds[i], "DELETE", SANDBOX_PATH, "", NULL);
		api_expect(
			&api, &frames[i], WIRE_API_SANDBOX_DELETE, sizeof(struct wire_sandbox_ref));
	}
	is_served(&api);
	for (size_t i = 8; i-- > 0;) { /* in another order than asked */
		api_answer_error(&api, &frames[i], WIRE_CODE_CONFLICT, i % 2 ? "odd" : "even");
		reads(fds[i], 409, i % 2 ? "odd" : "even");
		close(fds[i]);
	}
	CHECK_INT(api_stop(&api), 0);
}

TEST(late_answers_to_clients_that_left_are_dropped)
{
	static struct frame frame;
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_request(fd, "DELETE", SANDBOX_PATH, "", NULL);
	api_expect(&api, &frame, WIRE_API_SANDBOX_DELETE, sizeof(struct wire_sandbox_ref));
	close(fd);
	is_served(&api);
	api_answer(&api, &frame, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	api_answer(&api, &frame, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	is_served(&api);
	CHECK_INT(api_stop(&api), 0);
}

TEST(ends_when_cloched_ends)
{
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_request(fd, "DELETE", SANDBOX_PATH, "", NULL);
	CHECK_INT(api_stop(&api), 0);
	CHECK(api_is_closed(fd));
	close(fd);
}

TEST(tells_whether_it_is_ready)
{
	static struct frame frame;
	struct wire_status status = {.ready = 1};
	const struct wire_caller *caller;
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_send(fd, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
	caller = api_expect(&api, &frame, WIRE_API_STATUS, sizeof(*caller));
	CHECK_TEXT(caller->key, "");
	api_answer(&api, &frame, WIRE_API_STATUS_REPLY, &status, sizeof(status), NULL, 0, NULL, 0);
	reads(fd, 200, "{\"status\":\"ready\"}");
	status = (struct wire_status){.sentence = "the gate is not up"};
	api_send(fd, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
	api_expect(&api, &frame, WIRE_API_STATUS, sizeof(*caller));
	api_answer(&api, &frame, WIRE_API_STATUS_REPLY, &status, sizeof(status), NULL, 0, NULL, 0);
	reads(fd, 503, "the gate is not up");
	close(fd);
	CHECK_INT(api_stop(&api), 0);
}

/* Asks for a sandbox and answers so; the process must end with status 1. */
static void breaks(uint16_t type, const void *body, size_t size, const void *tail, size_t tail_size)
{
	static struct frame frame;
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_request(fd, "GET", SANDBOX_PATH, "", NULL);
	api_expect(&api, &frame, WIRE_API_SANDBOX_GET, sizeof(struct wire_sandbox_ref));
	api_answer(&api, &frame, type, body, size, tail, tail_size, NULL, 0);
	CHECK(api_is_closed(fd));
	close(fd);
	CHECK_INT(api_stop(&api), 1);
}

static struct wire_sandbox sample(void)
{
	return (struct wire_sandbox){
		.sandbox = 0xab, .state = WIRE_SANDBOX_RUNNING, .n_labels = 1, .tail_size = 4};
}

TEST(ends_on_a_malformed_sandbox)
{
	struct wire_sandbox row = sample();

	breaks(WIRE_API_SANDBOX, &row, sizeof(row) - 8, NULL, 0);
	breaks(WIRE_API_SANDBOX, &row, sizeof(row), "a=b", 3);
	breaks(WIRE_API_SANDBOX, &row, sizeof(row), "abc", 4);
	breaks(WIRE_API_SANDBOX, &row, sizeof(row), "a=\0b", 4);
	row.n_labels = 2;
	breaks(WIRE_API_SANDBOX, &row, sizeof(row), "a=b", 4);
	row = sample();
	row.state = 77;
	breaks(WIRE_API_SANDBOX, &row, sizeof(row), "a=b", 4);
	row = sample();
	memset(row.tenant, 'a', sizeof(row.tenant));
	breaks(WIRE_API_SANDBOX, &row, sizeof(row), "a=b", 4);
	row = sample();
	breaks(WIRE_API_DONE, NULL, 0, NULL, 0);
	breaks(WIRE_API_SANDBOXES, &row, sizeof(row), "a=b", 4);
}

TEST(ends_on_a_malformed_error)
{
	struct wire_api_error error = {.code = 99};

	breaks(WIRE_API_ERROR, &error, sizeof(error), NULL, 0);
	error.code = WIRE_CODE_INVALID;
	breaks(WIRE_API_ERROR, &error, sizeof(error) - 8, NULL, 0);
	memset(error.detail, 'a', sizeof(error.detail));
	breaks(WIRE_API_ERROR, &error, sizeof(error), NULL, 0);
}

TEST(ends_on_a_frame_with_a_wrong_header)
{
	struct wire_header header = {.version = WIRE_VERSION + 1, .size = sizeof(header)};
	struct api api;

	set_default_limits();
	start(&api);
	is_served(&api);
	CHECK_INT(send(api.cloched, &header, sizeof(header), 0), sizeof(header));
	CHECK_INT(api_stop(&api), 1);
}

TEST(ends_on_a_start_without_pipes)
{
	struct wire_exec_started row = {.exec = 1};
	static struct frame frame;
	struct api api;
	int fd;

	set_default_limits();
	start(&api);
	fd = api_connect(&api);
	api_request(fd, "POST", SANDBOX_PATH "/exec", "", "{\"argv\":[\"x\"]}");
	api_expect(&api, &frame, WIRE_API_EXEC_START, sizeof(struct wire_exec_start));
	api_answer(&api, &frame, WIRE_API_EXEC_STARTED, &row, sizeof(row), NULL, 0, NULL, 0);
	CHECK(api_is_closed(fd));
	close(fd);
	CHECK_INT(api_stop(&api), 1);
}

struct asked {
	const char *method, *path, *body;
	uint16_t question, answer;
};

/* Bytes of which many are 0 or small, so that counts and texts are sometimes right. */
static void fill(char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(rand() % 3 ? 0 : rand() % 2 ? rand() % 4 : rand());
}

TEST(random_answers_end_it_in_order_or_not_at_all)
{
	static const struct asked rows[] = {
		{"GET", SANDBOX_PATH, NULL, WIRE_API_SANDBOX_GET, WIRE_API_SANDBOX},
		{"GET", "/v1/sandboxes", NULL, WIRE_API_SANDBOX_LIST, WIRE_API_SANDBOXES},
		{"POST", SANDBOX_PATH "/exec", "{\"argv\":[\"x\"]}", WIRE_API_EXEC_START,
			WIRE_API_EXEC_STARTED},
		{"GET", "/v1/usage", NULL, WIRE_API_USAGE, WIRE_API_USAGES},
		{"GET", "/readyz", NULL, WIRE_API_STATUS, WIRE_API_STATUS_REPLY},
		{"GET", "/v1/events", NULL, WIRE_API_EVENTS, WIRE_API_EVENTS_REPLY},
		{"GET", "/v1/policies", NULL, WIRE_API_POLICY_LIST, WIRE_API_POLICIES},
		{"GET", "/v1/policies/a", NULL, WIRE_API_POLICY_GET, WIRE_API_POLICY},
		{"GET", "/v1/templates", NULL, WIRE_API_TEMPLATE_LIST, WIRE_API_TEMPLATES},
		{"GET", "/v1/tenants", NULL, WIRE_API_TENANT_LIST, WIRE_API_TENANTS},
		{"GET", "/v1/keys", NULL, WIRE_API_KEY_LIST, WIRE_API_KEYS},
		{"POST", "/v1/keys", "{\"tenant\":\"a\"}", WIRE_API_KEY_CREATE, WIRE_API_KEY},
	};
	static struct frame frame;
	static char bytes[4096];

	srand(1);
	set_default_limits();
	for (size_t i = 0; i < 20 * sizeof(rows) / sizeof(rows[0]); i++) {
		const struct asked *row = &rows[i % (sizeof(rows) / sizeof(rows[0]))];
		struct api api;
		int fd, status;

		start(&api);
		fd = api_connect(&api);
		api_request(fd, row->method, row->path, "", row->body);
		api_expect(&api, &frame, row->question, 0);
		fill(bytes, sizeof(bytes));
		api_answer(&api, &frame, rand() % 8 ? row->answer : (uint16_t)(rand() % 80), bytes,
			(size_t)rand() % 1024, NULL, 0, NULL, 0);
		status = api_stop(&api);
		if (status != 0 && status != 1)
			CHECK_FAIL(
				"%s %s, round %zu: status %d", row->method, row->path, i, status);
		close(fd);
	}
}
