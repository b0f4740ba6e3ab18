/* An HTTP exchange with a server inside a sandbox, over a socket that cloched connected.
 *
 *   ports.c           what is asked for; the port's description
 *   preview.c         the socket: out goes the request, in comes the answer
 *   preview-request.c the request as the server sees it
 *   preview-answer.c  the answer's form
 *   preview-respond.c the answer as the client sees it */
#pragma once

#include "api/http/request.h"
#include "api/text/writer.h"
#include "api/v1/ids.h"
#include "api/v1/preview-answer.h"
#include "supervisor/base/loop.h"

#define PREVIEW_PREFIX_SIZE 64

struct preview {
	struct request *request;
	struct server *server;
	uint16_t port;
	bool only_describes;              /* answers whether the port is open, and no more */
	char prefix[PREVIEW_PREFIX_SIZE]; /* "/v1/sandboxes/sb-…/ports/8000" */
	int fd;                           /* -1: closed */
	struct loop_source *source;       /* NULL: the client has enough to read for now */
	struct loop_source *timer;
	bool connected, answering, to_head;
	struct writer out; /* the request's head; its body is the request's own */
	size_t out_sent;   /* of both */
	struct writer in;  /* the answer's head, as far as it has come */
	struct preview_body body;
};

/* Writes the request for the server into `preview->out`. Returns 0, -EINVAL, -ENOMEM. */
int preview_write_request(struct preview *preview);
/* Begins the answer to the client. Returns 0 or -ENOMEM. */
int preview_begin_answer(
	struct preview *preview, const struct preview_head *head, void (*drained)(void *userdata));
/* Asks for the connection and does the rest. Takes the request's `context`. */
void preview_start(struct request *request, uint16_t port, bool only_describes);
