/* An answer that is sent while it is being made, through a bounded buffer.
 *
 * The maker writes into stream_writer() and calls stream_flush(). When stream_is_full() it stops
 * and goes on when `drained` is called, so that a client that reads slowly slows down what is
 * behind. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "api/http/request.h"

#define STREAM_FULL_BYTES (128 * 1024) /* the maker stops here */

struct MHD_Response;

/* Responds with `status` and what is written from now on. `drained` (may be NULL) is called when
 * the buffer has become empty; it may write and finish. Returns 0 or -ENOMEM (then nothing is
 * responded). */
int stream_begin(struct request *request, unsigned status, const char *content_type,
	void (*drained)(void *userdata), void *userdata);

/* Right after stream_begin(): the answer will have exactly this many bytes. */
void stream_set_size(struct request *request, uint64_t size_bytes);

struct writer *stream_writer(struct request *request);
bool stream_is_full(const struct request *request);
/* What was written can be sent. */
void stream_flush(struct request *request);
/* The answer ends after what is written. */
void stream_finish(struct request *request);
/* What comes is lost: the client sees its connection end early. */
void stream_break(struct request *request);

/* For request.c. */
struct MHD_Response *stream_response(struct request *request);
struct stream *stream_free(struct stream *stream);
