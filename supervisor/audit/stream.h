/* The streams of sandboxes: each has its own dense numbers and its own hash chain, so that whoever
 * sees one stream alone can tell that it is whole.
 *
 * h0 = 32 zero bytes; h_i = SHA-256(h_{i-1} || leaf hash of the i-th record). A stream begins with
 * sandbox.create (or sandbox.adopt, in a log that is younger than the sandbox) and ends with
 * sandbox.end, which says how many records came before it and what the chain's head is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/base/table.h"
#include "supervisor/digest/sha256.h"

#define STREAMS_MAX 16384
#define STREAM_REASON_SIZE 64

struct stream {
	uint64_t sandbox;
	uint32_t tenant;
	uint64_t sequence; /* of its last record, those included that wait to be written */
	uint8_t head[SHA256_BYTES];
	bool head_known; /* false: records before its first one here are not in the log any more */
	bool living;     /* somebody said so since the start */
	bool ended;      /* its end waits to be recorded, with this reason */
	char reason[STREAM_REASON_SIZE];
};

/* -ENOSPC, -ENOMEM, -EEXIST. */
int stream_begin(
	struct table *streams, uint64_t sandbox, uint32_t tenant, struct stream **ret_stream);
void stream_remove(struct table *streams, struct stream *stream);
void streams_free(struct table *streams);

/* Takes one more record into the chain. Returns 0 or -EIO. */
int stream_chain(
	struct stream *stream, struct sha256_engine *engine, const uint8_t leaf[SHA256_BYTES]);
