#include "supervisor/inspect/http.h"

#include <string.h>

#include "supervisor/inspect/http-parts.h"

static void begin_word(struct inspect_http *http)
{
	http->n_word = 0;
	http->word_cut = false;
}

static void begin_request(struct inspect_http *http)
{
	http->step = HTTP_METHOD;
	http->is_1_0 = http->is_options = false;
	http->has_host = http->has_length = http->is_chunked = http->has_upgrade = false;
	http->body_left = 0;
	http->n_held = 0;
	begin_word(http);
}

void inspect_http_init(struct inspect_http *http, const char *name, uint16_t port)
{
	memset(http, 0, sizeof(*http));
	http->name = name;
	http->port = port;
	begin_request(http);
}

bool http_is_token(uint8_t byte)
{
	if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z')
		return true;
	if (byte >= '0' && byte <= '9')
		return true;
	return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte);
}

static void keep(struct inspect_http *http, uint8_t byte)
{
	if (http->n_word < sizeof(http->word))
		http->word[http->n_word++] = (char)byte;
	else
		http->word_cut = true;
}

/* Ends a part: the word is judged, the next step begins with an empty one. */
static enum inspect_reason end_word(struct inspect_http *http, enum http_step next,
	enum inspect_reason (*judge)(struct inspect_http *))
{
	enum inspect_reason reason = judge(http);

	http->step = next;
	begin_word(http);
	return reason;
}

static enum inspect_reason take_method(struct inspect_http *http, uint8_t byte)
{
	if (byte == ' ')
		return end_word(http, HTTP_TARGET, http_judge_method);
	if (!http_is_token(byte))
		return INSPECT_REQUEST_LINE;
	keep(http, byte);
	return INSPECT_FINE;
}

static enum inspect_reason take_target(struct inspect_http *http, uint8_t byte)
{
	if (byte == ' ')
		return end_word(http, HTTP_VERSION, http_judge_target);
	/* Beyond ASCII there are bytes that some readers take for spaces: 0x85, 0xa0. */
	if (byte < ' ' || byte >= 0x7f || byte == '#')
		return INSPECT_REQUEST_LINE;
	keep(http, byte);
	return INSPECT_FINE;
}

static enum inspect_reason take_version(struct inspect_http *http, uint8_t byte)
{
	if (byte == '\r')
		return end_word(http, HTTP_LINE_END, http_judge_version);
	if (byte <= ' ' || byte >= 0x7f)
		return INSPECT_REQUEST_LINE;
	keep(http, byte);
	return INSPECT_FINE;
}

static enum inspect_reason take_name(struct inspect_http *http, uint8_t byte)
{
	if (byte == '\r' && http->n_word == 0) {
		http->step = HTTP_HEAD_END;
		return INSPECT_FINE;
	}
	if (byte == ':' && http->n_word > 0)
		return end_word(http, HTTP_VALUE, http_judge_name);
	/* No space: neither a line folded in the old way, nor "Host : x". */
	if (!http_is_token(byte))
		return INSPECT_FIELD;
	keep(http, byte);
	return INSPECT_FINE;
}

static enum inspect_reason take_value(struct inspect_http *http, uint8_t byte)
{
	if (byte == '\r')
		return end_word(http, HTTP_LINE_END, http_judge_value);
	if ((byte < ' ' && byte != '\t') || byte == 0x7f)
		return INSPECT_FIELD;
	if (http->field == HTTP_FIELD_OTHER)
		return INSPECT_FINE;
	/* Allowed by RFC 9112, 5, but some servers take it for a part of the value. */
	if (byte == '\t')
		return INSPECT_FIELD;
	if (http->n_word > 0 || byte != ' ')
		keep(http, byte);
	return INSPECT_FINE;
}

static enum inspect_reason take_head(struct inspect_http *http, uint8_t byte)
{
	switch ((enum http_step)http->step) {
	case HTTP_METHOD:
		return take_method(http, byte);
	case HTTP_TARGET:
		return take_target(http, byte);
	case HTTP_VERSION:
		return take_version(http, byte);
	case HTTP_LINE_END:
		http->step = HTTP_NAME;
		return byte == '\n' ? INSPECT_FINE : INSPECT_FIELD;
	case HTTP_NAME:
		return take_name(http, byte);
	case HTTP_VALUE:
		return take_value(http, byte);
	case HTTP_HEAD_END:
		return byte == '\n' ? http_judge_head(http) : INSPECT_FIELD;
	case HTTP_CONTENT:
	case HTTP_CHUNK_SIZE:
	case HTTP_CHUNK_SIZE_END:
	case HTTP_CHUNK:
	case HTTP_CHUNK_CR:
	case HTTP_CHUNK_LF:
	case HTTP_LAST_CR:
	case HTTP_LAST_LF:
		break;
	}
	return INSPECT_FRAMING;
}

/* Takes some of the bytes. *ret_free: bytes that may go, the held head first. */
static enum inspect_reason take(struct inspect_http *http, const uint8_t *bytes, size_t n_bytes,
	size_t *ret_taken, size_t *ret_free)
{
	enum inspect_reason reason;

	*ret_taken = 1;
	*ret_free = 0;
	if (http->awaits_server)
		return INSPECT_TOO_EARLY;
	if (http->step >= HTTP_CONTENT) {
		reason = http_take_body(http, bytes, n_bytes, ret_taken);
		*ret_free = *ret_taken;
	} else {
		reason = take_head(http, bytes[0]);
		http->n_held++;
		if (reason == INSPECT_FINE && http->step > HTTP_HEAD_END) {
			*ret_free = http->n_held;
			http->n_held = 0;
			http->n_requests++;
		} else if (reason == INSPECT_FINE && http->n_held >= INSPECT_HELD_MAX) {
			reason = INSPECT_TOO_LONG;
		}
	}
	if (http->step == HTTP_CONTENT && http->body_left == 0)
		begin_request(http);
	return reason;
}

enum inspect_verdict inspect_http_feed(
	struct inspect_http *http, const uint8_t *bytes, size_t n_bytes, size_t *ret_release)
{
	size_t release = 0;

	for (size_t i = 0; i < n_bytes && http->reason == INSPECT_FINE;) {
		size_t n_taken, n_free;

		http->reason = take(http, bytes + i, n_bytes - i, &n_taken, &n_free);
		i += n_taken;
		release += n_free;
	}
	if (http->reason != INSPECT_FINE) {
		*ret_release = 0;
		return INSPECT_REFUSE;
	}
	http->has_released |= release > 0;
	*ret_release = release;
	return INSPECT_GO_ON;
}

enum inspect_verdict inspect_http_server_said(
	struct inspect_http *http, const uint8_t *bytes, size_t n_bytes)
{
	if (!http->awaits_server || http->reason != INSPECT_FINE)
		return http->reason == INSPECT_FINE ? INSPECT_GO_ON : INSPECT_REFUSE;
	switch (inspect_answer_feed(&http->answer, bytes, n_bytes)) {
	case INSPECT_ANSWER_MORE:
		break;
	case INSPECT_ANSWER_SWITCHES:
		return INSPECT_DONE;
	case INSPECT_ANSWER_OTHER:
		http->awaits_server = false;
	}
	return INSPECT_GO_ON;
}
