/* An HTTP exchange with a server inside a sandbox, over a socket that cloched connected.
 *
 *   ports.c           what is asked for; the port's description
 *   preview.c         the socket: out goes the request, in comes the answer
 *   preview-request.c the request as the server sees it
 *   preview-answer.c  the answer's form
 *   preview-respond.c the answer as the client sees it
 *   preview-upgrade.c what a WebSocket asks for, and what comes after a 101
 *   preview-ticket.c  how a browser shows that it may */
#pragma once

#include "api/http/request.h"
#include "api/text/writer.h"
#include "api/v1/ids.h"
#include "api/v1/preview-answer.h"
#include "api/v1/tunnel.h"
#include "supervisor/base/loop.h"

#define PREVIEW_PREFIX_SIZE 64

/* What is wanted of a port. */
enum preview_kind {
	PREVIEW_DESCRIBE, /* whether it is open, and no more */
	PREVIEW_EXCHANGE, /* a request and its answer */
	PREVIEW_WEBSOCKET,
};

struct preview {
	struct request *request;
	struct server *server;
	uint16_t port;
	enum preview_kind kind;
	char prefix[PREVIEW_PREFIX_SIZE]; /* "/v1/sandboxes/sb-…/ports/8000" */
	int fd;                           /* -1: closed */
	struct loop_source *source;       /* NULL: the client has enough to read for now */
	struct loop_source *timer;
	bool connected, answering, to_head;
	bool switching;        /* a 101 is on its way to the client */
	struct tunnel *tunnel; /* it has come there */
	uint64_t cookie;       /* of the connection, which cloched may close; 0: none */
	struct writer out;     /* the request's head; its body is the request's own */
	size_t out_sent;       /* of both */
	struct writer in;      /* the answer's head, as far as it has come */
	struct preview_body body;
};

/* Writes the request for the server into `preview->out`. Returns 0, -EINVAL, -ENOMEM. */
int preview_write_request(struct preview *preview);
/* Begins the answer to the client. Returns 0 or -ENOMEM. */
int preview_begin_answer(
	struct preview *preview, const struct preview_head *head, void (*drained)(void *userdata));
/* Asks for the connection and does the rest. Takes the request's `context`. */
void preview_start(struct request *request, uint16_t port, enum preview_kind kind);

/* Responds what is wrong with the handshake of an upgrade, and returns false then. */
bool preview_takes_upgrade(struct request *request);
/* Begins to pass on a 101 that came with `preview->in` right behind it. Returns 0, -EPROTO (it is
 * no answer to what was asked), -ENOMEM. */
int preview_begin_upgrade(struct preview *preview, const struct preview_head *head);
/* The headers of an answer, as the client may have them. */
void preview_pass_headers(struct preview *preview, const struct preview_head *head);
/* A header of an answer, "" when absent. */
const char *preview_find_header(const struct preview_head *head, const char *name);

/* POST: issues a ticket for the port, if the policy opens it. */
void preview_issue_ticket(struct request *request, uint16_t port);
/* Takes the key that the ticket of the query stands for. Returns false when there is none. */
bool preview_redeem_ticket(struct request *request, uint16_t port);
/* Writes `target` without the tickets of its query. */
void preview_write_target(struct writer *out, const char *target);
