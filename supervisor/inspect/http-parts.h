/* What the files of the HTTP checker share: http.c walks the head byte by byte, http-target.c
 * judges the request line, http-field.c the header fields, http-body.c walks the content. */
#pragma once

#include "supervisor/inspect/http.h"

enum http_step {
	HTTP_METHOD,
	HTTP_TARGET,
	HTTP_VERSION,
	HTTP_LINE_END, /* the LF after a CR of the request line or of a field */
	HTTP_NAME,     /* of a field, or the CR of the empty line */
	HTTP_VALUE,
	HTTP_HEAD_END, /* the LF of the empty line */
	HTTP_CONTENT,
	HTTP_CHUNK_SIZE,
	HTTP_CHUNK_SIZE_END, /* LF */
	HTTP_CHUNK,
	HTTP_CHUNK_CR,
	HTTP_CHUNK_LF,
	HTTP_LAST_CR,
	HTTP_LAST_LF,
};

/* Fields that say what is asked for or where a request ends; the others are only read over. */
enum http_field {
	HTTP_FIELD_OTHER,
	HTTP_FIELD_HOST,
	HTTP_FIELD_LENGTH,
	HTTP_FIELD_ENCODING,
	HTTP_FIELD_CONNECTION,
	HTTP_FIELD_UPGRADE,
};

/* RFC 9110, 5.6.2: what methods and names of fields consist of. */
bool http_is_token(uint8_t byte);

/* `word` holds a whole part: is it fine? INSPECT_FINE or why not. They note what they learn. */
enum inspect_reason http_judge_method(struct inspect_http *http);
enum inspect_reason http_judge_target(struct inspect_http *http);
enum inspect_reason http_judge_version(struct inspect_http *http);
enum inspect_reason http_judge_name(struct inspect_http *http);  /* sets `field` */
enum inspect_reason http_judge_value(struct inspect_http *http); /* of `field` */

/* An authority: NAME or NAME:PORT, which must be the connection's. Keeps another name in `said`. */
enum inspect_reason http_judge_authority(
	struct inspect_http *http, const char *text, size_t length);

/* After the head: what follows from its fields together. Moves `step` behind the head. */
enum inspect_reason http_judge_head(struct inspect_http *http);

/* Takes content or its framing: at least one byte, at most `n_bytes`. *ret_taken: how many. */
enum inspect_reason http_take_body(
	struct inspect_http *http, const uint8_t *bytes, size_t n_bytes, size_t *ret_taken);
