/* Requests to pypi.org on port 8080: each form that is refused stands beside the one that is not.
 * Every row is fed whole, cut at every place, and byte by byte. */
#include <stdlib.h>
#include <string.h>

#include "supervisor/inspect/http.h"
#include "tests/harness/check.h"

static struct inspect_http http;
static size_t n_released;

static void restart(void)
{
	inspect_http_init(&http, "pypi.org", 8080);
	n_released = 0;
}

static enum inspect_verdict feed(const char *text, size_t begin, size_t end)
{
	/* An allocation of just that size: a sanitizer sees reads behind it. */
	uint8_t *bytes = malloc(end - begin + 1);
	enum inspect_verdict verdict;
	size_t release;

	CHECK(bytes);
	memcpy(bytes + 1, text + begin, end - begin);
	verdict = inspect_http_feed(&http, bytes + 1, end - begin, &release);
	free(bytes);
	n_released += release;
	CHECK(n_released <= end);
	if (verdict == INSPECT_REFUSE)
		CHECK_INT(release, 0);
	return verdict;
}

struct row {
	const char *text;
	size_t n;
	enum inspect_reason reason;
	unsigned int n_requests; /* if it is fine: all of them, and nothing is left */
};

#define FINE(text, n_requests)                                                                     \
	{                                                                                          \
		text, sizeof(text) - 1, INSPECT_FINE, n_requests                                   \
	}
#define REFUSED(text, reason)                                                                      \
	{                                                                                          \
		text, sizeof(text) - 1, reason, 0                                                  \
	}

static void check_outcome(const struct row *row, size_t at, enum inspect_verdict verdict)
{
	bool fine = row->reason == INSPECT_FINE;

	if (verdict != (fine ? INSPECT_GO_ON : INSPECT_REFUSE) || http.reason != row->reason)
		CHECK_FAIL("cut at %zu: verdict %d, reason %s: %.200s", at, (int)verdict,
			inspect_reason_word(http.reason), row->text);
	if (fine && (n_released != row->n || http.n_requests != row->n_requests))
		CHECK_FAIL("cut at %zu: released %zu of %zu, %u requests: %.200s", at, n_released,
			row->n, (unsigned int)http.n_requests, row->text);
}

static void check_row(const struct row *row)
{
	enum inspect_verdict verdict = INSPECT_GO_ON;

	for (size_t at = 0; at <= row->n; at++) {
		restart();
		verdict = feed(row->text, 0, at);
		if (verdict == INSPECT_GO_ON)
			verdict = feed(row->text, at, row->n);
		check_outcome(row, at, verdict);
	}
	restart();
	verdict = INSPECT_GO_ON;
	for (size_t i = 0; i < row->n && verdict == INSPECT_GO_ON; i++)
		verdict = feed(row->text, i, i + 1);
	check_outcome(row, row->n, verdict);
}

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check_row(&rows[i]);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

#define HOST "Host: pypi.org\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define END "\r\n"

TEST(http_lets_requests_for_the_name_through_and_no_other)
{
	static const struct row rows[] = {
		FINE(GET END, 1),
		FINE("GET / HTTP/1.1\r\nhOST:pypi.org\r\n\r\n", 1),
		FINE("GET / HTTP/1.1\r\nHost:  PyPI.org\r\n\r\n", 1),
		REFUSED("GET / HTTP/1.1\r\nHost:\tpypi.org\r\n\r\n", INSPECT_FIELD),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org \r\n\r\n", INSPECT_FIELD),
		FINE("GET / HTTP/1.1\r\nHost: pypi.org:8080\r\n\r\n", 1),
		FINE("GET / HTTP/1.0\r\nHost: pypi.org\r\n\r\n", 1),
		FINE("HEAD /a/b?c=http://evil.org/ HTTP/1.1\r\nAccept: */*\r\n" HOST END, 1),
		FINE("OPTIONS * HTTP/1.1\r\n" HOST END, 1),
		REFUSED("GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n", INSPECT_OTHER_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: www.pypi.org\r\n\r\n", INSPECT_OTHER_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.or\r\n\r\n", INSPECT_OTHER_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", INSPECT_OTHER_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org:80\r\n\r\n", INSPECT_OTHER_PORT),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org:08080\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org:73616\r\n\r\n", INSPECT_OTHER_PORT),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org:\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org:8080:1\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org.\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org, evil.org\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org evil.org\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org@evil.org\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: pypi.org/\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost: p\xc3\xbfpi.org\r\n\r\n", INSPECT_BAD_NAME),
		REFUSED("GET / HTTP/1.1\r\nHost:\r\n\r\n", INSPECT_NO_NAME),
		REFUSED("GET / HTTP/1.1\r\nAccept: */*\r\n\r\n", INSPECT_NO_NAME),
		REFUSED("GET / HTTP/1.0\r\n\r\n", INSPECT_NO_NAME),
		REFUSED(GET HOST END, INSPECT_TWO_NAMES),
		REFUSED(GET "Host: evil.org\r\n\r\n", INSPECT_TWO_NAMES),
		REFUSED("GET / HTTP/1.1\r\nHost: evil.org\r\n" HOST END, INSPECT_OTHER_NAME),
	};

	CHECK_ROWS(rows);
}

