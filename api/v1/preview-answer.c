#include "api/v1/preview-answer.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define CHUNK_LINE_MAX 1024
#define TRAILER_MAX (16 * 1024)

static bool is_token(const char *text, size_t size)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			    (c && strchr(others, c))))
			return false;
	}
	return size > 0;
}

static bool is_value(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

/* "HTTP/1.1 200 OK"; the reason may be missing, with or without its space. */
static int parse_status(const char *line, size_t size, struct preview_head *head, bool *ret_old)
{
	if (size < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
		line[8] != ' ' || !is_value(line, size))
		return -EPROTO;
	*ret_old = line[7] == '0';
	for (size_t i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -EPROTO;
		head->status = head->status * 10 + (unsigned)(line[i] - '0');
	}
	if (head->status < 100 || head->status > 599 || (size > 12 && line[12] != ' '))
		return -EPROTO;
	return 0;
}

static int parse_length(const char *value, size_t size, struct preview_head *head)
{
	uint64_t length = 0;

	if (size == 0 || size > 18)
		return -EPROTO;
	for (size_t i = 0; i < size; i++) {
		if (value[i] < '0' || value[i] > '9')
			return -EPROTO;
		length = length * 10 + (uint64_t)(value[i] - '0');
	}
	if (head->has_length && head->length != length)
		return -EPROTO;
	head->has_length = true;
	head->length = length;
	return 0;
}

static bool name_is(const char *line, size_t size, const char *name)
{
	return size == strlen(name) && strncasecmp(line, name, size) == 0;
}

static int parse_header(const char *line, size_t size, struct preview_head *head, bool *chunked)
{
	const char *colon = memchr(line, ':', size), *value, *end = line + size;
	size_t name_size = colon ? (size_t)(colon - line) : 0, value_size;

	if (!is_token(line, name_size) || !is_value(colon, (size_t)(end - colon)))
		return -EPROTO;
	for (value = colon + 1; value < end && (*value == ' ' || *value == '\t'); value++)
		;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	value_size = (size_t)(end - value);
	if (name_is(line, name_size, "Content-Length"))
		return parse_length(value, value_size, head);
	if (name_is(line, name_size, "Transfer-Encoding")) {
		if (*chunked || !name_is(value, value_size, "chunked"))
			return -EPROTO;
		*chunked = true;
		return 0;
	}
	writer_bytes(&head->headers, line, name_size);
	writer_bytes(&head->headers, "", 1);
	writer_bytes(&head->headers, value, value_size);
	writer_bytes(&head->headers, "", 1);
	return head->headers.failed ? -ENOMEM : 0;
}

static int choose_framing(struct preview_head *head, bool to_head, bool old, bool chunked)
{
	if (chunked && (old || head->has_length))
		return -EPROTO;
	if (to_head || head->status < 200 || head->status == 204 || head->status == 304)
		head->framing = PREVIEW_NO_BODY;
	else if (chunked)
		head->framing = PREVIEW_CHUNKED;
	else if (head->has_length)
		head->framing = PREVIEW_LENGTH;
	else
		head->framing = PREVIEW_UNTIL_CLOSE;
	return 0;
}

ssize_t preview_head_parse(
	const char *bytes, size_t size, bool to_head, struct preview_head *ret_head)
{
	const char *end = memmem(bytes, size, "\r\n\r\n", 4), *line = bytes;
	bool old = false, chunked = false;
	size_t n_lines = 0;

	if (size >= PREVIEW_HEAD_MAX && (!end || end - bytes > PREVIEW_HEAD_MAX - 4))
		return -EMSGSIZE;
	if (!end) /* what is no HTTP at all should not have to be waited for */
		return memcmp(bytes, "HTTP/1.", size < 7 ? size : 7) == 0 ? 0 : -EPROTO;
	while (line < end + 2) {
		const char *line_end = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		size_t line_size = (size_t)(line_end - line);
		int r = n_lines == 0 ? parse_status(line, line_size, ret_head, &old)
				     : parse_header(line, line_size, ret_head, &chunked);

		if (r < 0)
			return r;
		if (++n_lines > PREVIEW_HEADERS_MAX)
			return -EMSGSIZE;
		line = line_end + 2;
	}
	if (choose_framing(ret_head, to_head, old, chunked) < 0)
		return -EPROTO;
	return end + 4 - bytes;
}

/* ---- bodies */

void preview_body_begin(struct preview_body *body, const struct preview_head *head)
{
	*body = (struct preview_body){.framing = head->framing};
	if (head->framing == PREVIEW_LENGTH)
		body->left = head->length;
	body->done = head->framing == PREVIEW_NO_BODY ||
		     (head->framing == PREVIEW_LENGTH && head->length == 0);
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int size_ends(struct preview_body *body, char c)
{
	if (body->n_digits == 0)
		return -EPROTO;
	if (c == '\r')
		body->state = PREVIEW_CHUNK_SIZE_LF;
	else if (c == ';' || c == ' ' || c == '\t')
		body->state = PREVIEW_CHUNK_EXTENSION;
	else
		return -EPROTO;
	return 0;
}

static int take_size(struct preview_body *body, char c)
{
	int digit = digit_of(c);

	if (digit < 0)
		return size_ends(body, c);
	if (++body->n_digits > 15)
		return -EPROTO;
	body->left = body->left * 16 + (uint64_t)digit;
	return 0;
}

static int take_extension(struct preview_body *body, char c)
{
	if (c == '\r')
		body->state = PREVIEW_CHUNK_SIZE_LF;
	else if (++body->line_size > CHUNK_LINE_MAX || c == '\n')
		return -EPROTO;
	return 0;
}

/* Trailers are dropped; an empty line ends them. */
static int take_trailer(struct preview_body *body, char c)
{
	if (++body->trailer_size > TRAILER_MAX || c == '\n')
		return -EPROTO;
	if (c == '\r')
		body->state = PREVIEW_CHUNK_TRAILER_LF;
	else
		body->line_size++;
	return 0;
}

static int take_line_feed(struct preview_body *body, char c)
{
	if (c != '\n')
		return -EPROTO;
	if (body->state == PREVIEW_CHUNK_SIZE_LF) {
		body->state = body->left > 0 ? PREVIEW_CHUNK_DATA : PREVIEW_CHUNK_TRAILER;
	} else if (body->state == PREVIEW_CHUNK_DATA_LF) {
		body->state = PREVIEW_CHUNK_SIZE;
		body->n_digits = 0;
	} else {
		body->done = body->line_size == 0;
		body->state = PREVIEW_CHUNK_TRAILER;
	}
	body->line_size = 0;
	return 0;
}

static int take_framing(struct preview_body *body, char c)
{
	switch (body->state) {
	case PREVIEW_CHUNK_SIZE:
		return take_size(body, c);
	case PREVIEW_CHUNK_EXTENSION:
		return take_extension(body, c);
	case PREVIEW_CHUNK_TRAILER:
		return take_trailer(body, c);
	case PREVIEW_CHUNK_DATA_CR:
		body->state = PREVIEW_CHUNK_DATA_LF;
		return c == '\r' ? 0 : -EPROTO;
	case PREVIEW_CHUNK_SIZE_LF:
	case PREVIEW_CHUNK_DATA_LF:
	case PREVIEW_CHUNK_TRAILER_LF:
		return take_line_feed(body, c);
	case PREVIEW_CHUNK_DATA:
		break;
	}
	return -EPROTO;
}

static size_t take_data(
	struct preview_body *body, const char *bytes, size_t size, struct writer *out)
{
	if (size > body->left)
		size = (size_t)body->left;
	writer_bytes(out, bytes, size);
	body->left -= size;
	return size;
}

int preview_body_feed(struct preview_body *body, const char *bytes, size_t size, struct writer *out)
{
	size_t used = 0;
	int r = 0;

	if (body->framing == PREVIEW_UNTIL_CLOSE)
		writer_bytes(out, bytes, size);
	if (body->framing == PREVIEW_LENGTH && !body->done) {
		take_data(body, bytes, size, out);
		body->done = body->left == 0;
	}
	if (body->framing != PREVIEW_CHUNKED)
		return 0;
	while (used < size && !body->done && r == 0) {
		if (body->state != PREVIEW_CHUNK_DATA) {
			r = take_framing(body, bytes[used++]);
			continue;
		}
		used += take_data(body, bytes + used, size - used, out);
		if (body->left == 0)
			body->state = PREVIEW_CHUNK_DATA_CR;
	}
	return r;
}

int preview_body_end(struct preview_body *body)
{
	if (body->framing == PREVIEW_UNTIL_CLOSE)
		body->done = true;
	return body->done ? 0 : -EPROTO;
}

/* ---- headers that are not passed on */

bool preview_list_has(const char *list, const char *name)
{
	size_t size = strlen(name);

	while (*list) {
		size_t length = strcspn(list, ", \t");

		if (length == size && strncasecmp(list, name, size) == 0)
			return true;
		list += length;
		list += strspn(list, ", \t");
	}
	return false;
}

static bool begins(const char *name, const char *prefix)
{
	return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

bool preview_drops(bool of_request, const char *name)
{
	static const char both[] = "Connection Keep-Alive TE Trailer Transfer-Encoding Upgrade "
				   "Content-Length";
	/* The key, and the cookies of whatever else runs on the API's host. */
	static const char request[] = "Authorization Cookie Cookie2 Host Expect Forwarded HTTP2-"
				      "Settings";
	/* What would change how a browser treats the API's origin, or what the API itself says. */
	static const char answer[] =
		"Set-Cookie Set-Cookie2 Clear-Site-Data Strict-Transport-Security Alt-Svc "
		"Service-Worker-Allowed WWW-Authenticate Authentication-Info NEL Report-To "
		"Reporting-Endpoints Public-Key-Pins Public-Key-Pins-Report-Only Origin-Agent-"
		"Cluster Speculation-Rules Cache-Control Expires Age Date X-Content-Type-Options";

	if (preview_list_has(both, name) || begins(name, "Proxy-"))
		return true;
	return of_request ? preview_list_has(request, name) || begins(name, "X-Forwarded-")
			  : preview_list_has(answer, name) || begins(name, "Access-Control-");
}
