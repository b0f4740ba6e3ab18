#include "api/http/stream.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/connection.h"
#include "api/http/gzip.h"

#define STREAM_BLOCK_BYTES (16 * 1024)

struct stream {
	struct request *request;
	struct writer writer;
	struct writer plain; /* what is not packed yet, if the answer is */
	size_t sent;         /* of what is in `writer` */
	uint64_t size_bytes; /* of the whole; MHD_SIZE_UNKNOWN: in chunks */
	bool finished;
	void (*drained)(void *userdata);
	void *userdata;
};

int stream_begin(struct request *request, unsigned status, const char *content_type,
	void (*drained)(void *userdata), void *userdata)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->request = request;
	stream->size_bytes = MHD_SIZE_UNKNOWN;
	stream->drained = drained;
	stream->userdata = userdata;
	request->stream = stream;
	request->ends_with_client = true;
	request->status = status;
	request->content_type = content_type;
	request_wake(request);
	return 0;
}

struct stream *stream_free(struct stream *stream)
{
	if (stream) {
		writer_fini(&stream->writer);
		writer_fini(&stream->plain);
	}
	free(stream);
	return NULL;
}

void stream_set_size(struct request *request, uint64_t size_bytes)
{
	request->stream->size_bytes = size_bytes;
}

struct writer *stream_writer(struct request *request)
{
	return request->gzip ? &request->stream->plain : &request->stream->writer;
}

bool stream_is_full(const struct request *request)
{
	const struct stream *stream = request->stream;

	return stream->plain.size + stream->writer.size - stream->sent >= STREAM_FULL_BYTES;
}

static void pack(struct request *request, bool last)
{
	struct stream *stream = request->stream;

	if (request->gzip)
		gzip_pack(request->gzip, &stream->plain, &stream->writer, last);
}

void stream_flush(struct request *request)
{
	pack(request, false);
	if (request->stream->writer.size > request->stream->sent || request->stream->writer.failed)
		request_wake(request);
}

void stream_finish(struct request *request)
{
	pack(request, true);
	request->stream->finished = true;
	request->stream->drained = NULL;
	request_wake(request);
}

void stream_break(struct request *request)
{
	request->stream->writer.failed = true;
	request->stream->drained = NULL;
	request_wake(request);
}

static ssize_t take(struct stream *stream, char *buffer, size_t size)
{
	size_t left = stream->writer.size - stream->sent;

	if (size > left)
		size = left;
	memcpy(buffer, stream->writer.bytes + stream->sent, size);
	stream->sent += size;
	if (stream->sent == stream->writer.size) {
		stream->sent = stream->writer.size = 0;
	} else if (stream->sent >= STREAM_FULL_BYTES) {
		/* A client that never catches up must not make the buffer grow. */
		stream->writer.size -= stream->sent;
		memmove(stream->writer.bytes, stream->writer.bytes + stream->sent,
			stream->writer.size);
		stream->sent = 0;
	}
	return (ssize_t)size;
}

/* Called by libmicrohttpd when it can send. */
static ssize_t read_stream(void *userdata, uint64_t position _unused_, char *buffer, size_t size)
{
	struct stream *stream = userdata;
	struct request *request = stream->request;

	if (request->gone || stream->writer.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (stream->writer.size == 0 && !stream->finished && stream->drained)
		stream->drained(stream->userdata);
	if (stream->writer.failed)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (stream->writer.size > 0)
		return take(stream, buffer, size);
	if (stream->finished)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (request->connection->hung_up)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	request->suspended = true;
	MHD_suspend_connection(request->mhd);
	return 0;
}

struct MHD_Response *stream_response(struct request *request)
{
	return MHD_create_response_from_callback(request->stream->size_bytes, STREAM_BLOCK_BYTES,
		read_stream, request->stream, NULL);
}
