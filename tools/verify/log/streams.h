/* The sandboxes between their START and END: the records of each one's tenant are numbered, and its
 * END says how many there were and what their chain of hashes comes to. Others may name a sandbox
 * without a number: calls about it by strangers, what it did before it was claimed. */
#pragma once

#include "tools/verify/fault.h"
#include "tools/verify/log/record.h"

#define STREAMS_MAX (1 << 20) /* sandboxes alive at one time: 64 MiB */

struct stream {
	uint64_t sandbox, tenant;
	uint64_t n; /* records so far; 0: the place is free */
	bool whole; /* its START was seen, so its head is known */
	struct hash head;
};

struct streams {
	struct stream *places; /* open addressing, linear */
	size_t room, n_alive;  /* `room` is a power of two, or 0 */
	uint64_t seed;
	bool headless; /* the log's oldest records are gone: streams may begin in the middle */
	uint64_t n_started, n_ended;
	uint64_t n_headless; /* ENDs that could not tell their head: a crash before them */
};

/* Starts zeroed. */
void streams_fini(struct streams *streams);
/* Takes the next record of the log. The fault has no place yet. */
enum verdict streams_take(struct streams *streams, const struct record *record,
	const struct hash *leaf, struct fault *fault);

/* One step of one stream: the number must follow; an END must match. `*ret_ended` if it was one. */
enum verdict stream_take(struct stream *stream, const struct record *record,
	const struct hash *leaf, bool *ret_ended, struct fault *fault);
