/* The requests of an HTTP/1.x connection, found in a stream of bytes that arrives in any pieces.
 * Each must ask for the connection's name; where two readers could disagree about where a request
 * ends or what it asks for, it is refused (RFC 9112, 11.2). No byte of a head is released before
 * its end was seen and all of it was judged; bodies are released as they come.
 *
 * Refused although RFC 9112 has them, because servers disagree and hardly any client sends them:
 * chunk extensions, trailers, empty lines before a request, codings other than chunked, tabs and
 * spaces around values that matter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/inspect/answer.h"
#include "supervisor/inspect/verdict.h"

#define INSPECT_WORD_SIZE 320 /* a name of 253 with scheme and port fits */

struct inspect_http {
	const char *name;
	uint16_t port;
	uint16_t n_word; /* in `word` */
	enum inspect_reason reason;
	uint8_t step;  /* enum http_step in http-parts.h */
	uint8_t field; /* enum http_field in http-parts.h */
	bool word_cut; /* more came than fits */
	bool is_1_0, is_options;
	bool has_host, has_length, is_chunked, has_upgrade;
	bool has_released;   /* something was sent on: an answer may be under way */
	bool awaits_server;  /* the server must agree to an upgrade */
	uint64_t n_requests; /* judged and released */
	uint64_t body_left;  /* of the content or of the chunk */
	uint32_t n_held;
	struct inspect_answer answer;
	char word[INSPECT_WORD_SIZE];
	char said[INSPECT_SAID_SIZE];
};

/* Borrows `name` (lower case, no dot at its end). */
void inspect_http_init(struct inspect_http *http, const char *name, uint16_t port);

/* Looks at the client's next `n_bytes`. *ret_release: how many bytes, from the oldest that was not
 * released, may be sent on now. */
enum inspect_verdict inspect_http_feed(
	struct inspect_http *http, const uint8_t *bytes, size_t n_bytes, size_t *ret_release);

/* Shows the server's bytes while `awaits_server`. INSPECT_DONE: the server agreed to the upgrade.
 */
enum inspect_verdict inspect_http_server_said(
	struct inspect_http *http, const uint8_t *bytes, size_t n_bytes);
