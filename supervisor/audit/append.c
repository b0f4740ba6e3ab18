#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/audit/lines/time-text.h"
#include "supervisor/audit/segments/log-file.h"
#include "supervisor/audit/segments/resume.h"
#include "supervisor/base/clock.h"

#define TYPE_BYTES_MAX 112 /* of a line, to the end of its type */

static void put_time(struct json_line *line, uint64_t time_ns)
{
	char text[TIME_TEXT_LENGTH + 1];

	time_text_write(time_ns, text);
	json_line_add_text(line, "time", text);
}

static void put_policy(struct json_line *line, const struct audit_subject *subject)
{
	if (!subject->policy_name && !subject->policy_generation)
		return;
	json_line_key(line, "policy");
	json_line_raw(line, "{");
	if (subject->policy_name)
		json_line_add_text(line, "name", subject->policy_name);
	if (subject->policy_hash)
		json_line_add_text(line, "hash", subject->policy_hash);
	json_line_add_unsigned(line, "generation", subject->policy_generation);
	if (subject->policy_learns)
		json_line_add_text(line, "learns", subject->policy_learns);
	json_line_raw(line, "}");
}

static void put_subject(
	struct json_line *line, const struct audit_subject *subject, uint64_t sandbox_sequence)
{
	char name[] = "sb-0000000000000000";

	if (!subject)
		return;
	if (subject->sandbox) {
		for (unsigned int i = 0; i < 16; i++)
			name[3 + i] = "0123456789abcdef"[subject->sandbox >> (60 - 4 * i) & 15];
		json_line_add_text(line, "sandbox", name);
	}
	if (sandbox_sequence)
		json_line_add_unsigned(line, "sandbox_seq", sandbox_sequence);
	if (subject->tenant)
		json_line_add_unsigned(line, "tenant_id", subject->tenant);
	if (subject->tenant_name)
		json_line_add_text(line, "tenant", subject->tenant_name);
	put_policy(line, subject);
}

/* Its tenant must be able to see every record of a stream: what another one does about the sandbox
 * is not in it. */
static struct stream *stream_of(const struct audit *audit, const struct audit_subject *subject)
{
	struct stream *stream =
		subject->sandbox ? table_get(audit->streams, subject->sandbox) : NULL;

	return stream && stream->tenant == subject->tenant && !stream->ended ? stream : NULL;
}

void audit_line_begin(struct audit *audit, struct audit_line *line, const char *type,
	uint64_t time_ns, const struct audit_subject *subject)
{
	struct json_line *pending = &audit->pending;

	*line = (struct audit_line){
		.facts = {.sequence = audit->sequence + 1, .time_ns = time_ns},
		.start_bytes = pending->size_bytes,
	};
	memcpy(line->facts.type, type, strnlen(type, sizeof(line->facts.type) - 1));
	if (subject) {
		line->facts.sandbox = subject->sandbox;
		line->facts.tenant = subject->tenant;
		line->stream = stream_of(audit, subject);
		if (line->stream)
			line->facts.sandbox_sequence = line->stream->sequence + 1;
	}
	json_line_raw(pending, "{\"v\":1");
	json_line_add_unsigned(pending, "seq", line->facts.sequence);
	put_time(pending, time_ns);
	json_line_add_text(pending, "type", line->facts.type);
	put_subject(pending, subject, line->facts.sandbox_sequence);
}

int audit_line_end(struct audit *audit, struct audit_line *line)
{
	struct json_line *pending = &audit->pending;
	size_t size_bytes;
	int r = 0;

	json_line_raw(pending, "}\n");
	size_bytes = pending->size_bytes - line->start_bytes;
	if (pending->failed)
		r = -ENOMEM;
	else if (size_bytes > AUDIT_LINE_MAX)
		r = -E2BIG;
	if (r < 0) {
		json_line_cut(pending, line->start_bytes);
		return r;
	}
	audit->sequence = line->facts.sequence;
	if (line->stream)
		line->stream->sequence++;
	audit->lines[audit->n_pending++] =
		(struct audit_pending){.size_bytes = (uint32_t)size_bytes, .stream = line->stream};
	audit_index_add(&audit->index, &line->facts,
		segments_newest(&audit->segments)->size_bytes + line->start_bytes,
		(uint32_t)size_bytes);
	return 0;
}

void audit_count_loss(struct audit *audit, uint64_t n, const char *where)
{
	size_t i = 0;

	if (n == 0)
		return;
	audit->n_lost += n;
	while (i < AUDIT_PLACES_MAX - 1 && audit->losses[i].where &&
		strcmp(audit->losses[i].where, where) != 0)
		i++;
	if (!audit->losses[i].where)
		audit->losses[i].where = where;
	audit->losses[i].n += n;
}

