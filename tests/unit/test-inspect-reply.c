/* A connection's first bytes tell its protocol; a refused client gets words that it understands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/inspect/reply.h"
#include "tests/harness/check.h"
#include "tests/harness/client-hellos.h"

static struct inspect inspect;
static char reply[INSPECT_REPLY_MAX + 1];
static size_t n_reply;

static enum inspect_verdict feed(const void *bytes, size_t n)
{
	size_t release;
	enum inspect_verdict verdict = inspect_feed(&inspect, bytes, n, &release);

	n_reply = inspect_reply(&inspect, "ci", reply, INSPECT_REPLY_MAX);
	reply[n_reply] = '\0';
	return verdict;
}

static enum inspect_verdict feed_text(const char *text, bool needs_tls)
{
	inspect_init(&inspect, "pypi.org", 80, needs_tls);
	return feed(text, strlen(text));
}

TEST(inspect_tells_tls_from_http_by_the_first_byte)
{
	size_t release;

	inspect_init(&inspect, "pypi.org", 443, false);
	CHECK_INT(inspect_feed(&inspect, NULL, 0, &release), INSPECT_GO_ON);
	CHECK_INT(inspect.protocol, INSPECT_UNKNOWN);
	CHECK_INT(feed(HELLO_CURL, 1), INSPECT_GO_ON);
	CHECK_INT(inspect.protocol, INSPECT_TLS);
	CHECK_INT(feed(HELLO_CURL + 1, sizeof(HELLO_CURL) - 1), INSPECT_GO_ON);
	CHECK_INT(n_reply, 0);
	CHECK_INT(feed_text("G", false), INSPECT_GO_ON);
	CHECK_INT(inspect.protocol, INSPECT_HTTP);
	CHECK_INT(feed_text("\x80\x2e\x01", false), INSPECT_REFUSE);
	CHECK_INT(inspect.reason, INSPECT_NEITHER);
	CHECK_INT(inspect.protocol, INSPECT_UNKNOWN);
	CHECK_INT(n_reply, 0);
}

TEST(inspect_wants_tls_where_the_rule_does)
{
	CHECK_INT(feed_text("GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n", true), INSPECT_REFUSE);
	CHECK_INT(inspect.reason, INSPECT_NEEDS_TLS);
	CHECK(strstr(reply, "HTTP/1.1 403 Forbidden\r\n") == reply);
	CHECK(strstr(reply, "use https"));
	CHECK_INT(feed_text("GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n", false), INSPECT_GO_ON);
	inspect_init(&inspect, "pypi.org", 443, true);
	CHECK_INT(feed(HELLO_OPENSSL_1_2, sizeof(HELLO_OPENSSL_1_2)), INSPECT_DONE);
}

TEST(inspect_stays_refused)
{
	CHECK_INT(feed_text("GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n", false), INSPECT_REFUSE);
	CHECK_INT(feed("GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n", 36), INSPECT_REFUSE);
	CHECK_INT(inspect.reason, INSPECT_OTHER_NAME);
}

TEST(inspect_stays_done)
{
	size_t release;

	inspect_init(&inspect, "pypi.org", 443, false);
	CHECK_INT(feed(HELLO_OPENSSL_1_2, sizeof(HELLO_OPENSSL_1_2)), INSPECT_DONE);
	CHECK_INT(inspect_feed(&inspect, (const uint8_t *)"any", 3, &release), INSPECT_DONE);
	CHECK_INT(release, 3);
}

TEST(inspect_watches_the_server_during_an_upgrade)
{
	const char *request = "GET / HTTP/1.1\r\nHost: pypi.org\r\nConnection: upgrade\r\n"
			      "Upgrade: websocket\r\n\r\n";
	const char *answer = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

	CHECK_INT(feed_text(request, false), INSPECT_GO_ON);
	CHECK(inspect_awaits_server(&inspect));
	CHECK_INT(inspect_server_said(&inspect, (const uint8_t *)answer, strlen(answer)),
		INSPECT_DONE);
	CHECK(!inspect_awaits_server(&inspect));
	CHECK_INT(feed("\x81\x05hello", 7), INSPECT_DONE);
	CHECK_INT(feed_text("GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n", false), INSPECT_GO_ON);
	CHECK(!inspect_awaits_server(&inspect));
}

/* The page must be a whole HTTP answer, whose stated length is the length. */
static void check_page(const char *status, const char *reason)
{
	char line[100];
	const char *body = strstr(reply, "\r\n\r\n"), *length = strstr(reply, "Content-Length: ");

	snprintf(line, sizeof(line), "HTTP/1.1 %s\r\n", status);
	if (strncmp(reply, line, strlen(line)) != 0)
		CHECK_FAIL("%.60s", reply);
	CHECK(body && length);
	CHECK_INT(strtoul(length + 16, NULL, 10), strlen(body + 4));
	CHECK_INT(n_reply, strlen(reply));
	snprintf(line, sizeof(line), "\r\nCloche-Reason: %s\r\n", reason);
	CHECK(strstr(reply, line));
	CHECK(strstr(reply, "\r\nConnection: close\r\n"));
	CHECK(strstr(body, "\"ci\""));
}

