/* What a server in a sandbox answers: the head of an HTTP/1 response, strictly, and its body taken
 * out of its framing. Pure; whatever a tenant's program sends is an error at worst. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/text/writer.h"

#define PREVIEW_HEAD_MAX (32 * 1024)
#define PREVIEW_HEADERS_MAX 128

enum preview_framing {
	PREVIEW_NO_BODY,
	PREVIEW_LENGTH,
	PREVIEW_CHUNKED,
	PREVIEW_UNTIL_CLOSE,
};

struct preview_head {
	unsigned status; /* 100 to 599 */
	enum preview_framing framing;
	bool has_length;       /* of HEAD and 304 too */
	uint64_t length;       /* if `has_length` */
	struct writer headers; /* name, NUL, value, NUL; all of them */
};

/* Returns the size of the head, 0 when it is not whole yet, -EPROTO, -EMSGSIZE, -ENOMEM. `ret_head`
 * starts zeroed; its writer is the caller's to finish in any case. */
ssize_t preview_head_parse(
	const char *bytes, size_t size, bool to_head, struct preview_head *ret_head);

enum preview_chunk_state {
	PREVIEW_CHUNK_SIZE,
	PREVIEW_CHUNK_EXTENSION,
	PREVIEW_CHUNK_SIZE_LF,
	PREVIEW_CHUNK_DATA,
	PREVIEW_CHUNK_DATA_CR,
	PREVIEW_CHUNK_DATA_LF,
	PREVIEW_CHUNK_TRAILER,
	PREVIEW_CHUNK_TRAILER_LF,
};

struct preview_body {
	enum preview_framing framing;
	bool done;
	uint64_t left; /* of the body or of the chunk */
	enum preview_chunk_state state;
	uint32_t n_digits, line_size, trailer_size;
};

void preview_body_begin(struct preview_body *body, const struct preview_head *head);
/* Appends what is body of `bytes` to `out`. Returns 0, or -EPROTO. What follows the end of the body
 * is ignored: the connection is not used again. */
int preview_body_feed(
	struct preview_body *body, const char *bytes, size_t size, struct writer *out);
/* The connection ended. Returns 0 when the body may end so, else -EPROTO. */
int preview_body_end(struct preview_body *body);

/* Whether `name` is in a list such as "close, X-Other", whatever its case. */
bool preview_list_has(const char *list, const char *name);
/* Whether a header of a request (true) or an answer belongs to the connection, or speaks for the
 * API's origin, and so is not passed on. */
bool preview_drops(bool of_request, const char *name);
