/* Reading back: recent records by the index, older ones by looking through the segments, whose
 * lines are in order of their sequence, and nearly of their time, so that the place to begin is
 * found by halving. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/audit/lines/time-text.h"
#include "supervisor/audit/segments/log-file.h"
#include "supervisor/base/cleanup.h"

#define SCAN_BYTES (2 * AUDIT_LINE_MAX)  /* read at a time; holds at least one whole line */
#define SCAN_BYTES_MAX (4 * 1024 * 1024) /* looked through in one call */

struct reader {
	struct audit *audit;
	const struct audit_query *query;
	char *buffer;
	size_t size_bytes, used_bytes;
	uint32_t n;
	uint64_t next;
	bool full; /* the buffer or the limit: no more in this call */
	bool past; /* an upper bound of the query: no more in any */
};

/* The text after `prefix`, NULL when `text` begins otherwise. */
static const char *after(const char *text, const char *end, const char *prefix)
{
	size_t length = strlen(prefix);

	if ((size_t)(end - text) < length || memcmp(text, prefix, length) != 0)
		return NULL;
	return text + length;
}

static const char *parse_number(const char *text, const char *end, int base, uint64_t *ret_value)
{
	char digits[24], *stop;
	size_t length = (size_t)(end - text) < sizeof(digits) - 1 ? (size_t)(end - text)
								  : sizeof(digits) - 1;

	memcpy(digits, text, length);
	digits[length] = '\0';
	if (digits[0] == '-' || digits[0] == '+' || digits[0] == ' ')
		return NULL;
	errno = 0;
	*ret_value = strtoull(digits, &stop, base);
	return stop == digits || errno ? NULL : text + (stop - digits);
}

/* Reads what may follow the type: sandbox, its sequence, tenant_id. */
static bool parse_subject(const char *text, const char *end, struct audit_facts *facts)
{
	const char *found = after(text, end, ",\"sandbox\":\"sb-");
	uint64_t value;

	if (found) {
		found = parse_number(found, end, 16, &facts->sandbox);
		text = found ? after(found, end, "\"") : NULL;
		if (!text)
			return false;
	}
	found = after(text, end, ",\"sandbox_seq\":");
	if (found) {
		text = parse_number(found, end, 10, &facts->sandbox_sequence);
		if (!text)
			return false;
	}
	found = after(text, end, ",\"tenant_id\":");
	if (!found)
		return true;
	if (!parse_number(found, end, 10, &value))
		return false;
	facts->tenant = (uint32_t)value;
	return true;
}

bool audit_line_parse(const char *line, size_t size_bytes, struct audit_facts *ret_facts)
{
	const char *end = line + size_bytes, *text, *quote;
	struct audit_facts facts = {};

	text = after(line, end, "{\"v\":1,\"seq\":");
	text = text ? parse_number(text, end, 10, &facts.sequence) : NULL;
	text = text ? after(text, end, ",\"time\":\"") : NULL;
	if (!text || facts.sequence == 0 || end - text < TIME_TEXT_LENGTH ||
		time_text_parse(text, TIME_TEXT_LENGTH, &facts.time_ns) < 0)
		return false;
	text = after(text + TIME_TEXT_LENGTH, end, "\",\"type\":\"");
	quote = text ? memchr(text, '"', (size_t)(end - text)) : NULL;
	if (!quote || (size_t)(quote - text) >= sizeof(facts.type))
		return false;
	memcpy(facts.type, text, (size_t)(quote - text));
	if (!parse_subject(quote + 1, end, &facts))
		return false;
	*ret_facts = facts;
	return true;
}

static bool has_room(struct reader *reader, size_t line_bytes)
{
	uint32_t limit = reader->query->limit;

	if (reader->size_bytes - reader->used_bytes < line_bytes || (limit && reader->n >= limit))
		reader->full = true;
	return !reader->full;
}

/* True when the record is past what the query allows, so that all that follow are too. */
static bool is_past(struct reader *reader, const struct audit_facts *facts)
{
	const struct audit_query *query = reader->query;

	if ((query->until && facts->sequence > query->until) ||
		(query->until_ns && facts->time_ns > query->until_ns + AUDIT_DISORDER_NS))
		reader->past = true;
	return reader->past;
}

static bool may_go_on(const struct reader *reader)
{
	return !reader->full && !reader->past;
}

static int take_entry(struct reader *reader, const struct audit_index_entry *entry)
{
	struct segments *segments = &reader->audit->segments;
	char *place = reader->buffer + reader->used_bytes;
	int fd, r;

	if (!audit_facts_match(&entry->facts, reader->query))
		return 0;
	if (!has_room(reader, entry->size_bytes))
		return 0;
	fd = segments_read_fd(segments, segments_find(segments, entry->facts.sequence));
	r = fd < 0 ? fd : segment_read_at(fd, place, entry->size_bytes, entry->offset_bytes);
	if (r < 0 || !audit_verdict_matches(place, entry->size_bytes, reader->query))
		return r;
	reader->used_bytes += entry->size_bytes;
	reader->n++;
	return 0;
}

static int read_recent(struct reader *reader)
{
	const struct audit_index *index = &reader->audit->index;

	while (reader->next < index->last) {
		const struct audit_index_entry *entry = audit_index_get(index, reader->next + 1);
		int r;

		if (is_past(reader, &entry->facts))
			return 0;
		r = take_entry(reader, entry);
		if (r < 0 || reader->full)
			return r;
		reader->next++;
	}
	return 0;
}

/* Whether all that the query asks for comes after this record. */
static bool is_before(const struct reader *reader, const struct audit_facts *facts)
{
	return facts->sequence <= reader->next ||
	       facts->time_ns + AUDIT_DISORDER_NS < reader->query->since_ns;
}

