/* One HTTP request, from its last header to the last byte of its answer.
 *
 * The route's handler is called when the body is there. It responds at once, or it asks cloched and
 * responds when the answer is there; meanwhile the connection is suspended. Handlers know nothing
 * of libmicrohttpd. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/calls/calls.h"
#include "api/http/route.h"
#include "api/text/writer.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/wire/api.h"

#define REQUEST_PATH_MAX 512
#define REQUEST_HEADERS_MAX 4

struct MHD_Connection;
struct connection;
struct gzip;
struct request;
struct server;
struct stream;
struct upgrade;

/* What the client wants to read. */
enum request_form { REQUEST_FORM_JSON, REQUEST_FORM_NDJSON, REQUEST_FORM_SSE };

struct request_header {
	const char *name;
	char value[96];
};

typedef int (*request_answered)(struct request *request, const struct answer *answer);

struct request {
	struct server *server;
	struct connection *connection;
	struct MHD_Connection *mhd;
	const struct route *route; /* NULL when refused before a route was found */
	const char (*parameters)[WIRE_NAME_SIZE];
	struct route_match match;
	char method[16];
	char path[REQUEST_PATH_MAX];
	struct wire_caller caller;
	uint64_t started_ns;
	uint64_t sandbox; /* that it is about, for the audit; 0: none */

	char *body; /* NULL: empty */
	size_t body_size, body_room;
	struct wire_api_error refused; /* `code` 0: not refused while it was read */
	unsigned refused_status;       /* 0: what the code says */

	/* The answer. Handlers write into `answer` and call one of respond.h. */
	struct writer answer;
	struct stream *stream;   /* instead of `answer` */
	struct upgrade *upgrade; /* instead of both */
	struct gzip *gzip;       /* the answer is sent packed; NULL: as it is */
	unsigned status;         /* 0: not responded yet */
	const char *content_type;
	struct request_header headers[REQUEST_HEADERS_MAX];
	size_t n_headers;
	struct writer more_headers; /* name, NUL, value, NUL */

	bool dispatched, suspended;
	bool takes_errors;     /* `answered` is called with errors too */
	bool ends_with_client; /* a client that goes away ends it; else it is finished for nobody */
	bool gone;             /* the client went away */
	uint64_t cookie;       /* of the open question; 0: none */
	request_answered answered;
	/* Called when the request ends, answered or not; frees `context`. */
	void (*ended)(struct request *request);
	void *context;
};

/* Asks cloched. `answered` is called with an answer that is no error; errors are responded. It may
 * ask again. If asking fails, that is responded. */
void request_ask(struct request *request, uint16_t type, const void *body, size_t body_size,
	const void *tail, size_t tail_size, request_answered answered);

enum request_form request_form(const struct request *request);
/* A request header, NULL when absent. */
const char *request_header(const struct request *request, const char *name);

/* Calls back with each header of the request. */
void request_headers_each(const struct request *request,
	void (*callback)(const char *name, const char *value, void *userdata), void *userdata);
/* What was asked for as it came, escaped and with its query; NULL when memory was out. */
const char *request_target(const struct request *request);

/* The argument of the query, NULL when absent; `index` counts those of the same name. */
const char *request_argument(const struct request *request, const char *name, size_t index);
/* Responds and returns false when the query holds an argument that is not in the list, which ends
 * with NULL, or when one but `repeatable` (may be NULL) is there twice. */
bool request_arguments_check(
	struct request *request, const char *const *known, const char *repeatable);
/* An argument that is a whole number. Returns false when it was refused (and responded). */
bool request_argument_number(
	struct request *request, const char *name, uint64_t min, uint64_t max, uint64_t *ret_value);
/* Copies an argument into a field of a message. Returns false when it was refused. */
bool request_argument_text(struct request *request, const char *name, char *ret_text, size_t size);

/* Frees the body: it was read. */
void request_drop_body(struct request *request);
/* The answer is not packed after all. */
void request_drop_gzip(struct request *request);
/* Lets the connection go on: something was responded or can be sent. */
void request_wake(struct request *request);
/* The client went away. */
void request_abandon(struct request *request);
void request_free(struct request *request);
