#include <string.h>
#include <strings.h>

#include "supervisor/inspect/http-parts.h"
#include "supervisor/inspect/name.h"

#define METHOD_MAX 32
#define PORT_DIGITS_MAX 5

static bool is_word(const struct inspect_http *http, const char *text)
{
	size_t length = strlen(text);

	return !http->word_cut && http->n_word == length && memcmp(http->word, text, length) == 0;
}

static bool begins_with(const struct inspect_http *http, const char *text)
{
	size_t length = strlen(text);

	return http->n_word >= length && strncasecmp(http->word, text, length) == 0;
}

enum inspect_reason http_judge_method(struct inspect_http *http)
{
	if (http->n_word == 0 || http->n_word > METHOD_MAX)
		return INSPECT_REQUEST_LINE;
	/* Some servers raise the case: "connect" would be CONNECT to them. */
	for (size_t i = 0; i < http->n_word; i++) {
		if ((http->word[i] < 'A' || http->word[i] > 'Z') && http->word[i] != '-')
			return INSPECT_REQUEST_LINE;
	}
	if (is_word(http, "CONNECT"))
		return INSPECT_CONNECT;
	if (is_word(http, "PRI")) /* RFC 9113, 3.4: the preface of HTTP/2 */
		return INSPECT_HTTP2;
	http->is_options = is_word(http, "OPTIONS");
	return INSPECT_FINE;
}

/* Returns the port in `digits`; 0: that is none. */
static uint32_t parse_port(const char *digits, size_t length)
{
	uint32_t port = 0;

	if (length > PORT_DIGITS_MAX || (length > 0 && digits[0] == '0'))
		return 0;
	for (size_t i = 0; i < length; i++) {
		if (digits[i] < '0' || digits[i] > '9')
			return 0;
		port = port * 10 + (uint32_t)(digits[i] - '0');
	}
	return port;
}

enum inspect_reason http_judge_authority(struct inspect_http *http, const char *text, size_t length)
{
	const char *colon = memchr(text, ':', length);
	size_t n_name = colon ? (size_t)(colon - text) : length;
	uint32_t port = http->port;

	if (length == 0)
		return INSPECT_NO_NAME;
	inspect_name_show(text, length, http->said, sizeof(http->said));
	if (colon)
		port = parse_port(colon + 1, length - n_name - 1);
	if (port == 0 || !inspect_name_valid(text, n_name))
		return INSPECT_BAD_NAME;
	inspect_name_show(text, n_name, http->said, sizeof(http->said));
	if (!inspect_name_equal(text, n_name, http->name))
		return INSPECT_OTHER_NAME;
	return port == http->port ? INSPECT_FINE : INSPECT_OTHER_PORT;
}

enum inspect_reason http_judge_target(struct inspect_http *http)
{
	const char scheme[] = "http://";
	const size_t n_scheme = sizeof(scheme) - 1;
	size_t end = n_scheme;

	if (http->n_word > 0 && http->word[0] == '/')
		return INSPECT_FINE;
	if (http->is_options && is_word(http, "*"))
		return INSPECT_FINE;
	if (!begins_with(http, scheme))
		return INSPECT_REQUEST_LINE;
	while (end < http->n_word && http->word[end] != '/' && http->word[end] != '?')
		end++;
	if (end == http->n_word && http->word_cut)
		return INSPECT_BAD_NAME;
	return http_judge_authority(http, http->word + n_scheme, end - n_scheme);
}

enum inspect_reason http_judge_version(struct inspect_http *http)
{
	http->is_1_0 = is_word(http, "HTTP/1.0");
	if (http->is_1_0 || is_word(http, "HTTP/1.1"))
		return INSPECT_FINE;
	return begins_with(http, "HTTP/2") ? INSPECT_HTTP2 : INSPECT_REQUEST_LINE;
}
