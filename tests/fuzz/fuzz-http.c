/* Whatever a client sends: the answer does not depend on how the bytes are cut, and in what is
 * released a plain second reader, which looks for whole lines, finds requests for the name only. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "supervisor/inspect/http.h"
#include "tests/fuzz/fuzz.h"

#define NAME "pypi.org"
#define PORT 8080

struct outcome {
	enum inspect_verdict verdict;
	enum inspect_reason reason;
	size_t n_released;
	uint64_t n_requests;
};

static struct outcome feed(const uint8_t *data, size_t size, size_t n_piece)
{
	struct outcome outcome = {.verdict = INSPECT_GO_ON};
	struct inspect_http http;

	inspect_http_init(&http, NAME, PORT);
	for (size_t at = 0; at < size && outcome.verdict == INSPECT_GO_ON; at += n_piece) {
		size_t n = size - at < n_piece ? size - at : n_piece, release;

		outcome.verdict = inspect_http_feed(&http, data + at, n, &release);
		outcome.n_released += release;
		BROKEN_IF(outcome.verdict == INSPECT_DONE);
		BROKEN_IF(outcome.n_released > at + n);
		BROKEN_IF(outcome.verdict == INSPECT_GO_ON &&
			  at + n - outcome.n_released >= INSPECT_HELD_MAX);
	}
	outcome.reason = http.reason;
	outcome.n_requests = http.n_requests;
	return outcome;
}

/* ---- the second reader: takes what was released for a string */

struct head {
	unsigned int n_host, n_length, n_encoding;
	unsigned long long length;
};

static void read_line(struct head *head, const char *line, size_t n)
{
	const char *name = "host:", *value;

	BROKEN_IF(memchr(line, '\r', n) || memchr(line, '\n', n) || memchr(line, '\0', n));
	BROKEN_IF(n == 0 || line[0] == ' ' || line[0] == '\t');
	if (strncasecmp(line, name, 5) == 0) {
		value = line + 5 + strspn(line + 5, " ");
		BROKEN_IF(strncasecmp(value, NAME, strlen(NAME)) != 0);
		value += strlen(NAME);
		BROKEN_IF(
			value != line + n && (value + 5 != line + n || strncmp(value, ":8080", 5)));
		head->n_host++;
	} else if (strncasecmp(line, "content-length:", 15) == 0) {
		head->length = strtoull(line + 15, NULL, 10);
		head->n_length++;
	} else if (strncasecmp(line, "transfer-encoding:", 18) == 0) {
		head->n_encoding++;
	}
}

/* Returns what is behind the content, or NULL if that has not come whole. */
static const char *skip_chunks(const char *at, const char *end)
{
	for (;;) {
		char *behind;
		unsigned long long length = strtoull(at, &behind, 16);

		if (end - behind < 4 || (unsigned long long)(end - behind - 4) < length)
			return NULL;
		BROKEN_IF(strncmp(behind, "\r\n", 2) != 0);
		at = behind + 2 + length;
		BROKEN_IF(strncmp(at, "\r\n", 2) != 0);
		at += 2;
		if (length == 0)
			return at;
	}
}

static const char *skip_request(const char *at, const char *end)
{
	struct head head = {.n_host = 0};
	const char *next = strstr(at, "\r\n");

	BROKEN_IF(!next || strncmp(at, "CONNECT ", 8) == 0 || strncmp(at, "PRI ", 4) == 0);
	BROKEN_IF(strncmp(next - 9, " HTTP/1.1", 9) != 0 && strncmp(next - 9, " HTTP/1.0", 9) != 0);
	for (at = next + 2; strncmp(at, "\r\n", 2) != 0; at = next + 2) {
		next = strstr(at, "\r\n");
		BROKEN_IF(!next);
		read_line(&head, at, (size_t)(next - at));
	}
	at += 2;
	BROKEN_IF(head.n_host != 1 || head.n_length + head.n_encoding > 1);
	if (head.n_encoding > 0)
		return skip_chunks(at, end);
	return (unsigned long long)(end - at) < head.length ? NULL : at + head.length;
}

static uint64_t count_requests(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t n = 0;

	BROKEN_IF(!text);
	memcpy(text, data, size);
	text[size] = '\0';
	for (const char *at = text; at && at < text + size; n++)
		at = skip_request(at, text + size);
	free(text);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole = feed(data, size, size ? size : 1), single = feed(data, size, 1);
	struct outcome cut = feed(data, size, 1 + size / 3);

	BROKEN_IF(single.verdict != whole.verdict || single.reason != whole.reason);
	BROKEN_IF(cut.verdict != whole.verdict || cut.reason != whole.reason);
	BROKEN_IF(single.n_requests != whole.n_requests || cut.n_requests != whole.n_requests);
	BROKEN_IF(whole.verdict == INSPECT_GO_ON && whole.n_released != single.n_released);
	/* Byte by byte, all that may go is released before what follows is refused. */
	BROKEN_IF(count_requests(data, single.n_released) != single.n_requests);
	return 0;
}