/* How many losses a line tells of. Nothing that a client chose stands before the type, and no text
 * holds a quote that is not escaped. */
static uint64_t told_by(const char *line, size_t size_bytes)
{
	static const char type[] = "\"type\":\"audit.lost\"", key[] = ",\"lost\":";
	const char *found = memmem(line, size_bytes < TYPE_BYTES_MAX ? size_bytes : TYPE_BYTES_MAX,
		type, sizeof(type) - 1);
	uint64_t n = 0;

	if (found)
		found = memmem(found, (size_t)(line + size_bytes - found), key, sizeof(key) - 1);
	if (!found)
		return 0;
	for (found += sizeof(key) - 1; found < line + size_bytes && *found >= '0' && *found <= '9';
		found++)
		n = n * 10 + (uint64_t)(*found - '0');
	return n;
}

void audit_take_line(
	struct audit *audit, const char *line, size_t size_bytes, struct stream *stream)
{
	uint8_t leaf[SHA256_BYTES];

	if (tree_hash_leaf(&audit->tree, line, size_bytes, leaf) < 0 ||
		(stream && stream_chain(stream, audit->tree.engine, leaf) < 0))
		audit->tree.failed = true;
	tree_append(&audit->tree, leaf);
	audit->n_told += told_by(line, size_bytes);
}

/* The first `n_lines` of `pending`, `size_bytes` in all, reached the file. */
static void took(struct audit *audit, uint32_t n_lines, size_t size_bytes)
{
	const char *line = audit->pending.data;
	struct segment *newest = segments_newest(&audit->segments);
	const struct audit_index_entry *first = audit_index_get(&audit->index, newest->first);

	if (newest->size_bytes == 0 && size_bytes > 0 && first) {
		newest->first_time_ns = first->facts.time_ns;
		audit->segments.begun_ns = clock_realtime_ns();
	}
	newest->size_bytes += size_bytes;
	audit->segments.total_bytes += size_bytes;
	for (uint32_t i = 0; i < n_lines; i++) {
		audit_take_line(
			audit, line, audit->lines[i].size_bytes - 1, audit->lines[i].stream);
		line += audit->lines[i].size_bytes;
	}
}

/* Between two writes, so that what waits belongs to the segment that is the newest. When it fails
 * the old one goes on, and the next write tries again. */
static void rotate(struct audit *audit)
{
	const struct segment *newest = segments_newest(&audit->segments);
	int old_fd;

	if (newest->size_bytes == 0 ||
		(newest->size_bytes < audit->segment_bytes &&
			clock_realtime_ns() - audit->segments.begun_ns < audit->segment_age_ns))
		return;
	if (resume_write(audit->dir_fd, audit->sequence + 1, &audit->tree, audit->streams) < 0 ||
		segments_rotate(&audit->segments, audit->sequence + 1, &old_fd) < 0)
		return;
	seal_leave(audit, old_fd);
	seal_now(audit, CHECKPOINT_ROTATE);
}

/* Takes back the records that did not reach the file: all after the first `written_bytes` of
 * pending. */
static void take_back(struct audit *audit, size_t written_bytes)
{
	size_t kept_bytes = 0;
	uint32_t n_kept = 0;

	while (n_kept < audit->n_pending &&
		kept_bytes + audit->lines[n_kept].size_bytes <= written_bytes)
		kept_bytes += audit->lines[n_kept++].size_bytes;
	for (uint32_t i = n_kept; i < audit->n_pending; i++)
		if (audit->lines[i].stream)
			audit->lines[i].stream->sequence--;
	audit->torn = written_bytes > kept_bytes;
	audit->sequence -= audit->n_pending - n_kept;
	took(audit, n_kept, kept_bytes);
	audit_index_cut(&audit->index, audit->sequence);
	audit_count_loss(audit, audit->n_pending - n_kept, "disk");
}

static int mend(struct audit *audit)
{
	if (!audit->torn)
		return 0;
	if (ftruncate(audit->segments.fd, (off_t)segments_newest(&audit->segments)->size_bytes) < 0)
		return -errno;
	audit->torn = false;
	return 0;
}

/* Returns 0 or -errno, and how much was written either way. */
static int write_pending(const struct audit *audit, size_t *ret_written_bytes)
{
	size_t written_bytes = 0;
	int r = 0;

	while (r == 0 && written_bytes < audit->pending.size_bytes) {
		ssize_t n = write(audit->segments.fd, audit->pending.data + written_bytes,
			audit->pending.size_bytes - written_bytes);

		if (n >= 0)
			written_bytes += (size_t)n;
		else if (errno != EINTR)
			r = -errno;
	}
	*ret_written_bytes = written_bytes;
	return r;
}