TEST(reply_names_policy_and_name_and_the_rule_to_ask_for)
{
	CHECK_INT(feed_text("GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n", false), INSPECT_REFUSE);
	check_page("403 Forbidden", "other-name");
	CHECK(strstr(reply, "\"pypi.org\""));
	CHECK(strstr(reply, "asks for: \"evil.org\""));
	CHECK(strstr(reply, "ask for a rule {\"name\": \"evil.org\"}"));
}

TEST(reply_says_what_is_wrong_with_a_request)
{
	static const struct {
		const char *request, *status, *reason;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "no-name"},
		{"GET / HTTP/1.1\r\nHost: pypi.org:81\r\n", "403 Forbidden", "other-port"},
		{"GET / HTTP/1.1\r\nHost: a b\r\n", "400 Bad Request", "bad-name"},
		{"CONNECT a:1 HTTP/1.1\r\n", "403 Forbidden", "connect"},
		{"PRI * HTTP/2.0\r\n", "403 Forbidden", "http2"},
		{"GET / HTTP/1.1\nHost: pypi.org\n\n", "400 Bad Request", "request-line"},
		{"GET / HTTP/1.1\r\nX : y\r\n", "400 Bad Request", "field"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_INT(feed_text(rows[i].request, false), INSPECT_REFUSE);
		check_page(rows[i].status, rows[i].reason);
		CHECK(!strstr(reply, "ask for a rule"));
	}
}

TEST(reply_quotes_nothing_that_could_break_out)
{
	CHECK_INT(feed_text("GET / HTTP/1.1\r\nHost: \"}<\x80\r\n", false), INSPECT_REFUSE);
	check_page("400 Bad Request", "bad-name");
	CHECK(strstr(reply, "asks for: \"?}<?\""));
}

TEST(reply_fits_the_longest_names)
{
	char name[254], policy[64], request[400];

	memset(name, 'n', sizeof(name) - 1);
	memset(policy, 'p', sizeof(policy) - 1);
	name[253] = policy[63] = '\0';
	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s?\r\n", name);
	inspect_init(&inspect, name, 80, false);
	CHECK_INT(feed(request, strlen(request)), INSPECT_REFUSE);
	n_reply = inspect_reply(&inspect, policy, reply, INSPECT_REPLY_MAX);
	CHECK(n_reply > 0 && n_reply <= INSPECT_REPLY_MAX);
	CHECK_TEXT(reply + n_reply - 2, ".\n");
	CHECK_INT(inspect_reply(&inspect, policy, reply, n_reply - 1), 0);
	CHECK(inspect_reply(&inspect, policy, reply, n_reply) == n_reply);
}

TEST(reply_says_nothing_inside_of_another_answer)
{
	CHECK_INT(feed_text("GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n", false), INSPECT_GO_ON);
	CHECK_INT(n_reply, 0);
	CHECK_INT(feed("GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n", 36), INSPECT_REFUSE);
	CHECK_INT(n_reply, 0);
}

TEST(reply_is_an_alert_to_tls)
{
	const uint8_t unrecognized[] = {21, 3, 3, 0, 2, 2, 112};
	uint8_t broken[64];

	inspect_init(&inspect, "pypi.net", 443, false);
	CHECK_INT(feed(HELLO_NODE, sizeof(HELLO_NODE)), INSPECT_REFUSE);
	CHECK_INT(n_reply, sizeof(unrecognized));
	CHECK(memcmp(reply, unrecognized, sizeof(unrecognized)) == 0);
	inspect_init(&inspect, "pypi.org", 443, false);
	CHECK_INT(feed(HELLO_OPENSSL_NAMELESS, sizeof(HELLO_OPENSSL_NAMELESS)), INSPECT_REFUSE);
	CHECK_INT(reply[6], 112);
	memcpy(broken, HELLO_NODE, sizeof(broken));
	broken[9] = 9;
	inspect_init(&inspect, "pypi.org", 443, false);
	CHECK_INT(feed(broken, sizeof(broken)), INSPECT_REFUSE);
	CHECK_INT(reply[6], 50);
}

TEST(reply_late_speaks_the_client_s_protocol)
{
	const struct inspect_page page = {502, "special", "ci", "pypi.org", NULL,
		"The name leads into a private network.", NULL};

	inspect_init(&inspect, "pypi.org", 443, false);
	feed(HELLO_CURL, sizeof(HELLO_CURL));
	CHECK_INT(inspect_reply_late(&inspect, INSPECT_ALERT_ACCESS_DENIED, &page, reply, 2048), 7);
	CHECK_INT(reply[6], 49);
	feed_text("GET / HTTP/1.1\r\nHost: pypi.org\r\n\r\n", false);
	n_reply = inspect_reply_late(&inspect, INSPECT_ALERT_ACCESS_DENIED, &page, reply, 2048);
	reply[n_reply] = '\0';
	check_page("502 Bad Gateway", "special");
	CHECK(strstr(reply, "private network"));
}

TEST(reason_texts_are_there_and_differ)
{
	for (int i = INSPECT_FINE; i <= INSPECT_TOO_EARLY; i++) {
		const char *word = inspect_reason_word((enum inspect_reason)i);

		CHECK(inspect_reason_sentence((enum inspect_reason)i)[0] != '\0');
		for (int j = INSPECT_FINE; j < i; j++)
			CHECK(strcmp(word, inspect_reason_word((enum inspect_reason)j)) != 0);
	}
}
