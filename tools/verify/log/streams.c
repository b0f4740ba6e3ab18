#include "tools/verify/log/streams.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/random.h>

#define ROOM_MIN 64

void streams_fini(struct streams *streams)
{
	free(streams->places);
	*streams = (struct streams){0};
}

/* Ids come from the log: with a seed of our own, nobody can choose them to collide. */
static size_t home(const struct streams *streams, uint64_t sandbox)
{
	uint64_t mixed = (sandbox ^ streams->seed) * 0x9e3779b97f4a7c15ull;

	return (size_t)((mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9ull >> 32) & (streams->room - 1);
}

static struct stream *find(const struct streams *streams, uint64_t sandbox)
{
	size_t place;

	if (streams->room == 0)
		return NULL;
	for (place = home(streams, sandbox); streams->places[place].n;
		place = (place + 1) & (streams->room - 1))
		if (streams->places[place].sandbox == sandbox)
			return &streams->places[place];
	return NULL;
}

static struct stream *put(struct streams *streams, uint64_t sandbox)
{
	size_t place = home(streams, sandbox);

	while (streams->places[place].n)
		place = (place + 1) & (streams->room - 1);
	streams->places[place].sandbox = sandbox;
	return &streams->places[place];
}

static bool grow(struct streams *streams)
{
	struct streams larger = *streams;

	if (streams->room == 0 && getrandom(&larger.seed, sizeof(larger.seed), 0) < 0)
		return false;
	larger.room = streams->room ? streams->room * 2 : ROOM_MIN;
	larger.places = calloc(larger.room, sizeof(*larger.places));
	if (!larger.places)
		return false;
	for (size_t i = 0; i < streams->room; i++)
		if (streams->places[i].n)
			*put(&larger, streams->places[i].sandbox) = streams->places[i];
	free(streams->places);
	*streams = larger;
	return true;
}

static void take_out(struct streams *streams, struct stream *stream)
{
	size_t free_place = (size_t)(stream - streams->places), place = free_place;

	stream->n = 0;
	streams->n_alive--;
	for (;;) { /* what was pushed past the place moves back into it */
		struct stream *next;
		size_t distance;

		place = (place + 1) & (streams->room - 1);
		next = &streams->places[place];
		if (!next->n)
			return;
		distance = (place - home(streams, next->sandbox)) & (streams->room - 1);
		if (distance < ((place - free_place) & (streams->room - 1)))
			continue;
		streams->places[free_place] = *next;
		next->n = 0;
		free_place = place;
	}
}

static enum verdict check_end(
	const struct stream *stream, const struct record *record, struct fault *fault)
{
	char text[HASH_TEXT_SIZE];

	if (record->n_records != stream->n) {
		fault_set(fault, FAULT_END,
			"the END of sb-%016" PRIx64 " tells of another number of records",
			stream->sandbox);
		fault_expected(fault, "%" PRIu64, stream->n);
		fault_found(fault, "%" PRIu64, record->n_records);
		return VERDICT_INVALID;
	}
	if (!stream->whole || !record->has_head || hash_equal(&record->head, &stream->head))
		return VERDICT_VALID;
	fault_set(fault, FAULT_END,
		"the head in the END of sb-%016" PRIx64 " is not that of its records",
		stream->sandbox);
	fault_expected(fault, "%s", hash_text(&stream->head, text));
	fault_found(fault, "%s", hash_text(&record->head, text));
	return VERDICT_INVALID;
}

static enum verdict begin(struct streams *streams, const struct record *record,
	const struct hash *leaf, struct fault *fault)
{
	bool start = record_is_start(record);
	struct stream *stream;

	if (start != (record->sandbox_sequence == 1) || (!start && !streams->headless)) {
		fault_set(fault, FAULT_STREAM,
			start ? "the START of a sandbox has not number 1 in it"
			      : "a record is numbered in a sandbox that has not started, or has "
				"ended");
		fault_found(fault, "sandbox_seq %" PRIu64 " of sb-%016" PRIx64,
			record->sandbox_sequence, record->sandbox);
		return VERDICT_INVALID;
	}
	if (streams->n_alive == STREAMS_MAX)
		return fault_set(fault, FAULT_FAILED,
			"more than %d sandboxes are alive at one time in this log", STREAMS_MAX);
	if (streams->n_alive * 2 >= streams->room && !grow(streams))
		return fault_set(fault, FAULT_FAILED, "memory is out");
	streams->n_started += start;
	if (strcmp(record->type, "sandbox.end") == 0) {
		struct stream gone = {
			.sandbox = record->sandbox, .n = record->sandbox_sequence - 1};

		streams->n_ended++;
		streams->n_headless += !record->has_head;
		return check_end(&gone, record, fault);
	}
	stream = put(streams, record->sandbox);
	*stream = (struct stream){.sandbox = record->sandbox,
		.tenant = record->tenant,
		.n = record->sandbox_sequence,
		.whole = start};
	hash_chain(&stream->head, leaf);
	streams->n_alive++;
	return VERDICT_VALID;
}

enum verdict stream_take(struct stream *stream, const struct record *record,
	const struct hash *leaf, bool *ret_ended, struct fault *fault)
{
	*ret_ended = strcmp(record->type, "sandbox.end") == 0;
	if (record->sandbox_sequence != stream->n + 1) {
		fault_set(fault, FAULT_STREAM, "the records of sb-%016" PRIx64 " are not dense",
			stream->sandbox);
		fault_expected(fault, "sandbox_seq %" PRIu64, stream->n + 1);
		if (record->sandbox_sequence)
			fault_found(fault, "sandbox_seq %" PRIu64, record->sandbox_sequence);
		else
			fault_found(fault, "a record without one");
		return VERDICT_INVALID;
	}
	if (record->tenant != stream->tenant && !*ret_ended)
		return fault_set(fault, FAULT_STREAM,
			"a record of another tenant is numbered in sb-%016" PRIx64,
			stream->sandbox);
	if (record_is_start(record))
		return fault_set(fault, FAULT_STREAM, "sb-%016" PRIx64 " starts a second time",
			stream->sandbox);
	if (*ret_ended)
		return check_end(stream, record, fault);
	stream->n++;
	hash_chain(&stream->head, leaf);
	return VERDICT_VALID;
}

enum verdict streams_take(struct streams *streams, const struct record *record,
	const struct hash *leaf, struct fault *fault)
{
	struct stream *stream = record->has_sandbox ? find(streams, record->sandbox) : NULL;
	enum verdict verdict;
	bool ended = false;

	if (!record->sandbox_sequence && (!stream || record->tenant != stream->tenant))
		return VERDICT_VALID;
	if (!stream)
		return begin(streams, record, leaf, fault);
	verdict = stream_take(stream, record, leaf, &ended, fault);
	if (verdict == VERDICT_VALID && ended) {
		streams->n_ended++;
		streams->n_headless += !record->has_head;
		take_out(streams, stream);
	}
	return verdict;
}