int audit_flush(struct audit *audit)
{
	size_t written_bytes = 0;
	int r;

	if (audit->pending.size_bytes == 0)
		return 0;
	r = mend(audit);
	if (r == 0)
		r = write_pending(audit, &written_bytes);
	if (r == 0) {
		took(audit, audit->n_pending, written_bytes);
	} else {
		take_back(audit, written_bytes);
		audit->writable = false;
		mend(audit);
		loop_timer_arm(audit->retry_timer, AUDIT_RETRY_MS, AUDIT_RETRY_MS);
	}
	json_line_cut(&audit->pending, 0);
	audit->n_pending = 0;
	if (r == 0)
		rotate(audit);
	if (audit->tree.size - audit->seal.size >= SEAL_RECORDS)
		seal_now(audit, CHECKPOINT_RECORDS);
	return r;
}

void audit_end_of_round(struct audit *audit)
{
	if (audit->round_armed)
		return;
	audit->round_armed = true;
	loop_timer_arm(audit->round_timer, 0, 0);
}

static bool tell_loss(struct audit *audit, struct audit_loss *loss)
{
	uint64_t n = loss->n, n_lost = audit->n_lost;
	struct audit_line line;

	assert(audit->pending.size_bytes == 0);
	audit_line_begin(audit, &line, "audit.lost", clock_realtime_ns(), NULL);
	json_line_add_unsigned(&audit->pending, "lost", n);
	json_line_add_text(&audit->pending, "where", loss->where);
	if (audit_line_end(audit, &line) < 0)
		return false;
	if (audit_flush(audit) < 0) {
		/* This record is no loss of its own: what it says will be said later. */
		for (size_t i = 0; i < AUDIT_PLACES_MAX && audit->losses[i].where; i++)
			if (strcmp(audit->losses[i].where, "disk") == 0)
				audit->losses[i].n -= audit->n_lost - n_lost;
		audit->n_lost = n_lost;
		return false;
	}
	loss->n -= n;
	return true;
}

void audit_tell_losses(struct audit *audit)
{
	for (size_t i = 0; i < AUDIT_PLACES_MAX && audit->losses[i].where; i++)
		if (audit->losses[i].n > 0 && !tell_loss(audit, &audit->losses[i]))
			return;
	audit->writable = true;
	loop_timer_disarm(audit->retry_timer);
	audit_end_streams(audit);
}

void audit_lost(struct audit *audit, uint64_t n, const char *where)
{
	audit_count_loss(audit, n, where);
	if (n == 0 || !audit->writable || audit_flush(audit) < 0)
		return;
	audit_tell_losses(audit);
	audit_end_of_round(audit);
}

static int encode(
	struct audit *audit, const char *type, const struct audit_subject *subject, json_t *body)
{
	struct audit_line line;
	const char *key;
	json_t *value;

	audit_line_begin(audit, &line, type, clock_realtime_ns(), subject);
	json_object_foreach(body, key, value)
	{
		json_line_raw(&audit->pending, ",");
		json_line_text(&audit->pending, key, strlen(key));
		json_line_raw(&audit->pending, ":");
		json_line_value(&audit->pending, value);
	}
	return audit_line_end(audit, &line);
}

static int encode_without_body(
	struct audit *audit, const char *type, const struct audit_subject *subject)
{
	struct audit_line line;

	audit_line_begin(audit, &line, type, clock_realtime_ns(), subject);
	json_line_add_bool(&audit->pending, "body_too_large", true);
	return audit_line_end(audit, &line);
}

int audit_try_record(
	struct audit *audit, const char *type, const struct audit_subject *subject, json_t *body)
{
	int r = -ENOSPC;

	if (audit->writable) {
		if (audit->n_pending == AUDIT_PENDING_LINES)
			audit_flush(audit);
		r = encode(audit, type, subject, body);
		if (r == -E2BIG)
			r = encode_without_body(audit, type, subject);
	}
	json_decref(body);
	if (r < 0) {
		audit_count_loss(audit, 1, r == -ENOSPC ? "disk" : "memory");
		return r;
	}
	r = audit_flush(audit);
	if (r == 0)
		audit_end_of_round(audit);
	return r;
}

void audit_record(
	struct audit *audit, const char *type, const struct audit_subject *subject, json_t *body)
{
	audit_try_record(audit, type, subject, body);
}
