#include "supervisor/inspect/reply.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX 1536

/* RFC 8446, 5.1 and 6: a record of type alert, TLS 1.2's number on it, two bytes in it. */
#define RECORD_ALERT 21
#define LEVEL_FATAL 2

size_t inspect_reply_alert(enum inspect_alert alert, char ret_bytes[INSPECT_ALERT_BYTES])
{
	const char bytes[INSPECT_ALERT_BYTES] = {
		RECORD_ALERT, 3, 3, 0, 2, LEVEL_FATAL, (char)alert};

	memcpy(ret_bytes, bytes, sizeof(bytes));
	return sizeof(bytes);
}

static const char *title(unsigned int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 502:
		return "Bad Gateway";
	case 504:
		return "Gateway Timeout";
	}
	return "Refused";
}

/* At most `size` - 1 characters of text; returns how many. */
static size_t write_body(const struct inspect_page *page, char *ret_body, size_t size)
{
	bool has_said = page->said && page->said[0] != '\0';
	const char *wanted = has_said ? page->said : page->name;
	char advice[INSPECT_SAID_SIZE + 128];
	int n;

	snprintf(advice, sizeof(advice), "If you need it, ask for a rule {\"name\": \"%s\"}.",
		wanted);
	n = snprintf(ret_body, size,
		"Cloche, the host of this sandbox, refused a connection.\n\n"
		"%s\n\n"
		"Policy:           \"%s\"\n"
		"Connected to:     \"%s\"\n"
		"Request asks for: %s%s%s\n"
		"Reason:           %s\n\n"
		"%s\n",
		page->why, page->policy, page->name, has_said ? "\"" : "",
		has_said ? page->said : "(no name)", has_said ? "\"" : "", page->reason,
		page->advice ? page->advice : advice);
	if (n < 0)
		return 0;
	return (size_t)n < size ? (size_t)n : size - 1;
}

size_t inspect_reply_page(const struct inspect_page *page, char *ret_bytes, size_t size)
{
	char body[BODY_MAX];
	size_t n_body = write_body(page, body, sizeof(body));
	int n = snprintf(ret_bytes, size,
		"HTTP/1.1 %u %s\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"Content-Length: %zu\r\n"
		"Cache-Control: no-store\r\n"
		"Cloche-Reason: %s\r\n"
		"Connection: close\r\n"
		"\r\n",
		page->status, title(page->status), n_body, page->reason);

	if (n < 0 || (size_t)n + n_body > size)
		return 0;
	memcpy(ret_bytes + n, body, n_body);
	return (size_t)n + n_body;
}

static enum inspect_alert alert_for(enum inspect_reason reason)
{
	switch (reason) {
	case INSPECT_OTHER_NAME:
	case INSPECT_NO_NAME:
	case INSPECT_TWO_NAMES:
	case INSPECT_BAD_NAME:
		return INSPECT_ALERT_UNRECOGNIZED_NAME;
	case INSPECT_TLS_BROKEN:
	case INSPECT_TOO_LONG:
		return INSPECT_ALERT_DECODE_ERROR;
	case INSPECT_FINE:
	case INSPECT_OTHER_PORT:
	case INSPECT_NEEDS_TLS:
	case INSPECT_NEITHER:
	case INSPECT_REQUEST_LINE:
	case INSPECT_FIELD:
	case INSPECT_FRAMING:
	case INSPECT_CHUNK:
	case INSPECT_CONNECT:
	case INSPECT_HTTP2:
	case INSPECT_UPGRADE:
	case INSPECT_TOO_EARLY:
		break;
	}
	return INSPECT_ALERT_ACCESS_DENIED;
}

/* 403: well understood and not allowed; 400: not to be understood without doubt. */
static unsigned int status_for(enum inspect_reason reason)
{
	switch (reason) {
	case INSPECT_OTHER_NAME:
	case INSPECT_OTHER_PORT:
	case INSPECT_NEEDS_TLS:
	case INSPECT_CONNECT:
	case INSPECT_HTTP2:
	case INSPECT_UPGRADE:
		return 403;
	case INSPECT_FINE:
	case INSPECT_NO_NAME:
	case INSPECT_TWO_NAMES:
	case INSPECT_BAD_NAME:
	case INSPECT_NEITHER:
	case INSPECT_TLS_BROKEN:
	case INSPECT_TOO_LONG:
	case INSPECT_REQUEST_LINE:
	case INSPECT_FIELD:
	case INSPECT_FRAMING:
	case INSPECT_CHUNK:
	case INSPECT_TOO_EARLY:
		break;
	}
	return 400;
}

static const char *advice_for(enum inspect_reason reason)
{
	switch (status_for(reason)) {
	case 400:
		return "Send a request as RFC 9112 has it, with one Host field.";
	case 403:
		if (reason == INSPECT_OTHER_NAME)
			return NULL;
	}
	if (reason == INSPECT_OTHER_PORT)
		return "Leave the port out of Host, or say the one that you connected to.";
	return "Connect in a way that the policy allows; a rule for the name does not change this.";
}

size_t inspect_reply(
	const struct inspect *inspect, const char *policy, char *ret_bytes, size_t size)
{
	enum inspect_reason reason = inspect->reason;
	char said[INSPECT_SAID_SIZE];
	const struct inspect_page page = {
		.status = status_for(reason),
		.reason = inspect_reason_word(reason),
		.policy = policy,
		.name = inspect->name,
		.said = said,
		.why = inspect_reason_sentence(reason),
		.advice = advice_for(reason),
	};

	if (reason == INSPECT_FINE)
		return 0;
	inspect_said(inspect, said);
	return inspect_reply_late(inspect, alert_for(reason), &page, ret_bytes, size);
}

size_t inspect_reply_late(const struct inspect *inspect, enum inspect_alert alert,
	const struct inspect_page *page, char *ret_bytes, size_t size)
{
	switch (inspect->protocol) {
	case INSPECT_UNKNOWN:
		break;
	case INSPECT_TLS:
		return size < INSPECT_ALERT_BYTES ? 0 : inspect_reply_alert(alert, ret_bytes);
	case INSPECT_HTTP:
		/* A page after requests that went on could land inside of their answers. */
		if (!inspect->http.has_released || inspect->reason == INSPECT_FINE)
			return inspect_reply_page(page, ret_bytes, size);
		break;
	}
	return 0;
}
