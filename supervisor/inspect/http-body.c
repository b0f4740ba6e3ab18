#include "supervisor/inspect/http-parts.h"

/* A size that no reader's integer turns negative or wraps. */
#define CHUNK_DIGITS_MAX 8
#define CHUNK_MAX 0x7fffffffu

static int hex_digit(uint8_t byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static enum inspect_reason take_size(struct inspect_http *http, uint8_t byte)
{
	int digit = hex_digit(byte);

	if (digit >= 0) {
		http->body_left = http->body_left * 16 + (uint64_t)digit;
		return ++http->n_word <= CHUNK_DIGITS_MAX && http->body_left <= CHUNK_MAX
			       ? INSPECT_FINE
			       : INSPECT_CHUNK;
	}
	/* Neither an extension nor a space: servers disagree about where those end. */
	if (byte != '\r' || http->n_word == 0)
		return INSPECT_CHUNK;
	http->n_word = 0;
	http->step = HTTP_CHUNK_SIZE_END;
	return INSPECT_FINE;
}

static enum inspect_reason expect(
	struct inspect_http *http, uint8_t byte, uint8_t expected, enum http_step next)
{
	http->step = next;
	return byte == expected ? INSPECT_FINE : INSPECT_CHUNK;
}

static size_t skip(struct inspect_http *http, size_t n_bytes)
{
	size_t n = n_bytes < http->body_left ? n_bytes : (size_t)http->body_left;

	http->body_left -= n;
	return n;
}

enum inspect_reason http_take_body(
	struct inspect_http *http, const uint8_t *bytes, size_t n_bytes, size_t *ret_taken)
{
	*ret_taken = 1;
	switch ((enum http_step)http->step) {
	case HTTP_CONTENT:
		*ret_taken = skip(http, n_bytes);
		return INSPECT_FINE;
	case HTTP_CHUNK_SIZE:
		return take_size(http, bytes[0]);
	case HTTP_CHUNK_SIZE_END:
		return expect(http, bytes[0], '\n', http->body_left ? HTTP_CHUNK : HTTP_LAST_CR);
	case HTTP_CHUNK:
		*ret_taken = skip(http, n_bytes);
		if (http->body_left == 0)
			http->step = HTTP_CHUNK_CR;
		return INSPECT_FINE;
	case HTTP_CHUNK_CR:
		return expect(http, bytes[0], '\r', HTTP_CHUNK_LF);
	case HTTP_CHUNK_LF:
		return expect(http, bytes[0], '\n', HTTP_CHUNK_SIZE);
	case HTTP_LAST_CR: /* or a trailer begins */
		return expect(http, bytes[0], '\r', HTTP_LAST_LF);
	case HTTP_LAST_LF: /* then nothing is left of the content */
		return expect(http, bytes[0], '\n', HTTP_CONTENT);
	case HTTP_METHOD:
	case HTTP_TARGET:
	case HTTP_VERSION:
	case HTTP_LINE_END:
	case HTTP_NAME:
	case HTTP_VALUE:
	case HTTP_HEAD_END:
		break;
	}
	return INSPECT_FRAMING;
}
