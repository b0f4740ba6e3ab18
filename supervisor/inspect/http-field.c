#include <string.h>
#include <strings.h>

#include "supervisor/inspect/http-parts.h"

#define LENGTH_DIGITS_MAX 18 /* below 2^63, whatever the reader counts in */

static const struct {
	const char *name;
	enum http_field field;
} FIELDS[] = {
	{"host", HTTP_FIELD_HOST},
	{"content-length", HTTP_FIELD_LENGTH},
	{"transfer-encoding", HTTP_FIELD_ENCODING},
	{"connection", HTTP_FIELD_CONNECTION},
	{"upgrade", HTTP_FIELD_UPGRADE},
};

/* What a client may say about the connection. Another word would make a server in front drop the
 * field of that name before it passes the request on: "Connection: Host" (RFC 9110, 7.6.1). */
static const char *const OPTIONS[] = {"close", "keep-alive", "te", "upgrade"};

static bool is_text(const char *bytes, size_t length, const char *text)
{
	return strlen(text) == length && strncasecmp(bytes, text, length) == 0;
}

enum inspect_reason http_judge_name(struct inspect_http *http)
{
	char folded[INSPECT_WORD_SIZE];

	/* Servers that make variables of fields take "Content_Length" for "Content-Length". */
	for (size_t i = 0; i < http->n_word; i++)
		folded[i] = http->word[i] == '_' ? '-' : http->word[i];
	http->field = HTTP_FIELD_OTHER;
	for (size_t i = 0; i < sizeof(FIELDS) / sizeof(FIELDS[0]); i++) {
		if (!is_text(folded, http->n_word, FIELDS[i].name))
			continue;
		if (memchr(http->word, '_', http->n_word))
			return INSPECT_FIELD;
		http->field = FIELDS[i].field;
	}
	return INSPECT_FINE;
}

static enum inspect_reason judge_host(struct inspect_http *http)
{
	if (http->has_host)
		return INSPECT_TWO_NAMES;
	http->has_host = true;
	return http_judge_authority(http, http->word, http->n_word);
}

static enum inspect_reason judge_length(struct inspect_http *http)
{
	if (http->has_length || http->n_word == 0 || http->n_word > LENGTH_DIGITS_MAX)
		return INSPECT_FRAMING;
	if (http->word[0] == '0' && http->n_word > 1)
		return INSPECT_FRAMING;
	http->has_length = true;
	for (size_t i = 0; i < http->n_word; i++) {
		if (http->word[i] < '0' || http->word[i] > '9')
			return INSPECT_FRAMING;
		http->body_left = http->body_left * 10 + (uint64_t)(http->word[i] - '0');
	}
	return INSPECT_FINE;
}

static enum inspect_reason judge_encoding(struct inspect_http *http)
{
	if (http->is_chunked || !is_text(http->word, http->n_word, "chunked"))
		return INSPECT_FRAMING;
	http->is_chunked = true;
	return INSPECT_FINE;
}

static bool is_option(const char *bytes, size_t length)
{
	for (size_t i = 0; i < sizeof(OPTIONS) / sizeof(OPTIONS[0]); i++) {
		if (is_text(bytes, length, OPTIONS[i]))
			return true;
	}
	return is_text(bytes, length, "http2-settings"); /* comes with Upgrade: h2c only */
}

static enum inspect_reason judge_connection(struct inspect_http *http)
{
	size_t begin = 0;

	for (size_t i = 0; i <= http->n_word; i++) {
		size_t end = i;

		if (i < http->n_word && http->word[i] != ',')
			continue;
		while (begin < end && http->word[begin] == ' ')
			begin++;
		while (end > begin && http->word[end - 1] == ' ')
			end--;
		if (end > begin && !is_option(http->word + begin, end - begin))
			return INSPECT_FIELD;
		begin = i + 1;
	}
	return INSPECT_FINE;
}

static enum inspect_reason judge_upgrade(struct inspect_http *http)
{
	if (is_text(http->word, http->n_word, "h2c") || is_text(http->word, http->n_word, "h2"))
		return INSPECT_HTTP2;
	if (http->has_upgrade || !is_text(http->word, http->n_word, "websocket"))
		return INSPECT_UPGRADE;
	http->has_upgrade = true;
	return INSPECT_FINE;
}

enum inspect_reason http_judge_value(struct inspect_http *http)
{
	if (http->word_cut || (http->n_word > 0 && http->word[http->n_word - 1] == ' '))
		return INSPECT_FIELD;
	switch ((enum http_field)http->field) {
	case HTTP_FIELD_OTHER:
		return INSPECT_FINE;
	case HTTP_FIELD_HOST:
		return judge_host(http);
	case HTTP_FIELD_LENGTH:
		return judge_length(http);
	case HTTP_FIELD_ENCODING:
		return judge_encoding(http);
	case HTTP_FIELD_CONNECTION:
		return judge_connection(http);
	case HTTP_FIELD_UPGRADE:
		return judge_upgrade(http);
	}
	return INSPECT_FIELD;
}

enum inspect_reason http_judge_head(struct inspect_http *http)
{
	if (!http->has_host)
		return INSPECT_NO_NAME;
	if (http->is_chunked && (http->has_length || http->is_1_0))
		return INSPECT_FRAMING;
	if (http->has_upgrade) {
		if (http->n_requests > 0 || http->is_1_0 || http->is_chunked || http->body_left > 0)
			return INSPECT_UPGRADE;
		http->awaits_server = true;
		inspect_answer_init(&http->answer);
	}
	http->step = http->is_chunked ? HTTP_CHUNK_SIZE : HTTP_CONTENT;
	return INSPECT_FINE;
}
