#include "supervisor/audit/stream.h"

#include <errno.h>
#include <stdlib.h>

int stream_begin(
	struct table *streams, uint64_t sandbox, uint32_t tenant, struct stream **ret_stream)
{
	struct stream *stream = calloc(1, sizeof(*stream));
	int r = stream ? table_put(streams, sandbox, stream) : -ENOMEM;

	if (r < 0) {
		free(stream);
		return r;
	}
	stream->sandbox = sandbox;
	stream->tenant = tenant;
	stream->head_known = true;
	*ret_stream = stream;
	return 0;
}

void stream_remove(struct table *streams, struct stream *stream)
{
	table_take(streams, stream->sandbox);
	free(stream);
}

void streams_free(struct table *streams)
{
	struct stream *stream;
	size_t position = 0;

	if (!streams)
		return;
	while ((stream = table_next(streams, &position)))
		free(stream);
	table_free(streams);
}

int stream_chain(
	struct stream *stream, struct sha256_engine *engine, const uint8_t leaf[SHA256_BYTES])
{
	int r = sha256_begin(engine);

	if (r == 0)
		r = sha256_add(engine, stream->head, SHA256_BYTES);
	if (r == 0)
		r = sha256_add(engine, leaf, SHA256_BYTES);
	return r == 0 ? sha256_end(engine, stream->head) : r;
}