TEST(http_judges_the_target)
{
	static const struct row rows[] = {
		FINE("GET http://pypi.org/x HTTP/1.1\r\n" HOST END, 1),
		FINE("GET HTTP://PYPI.org:8080?x HTTP/1.1\r\n" HOST END, 1),
		FINE("GET http://pypi.org HTTP/1.1\r\n" HOST END, 1),
		FINE("GET //evil.org/ HTTP/1.1\r\n" HOST END, 1), /* a path, RFC 9112, 3.2.1 */
		REFUSED("GET http://evil.org/ HTTP/1.1\r\n" HOST END, INSPECT_OTHER_NAME),
		REFUSED("GET http://pypi.org:80/ HTTP/1.1\r\n" HOST END, INSPECT_OTHER_PORT),
		REFUSED("GET http://pypi.org@evil.org/ HTTP/1.1\r\n" HOST END, INSPECT_BAD_NAME),
		REFUSED("GET http://user:x@pypi.org/ HTTP/1.1\r\n" HOST END, INSPECT_BAD_NAME),
		REFUSED("GET http://pypi.org\\@evil.org/ HTTP/1.1\r\n" HOST END, INSPECT_BAD_NAME),
		REFUSED("GET http:///x HTTP/1.1\r\n" HOST END, INSPECT_NO_NAME),
		REFUSED("GET http://pypi.org/#x HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET http://pypi.org/ HTTP/1.1\r\nHost: evil.org\r\n\r\n",
			INSPECT_OTHER_NAME),
		REFUSED("GET https://pypi.org/ HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET ftp://pypi.org/ HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET pypi.org HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET * HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
	};

	CHECK_ROWS(rows);
}

TEST(http_judges_the_request_line)
{
	static const struct row rows[] = {
		FINE("M-SEARCH / HTTP/1.1\r\n" HOST END, 1),
		REFUSED("CONNECT pypi.org:8080 HTTP/1.1\r\n" HOST END, INSPECT_CONNECT),
		REFUSED("connect pypi.org:8080 HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", INSPECT_HTTP2),
		REFUSED("GET / HTTP/2.0\r\n" HOST END, INSPECT_HTTP2),
		REFUSED("GET / HTTP/1.2\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET / HTTP/0.9\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET / http/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET / HTTP/1.1 \r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET  / HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET /  HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET\t/ HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET /\xa0x HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET /\x85x HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET /\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("GET /\0 HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		REFUSED("\r\n" GET END, INSPECT_REQUEST_LINE),
		REFUSED(" " GET END, INSPECT_REQUEST_LINE),
		REFUSED(" / HTTP/1.1\r\n" HOST END, INSPECT_REQUEST_LINE),
		FINE("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1\r\n" HOST END, 1),
		REFUSED("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" HOST END,
			INSPECT_REQUEST_LINE),
		REFUSED("SSH-2.0-OpenSSH_9.2\r\n", INSPECT_REQUEST_LINE),
	};

	CHECK_ROWS(rows);
}

TEST(http_refuses_lines_that_readers_end_in_different_places)
{
	static const struct row rows[] = {
		FINE(GET "X: a\xff\tb\r\nY:\r\n\r\n", 1),
		FINE(GET "X_Y: z\r\n\r\n", 1),
		REFUSED("GET / HTTP/1.1\nHost: pypi.org\n\n", INSPECT_REQUEST_LINE),
		REFUSED("GET / HTTP/1.1\r" HOST END, INSPECT_FIELD),
		REFUSED(GET "X: a\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X: a\rHost: evil.org\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X: a\0b\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X: a\x7f\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X: a\x0b\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X\0: a\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X: a\r\n b\r\n\r\n", INSPECT_FIELD), /* folded, as of old */
		REFUSED(GET "X: a\r\n\tb\r\n\r\n", INSPECT_FIELD),
		REFUSED("GET / HTTP/1.1\r\n " HOST END, INSPECT_FIELD),
		REFUSED("GET / HTTP/1.1\r\nHost : pypi.org\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X y: z\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "X\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET ": x\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "\n", INSPECT_FIELD),
		REFUSED(GET "\r\r\n", INSPECT_FIELD),
		REFUSED(POST "Content_Length: 1\r\n\r\n", INSPECT_FIELD),
		REFUSED(POST "Transfer_Encoding: chunked\r\n\r\n", INSPECT_FIELD),
	};

	CHECK_ROWS(rows);
}

TEST(http_follows_content_of_a_stated_length)
{
	static const struct row rows[] = {
		FINE(POST "Content-Length: 5\r\n\r\nhello" GET END, 2),
		FINE(POST "content-length:0\r\n\r\n" GET END, 2),
		FINE(GET "Content-Length: 21\r\n\r\nGET /evil HTTP/1.1\r\n\n" GET END, 2),
		FINE("POST / HTTP/1.0\r\n" HOST "Content-Length: 1\r\n\r\nx", 1),
		REFUSED(POST "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: e\r\n\r\n",
			INSPECT_OTHER_NAME),
		REFUSED(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
			INSPECT_FRAMING),
		REFUSED(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
			INSPECT_FRAMING),
		REFUSED(POST "Content-Length: 5, 5\r\n\r\nhello", INSPECT_FRAMING),
		REFUSED(POST "Content-Length: +5\r\n\r\nhello", INSPECT_FRAMING),
		REFUSED(POST "Content-Length: -5\r\n\r\nhello", INSPECT_FRAMING),
		REFUSED(POST "Content-Length: 05\r\n\r\nhello", INSPECT_FRAMING),
		REFUSED(POST "Content-Length: 0x5\r\n\r\nhello", INSPECT_FRAMING),
		REFUSED(POST "Content-Length: 5 5\r\n\r\nhello", INSPECT_FRAMING),
		REFUSED(POST "Content-Length:\r\n\r\n", INSPECT_FRAMING),
		REFUSED(POST "Content-Length: 1844674407370955162\r\n\r\n", INSPECT_FRAMING),
		REFUSED(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
			INSPECT_FRAMING),
		REFUSED(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
			INSPECT_FRAMING),
	};

	CHECK_ROWS(rows);
}

#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

TEST(http_follows_chunks)
{
	static const struct row rows[] = {
		FINE(CHUNKED "5\r\nhello\r\n0\r\n\r\n" GET END, 2),
		FINE(POST "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n" GET END, 2),
		FINE(CHUNKED "00A\r\n0\r\n\r\nGET /\r\n00\r\n\r\n" GET END, 2),
		REFUSED(CHUNKED "0\r\n\r\nGET / HTTP/1.1\r\nHost: evil.org\r\n\r\n",
			INSPECT_OTHER_NAME),
		FINE(CHUNKED "0005\r\nhello\r\n0005\r\nhello\r\n0005\r\nhello\r\n0\r\n\r\n", 1),
		REFUSED(CHUNKED "5\r\nhello\r\n\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "5;x=y\r\nhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "5 \r\nhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED " 5\r\nhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "+5\r\nhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "5\nhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "5\rhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "5\r\nhello\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "5\r\nhello!\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "80000000\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "000000005\r\nhello\r\n0\r\n\r\n", INSPECT_CHUNK),
		REFUSED(CHUNKED "0\r\nX: y\r\n\r\n", INSPECT_CHUNK), /* a trailer */
		REFUSED(CHUNKED "0\r\n\n", INSPECT_CHUNK),
		REFUSED("POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
			INSPECT_FRAMING),
		REFUSED(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", INSPECT_FRAMING),
		REFUSED(POST "Transfer-Encoding: chunked, identity\r\n\r\n", INSPECT_FRAMING),
		REFUSED(POST "Transfer-Encoding: identity\r\n\r\n", INSPECT_FRAMING),
		REFUSED(POST "Transfer-Encoding: \x0b"
			     "chunked\r\n\r\n",
			INSPECT_FIELD),
		REFUSED(POST "Transfer-Encoding:\tchunked\r\n\r\n", INSPECT_FIELD),
		REFUSED(POST "Transfer-Encoding: chunked \r\n\r\n", INSPECT_FIELD),
		REFUSED(POST "Content-Length: 5 \r\n\r\nhello", INSPECT_FIELD),
		REFUSED(POST "Transfer-Encoding: xchunked\r\n\r\n", INSPECT_FRAMING),
		REFUSED(POST "Transfer-Encoding:\r\n\r\n", INSPECT_FRAMING),
		REFUSED(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
			INSPECT_FRAMING),
	};

	CHECK_ROWS(rows);
}

TEST(http_checks_every_request_of_a_connection)
{
	static const struct row rows[] = {
		FINE(GET END GET END GET END, 3),
		REFUSED(GET END "GET / HTTP/1.1\r\nHost: evil.org\r\n\r\n", INSPECT_OTHER_NAME),
		REFUSED(GET END "GET http://evil.org/ HTTP/1.1\r\n" HOST END, INSPECT_OTHER_NAME),
		REFUSED(GET END "GET / HTTP/1.1\r\n\r\n", INSPECT_NO_NAME),
		REFUSED(GET END GET END "CONNECT x:1 HTTP/1.1\r\n\r\n", INSPECT_CONNECT),
	};

	CHECK_ROWS(rows);
}

TEST(http_lets_only_known_words_into_connection)
{
	static const struct row rows[] = {
		FINE(GET "Connection: keep-alive\r\n\r\n", 1),
		FINE(GET "Connection: ,Keep-Alive , TE,\r\nConnection: close\r\n\r\n", 1),
		FINE(GET "Connection:\r\n\r\n", 1),
		REFUSED(GET "Connection: close, Host\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "Connection: content-length\r\n\r\n", INSPECT_FIELD),
		REFUSED(GET "Connection: keep-alive transfer-encoding\r\n\r\n", INSPECT_FIELD),
	};

	CHECK_ROWS(rows);
}

/* ---- upgrade */

#define WEBSOCKET GET "Connection: Upgrade\r\nUpgrade: websocket\r\n"

TEST(http_allows_an_upgrade_to_websocket_only)
{
	static const struct row rows[] = {
		FINE(WEBSOCKET END, 1),
		FINE(GET "Upgrade: WebSocket\r\n\r\n", 1),
		REFUSED(GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
			    "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
			INSPECT_HTTP2),
		REFUSED(GET "Upgrade: TLS/1.0\r\n\r\n", INSPECT_UPGRADE),
		REFUSED(GET "Upgrade: websocket, h2c\r\n\r\n", INSPECT_UPGRADE),
		REFUSED(WEBSOCKET "Upgrade: websocket\r\n\r\n", INSPECT_UPGRADE),
		REFUSED(WEBSOCKET "Content-Length: 3\r\n\r\nxyz", INSPECT_UPGRADE),
		REFUSED(WEBSOCKET "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", INSPECT_UPGRADE),
		REFUSED(GET END WEBSOCKET END, INSPECT_UPGRADE),
		REFUSED("GET / HTTP/1.0\r\n" HOST "Upgrade: websocket\r\n\r\n", INSPECT_UPGRADE),
		REFUSED(WEBSOCKET END "\x81", INSPECT_TOO_EARLY),
		REFUSED(WEBSOCKET END GET END, INSPECT_TOO_EARLY),
	};

	CHECK_ROWS(rows);
}

static enum inspect_verdict answer(const char *text, size_t at)
{
	const uint8_t *bytes = (const uint8_t *)text;
	enum inspect_verdict verdict = inspect_http_server_said(&http, bytes, at);

	if (verdict == INSPECT_GO_ON)
		verdict = inspect_http_server_said(&http, bytes + at, strlen(text) - at);
	return verdict;
}

TEST(http_is_opaque_once_the_server_switched)
{
	static const struct {
		const char *text;
		enum inspect_verdict verdict;
		bool awaits;
	} rows[] = {
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", INSPECT_DONE, true},
		{"HTTP/1.1 101\r\n\r\n", INSPECT_DONE, true},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 x\r\n\r\n", INSPECT_DONE, true},
		{"HTTP/1.1 100\r\n\r\nHTTP/1.1 101 x\r\n\r\n", INSPECT_DONE, true},
		{"HTTP/1.1 103\r\nLink: x\r\n\r\nHTTP/1.1 101 x\r\n\r\n", INSPECT_DONE, true},
		{"HTTP/1.1 103 Early\r\nX: HTTP/1.1 101 \r\n", INSPECT_GO_ON, true},
		{"HTTP/1.1 10", INSPECT_GO_ON, true},
		{"HTTP/1.1 101", INSPECT_GO_ON, true},
		{"HTTP/1.1 1010", INSPECT_GO_ON, false},
		{"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 x\r\n\r\n", INSPECT_GO_ON, false},
		{"HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 403 No\r\n\r\n", INSPECT_GO_ON, false},
		{"HTTP/1.0 101 x\r\n\r\n", INSPECT_GO_ON, false},
		{"HTTP/1.1  101 x\r\n\r\n", INSPECT_GO_ON, false},
		{"<html>", INSPECT_GO_ON, false},
	};
	const char request[] = WEBSOCKET END, next[] = GET END;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t at = 0; at <= strlen(rows[i].text); at++) {
			restart();
			CHECK_INT(feed(request, 0, sizeof(request) - 1), INSPECT_GO_ON);
			CHECK(http.awaits_server);
			if (answer(rows[i].text, at) != rows[i].verdict ||
				http.awaits_server != rows[i].awaits)
				CHECK_FAIL("cut at %zu: %s", at, rows[i].text);
		}
		n_released = 0;
		if (!rows[i].awaits)
			CHECK_INT(feed(next, 0, sizeof(next) - 1), INSPECT_GO_ON);
	}
}

TEST(http_still_checks_after_a_server_that_did_not_switch)
{
	const char request[] = WEBSOCKET END, next[] = "GET / HTTP/1.1\r\nHost: evil.org\r\n";

	restart();
	feed(request, 0, sizeof(request) - 1);
	CHECK_INT(answer("HTTP/1.1 401 No\r\n\r\n", 0), INSPECT_GO_ON);
	n_released = 0;
	CHECK_INT(feed(next, 0, sizeof(next) - 1), INSPECT_REFUSE);
	CHECK_INT(http.reason, INSPECT_OTHER_NAME);
}

TEST(http_never_lets_a_server_switch_unasked)
{
	const char request[] = GET END;

	restart();
	feed(request, 0, sizeof(request) - 1);
	CHECK_INT(answer("HTTP/1.1 101 Switching\r\n\r\n", 0), INSPECT_GO_ON);
	CHECK(!http.awaits_server);
}

/* ---- what is released, and how much is held */

TEST(http_releases_a_head_only_when_it_is_judged)
{
	const char head[] = POST "Content-Length: 4\r\n\r\n";
	const size_t n = sizeof(head) - 1;

	for (size_t at = 0; at < n; at++) {
		restart();
		CHECK_INT(feed(head, 0, at), INSPECT_GO_ON);
		CHECK_INT(n_released, 0);
		CHECK(!http.has_released);
		CHECK_INT(feed(head, at, n), INSPECT_GO_ON);
		CHECK_INT(n_released, n);
		CHECK(http.has_released);
	}
	n_released = 0;
	CHECK_INT(feed("ab", 0, 2), INSPECT_GO_ON);
	CHECK_INT(n_released, 2);
	CHECK_INT(feed("cdGET", 0, 5), INSPECT_GO_ON);
	CHECK_INT(n_released, 4);
}

static enum inspect_reason feed_head_of(size_t n)
{
	char *text = malloc(n);
	const char begin[] = GET "X: ", end[] = "\r\n\r\n";

	CHECK(text);
	memset(text, 'x', n);
	memcpy(text, begin, sizeof(begin) - 1);
	memcpy(text + n - 4, end, 4);
	restart();
	feed(text, 0, n);
	free(text);
	return http.reason;
}

TEST(http_holds_no_more_than_it_says)
{
	CHECK_INT(feed_head_of(INSPECT_HELD_MAX), INSPECT_FINE);
	CHECK_INT(n_released, INSPECT_HELD_MAX);
	CHECK_INT(feed_head_of(INSPECT_HELD_MAX + 1), INSPECT_TOO_LONG);
}

TEST(http_takes_long_targets_and_refuses_long_names)
{
	char text[3000] = "GET http://pypi.org/";

	memset(text + 20, 'a', 2000);
	strcpy(text + 2020, " HTTP/1.1\r\n" HOST END);
	restart();
	CHECK_INT(feed(text, 0, strlen(text)), INSPECT_GO_ON);
	CHECK_INT(http.n_requests, 1);
	text[19] = '.';
	restart();
	CHECK_INT(feed(text, 0, strlen(text)), INSPECT_REFUSE);
	CHECK_INT(http.reason, INSPECT_BAD_NAME);
}

TEST(http_keeps_the_name_that_was_asked_for)
{
	const char text[] = "GET / HTTP/1.1\r\nHost: Evil.org:8080\r\n\r\n";
	const char odd[] = "GET / HTTP/1.1\r\nHost: e\"\\\x80 x\r\n\r\n";

	restart();
	CHECK_INT(feed(text, 0, sizeof(text) - 1), INSPECT_REFUSE);
	CHECK_TEXT(http.said, "Evil.org");
	restart();
	CHECK_INT(feed(odd, 0, sizeof(odd) - 1), INSPECT_REFUSE);
	CHECK_TEXT(http.said, "e????x");
}
