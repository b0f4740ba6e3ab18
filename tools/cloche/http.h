/* One HTTP request to the daemon at a time, over a unix socket or loopback TCP: the room of
 * libcurl. */
#pragma once

#include <stddef.h>

#include "supervisor/base/failure.h"

#define HTTP_DEFAULT_URL "unix:///run/cloche/api.sock"
#define HTTP_ANSWER_MAX (128U << 20)

struct http;

/* `url` is unix:///PATH, http://HOST:PORT or https://…; a path alone is a socket too. `key` may be
 * empty; both are copied. Returns 0, -EINVAL with a sentence, or -ENOMEM. */
int http_open(const char *url, const char *key, struct http **ret_http, struct failure *why);
/* What stands before a path in a URL; "" over a unix socket. */
const char *http_base(const struct http *http);
struct http *http_free(struct http *http);

struct http_request {
	const char *method;
	const char *path;           /* "/v1/sandboxes?limit=3", already encoded */
	const char *body;           /* JSON; NULL: none */
	const char *accept;         /* NULL: application/json */
	const char *const *headers; /* "Name: value", more of them; ends with NULL; may be NULL */
	/* Given the body of a 2xx answer as it comes, instead of keeping it; a negative errno ends
	 * the transfer. May be NULL. */
	int (*on_data)(const char *data, size_t size, void *userdata);
	void *userdata;
	int interrupt_fd; /* ends the transfer with -EINTR when readable; -1: none */
};

/* Starts zeroed. */
struct http_answer {
	long status;
	char *body; /* owned, NUL-terminated, never NULL after success */
	size_t size;
};

/* Sends and waits for the whole answer, whatever its status. Returns 0; -EINTR; what `on_data`
 * returned; or another negative errno with a sentence in `why` that names the address tried. */
int http_send(struct http *http, const struct http_request *request, struct http_answer *ret_answer,
	struct failure *why);
void http_answer_fini(struct http_answer *answer);

/* Appends `text` percent-encoded (RFC 3986 unreserved characters stay) to the NUL-terminated
 * `buffer` of `size` bytes. Returns 0 or -E2BIG. */
int http_encode(char *buffer, size_t size, const char *text);