/* The last segment whose first record comes before what is asked for. */
static size_t find_segment(const struct reader *reader)
{
	const struct segments *segments = &reader->audit->segments;
	size_t low = 0, high = segments->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		const struct segment *segment = &segments->items[middle];
		const struct audit_facts facts = {
			.sequence = segment->first, .time_ns = segment->first_time_ns};

		if (segment->size_bytes > 0 && is_before(reader, &facts))
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Finds the first line that begins at or after `offset_bytes` + 1 and is ours. `*ret_start` is
 * `end_bytes` when there is none before it. */
static int find_line(int fd, char *chunk, uint64_t offset_bytes, uint64_t end_bytes,
	uint64_t *ret_start, struct audit_facts *ret_facts)
{
	ssize_t got = pread(fd, chunk, SCAN_BYTES, (off_t)offset_bytes);
	const char *line = chunk, *end, *feed;

	*ret_start = end_bytes;
	if (got < 0)
		return -errno;
	end = chunk + got;
	while ((feed = memchr(line, '\n', (size_t)(end - line)))) {
		line = feed + 1;
		if (offset_bytes + (uint64_t)(line - chunk) >= end_bytes)
			return 0;
		if (audit_line_parse(line, (size_t)(end - line), ret_facts)) {
			*ret_start = offset_bytes + (uint64_t)(line - chunk);
			return 0;
		}
	}
	return 0;
}

/* Finds a line start in the segment at or before the first record that is asked for. */
static int find_start(
	const struct reader *reader, int fd, char *chunk, uint64_t end_bytes, uint64_t *ret_start)
{
	uint64_t low = 0, high = end_bytes;

	while (high - low > SCAN_BYTES) {
		uint64_t middle = low + (high - low) / 2, start = high;
		struct audit_facts facts = {};
		int r = find_line(fd, chunk, middle, high, &start, &facts);

		if (r < 0)
			return r;
		if (start < high && is_before(reader, &facts))
			low = start;
		else
			high = middle;
	}
	*ret_start = low;
	return 0;
}

static void take_line(struct reader *reader, const char *line, size_t size_bytes)
{
	struct audit_facts facts;

	if (!audit_line_parse(line, size_bytes, &facts) || facts.sequence <= reader->next ||
		is_past(reader, &facts))
		return;
	if (audit_facts_match(&facts, reader->query) &&
		audit_verdict_matches(line, size_bytes, reader->query)) {
		if (!has_room(reader, size_bytes))
			return;
		memcpy(reader->buffer + reader->used_bytes, line, size_bytes);
		reader->used_bytes += size_bytes;
		reader->n++;
	}
	reader->next = facts.sequence;
}

/* Looks through a segment from `*offset_bytes` on, and says how far it came. */
static int read_segment(struct reader *reader, int fd, char *chunk, uint64_t end_bytes,
	uint64_t *offset_bytes, uint64_t *left_bytes)
{
	while (*offset_bytes < end_bytes && may_go_on(reader) && *left_bytes > 0) {
		ssize_t got = pread(fd, chunk, SCAN_BYTES, (off_t)*offset_bytes);
		const char *line = chunk, *feed = NULL;
		uint64_t step_bytes;

		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		while (may_go_on(reader) && *offset_bytes + (uint64_t)(line - chunk) < end_bytes &&
			(feed = memchr(line, '\n', (size_t)(chunk + got - line)))) {
			take_line(reader, line, (size_t)(feed + 1 - line));
			line = feed + 1;
		}
		if (line == chunk) /* damage: a line longer than any of ours */
			line += got;
		step_bytes = (uint64_t)(line - chunk);
		*offset_bytes += step_bytes;
		*left_bytes -= step_bytes < *left_bytes ? step_bytes : *left_bytes;
	}
	return 0;
}

/* Looks through the segments, at most SCAN_BYTES_MAX. */
static int read_old(struct reader *reader)
{
	struct segments *segments = &reader->audit->segments;
	_cleanup_free_ char *chunk = malloc(SCAN_BYTES);
	uint64_t left_bytes = SCAN_BYTES_MAX;

	if (!chunk)
		return -ENOMEM;
	for (size_t i = find_segment(reader); i < segments->n && left_bytes > 0; i++) {
		uint64_t end_bytes = segments->items[i].size_bytes, offset_bytes = 0;
		int fd = segments_read_fd(segments, i);
		int r = fd < 0 ? fd : find_start(reader, fd, chunk, end_bytes, &offset_bytes);

		if (r == 0)
			r = read_segment(reader, fd, chunk, end_bytes, &offset_bytes, &left_bytes);
		if (r < 0)
			return r;
		if (offset_bytes < end_bytes || !may_go_on(reader))
			return 0;
		/* Damaged lines at its end are passed over. */
		if (i + 1 < segments->n && reader->next + 1 < segments->items[i + 1].first)
			reader->next = segments->items[i + 1].first - 1;
	}
	return 0;
}

int audit_read(struct audit *audit, const struct audit_query *query, char *buffer,
	size_t size_bytes, size_t *ret_used, uint32_t *ret_n, uint64_t *ret_next, bool *ret_more)
{
	struct reader reader = {
		.audit = audit,
		.query = query,
		.buffer = buffer,
		.size_bytes = size_bytes,
		.next = query->after,
	};
	int r;

	audit_flush(audit);
	if (reader.next + 1 < audit->index.first)
		r = read_old(&reader);
	else
		r = read_recent(&reader);
	if (r < 0)
		return r;
	if (reader.full && reader.n == 0)
		return -EMSGSIZE;
	*ret_used = reader.used_bytes;
	*ret_n = reader.n;
	*ret_next = reader.next;
	*ret_more = reader.next < audit->sequence && !reader.past &&
		    !(query->until && reader.next >= query->until);
	return 0;
}
