/* Reading back: recent records by the index, older ones by looking through the file, whose lines
 * are in order of their sequence, so that the place to begin is found by halving. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/audit/log-file.h"
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

/* Reads what may follow the type: sandbox, then tenant_id. */
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
	text = text ? memchr(text, '"', (size_t)(end - text)) : NULL;
	text = text ? after(text, end, "\",\"type\":\"") : NULL;
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

static int read_recent(struct reader *reader)
{
	const struct audit_index *index = &reader->audit->index;

	while (reader->next < index->last) {
		const struct audit_index_entry *entry = audit_index_get(index, reader->next + 1);

		if (audit_facts_match(&entry->facts, reader->query)) {
			ssize_t n;

			if (!has_room(reader, entry->size_bytes))
				return 0;
			n = pread(reader->audit->fd, reader->buffer + reader->used_bytes,
				entry->size_bytes, (off_t)entry->offset_bytes);
			if (n != (ssize_t)entry->size_bytes)
				return n < 0 ? -errno : -EIO;
			reader->used_bytes += entry->size_bytes;
			reader->n++;
		}
		reader->next++;
	}
	return 0;
}

/* Finds the first line that begins at or after `offset_bytes` + 1 and is ours. `*ret_start` is
 * `end_bytes` when there is none before it. */
static int find_line(struct reader *reader, char *chunk, uint64_t offset_bytes, uint64_t end_bytes,
	uint64_t *ret_start, struct audit_facts *ret_facts)
{
	ssize_t got = pread(reader->audit->fd, chunk, SCAN_BYTES, (off_t)offset_bytes);
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

/* Finds a line start at or before the record that follows `after`. */
static int find_start(
	struct reader *reader, char *chunk, uint64_t end_bytes, uint64_t *ret_offset_bytes)
{
	uint64_t low = 0, high = end_bytes;

	while (high - low > SCAN_BYTES) {
		uint64_t middle = low + (high - low) / 2, start = high;
		struct audit_facts facts = {};
		int r = find_line(reader, chunk, middle, high, &start, &facts);

		if (r < 0)
			return r;
		if (start < high && facts.sequence <= reader->next)
			low = start;
		else
			high = middle;
	}
	*ret_offset_bytes = low;
	return 0;
}

static void take_line(struct reader *reader, const char *line, size_t size_bytes)
{
	struct audit_facts facts;

	if (!audit_line_parse(line, size_bytes, &facts) || facts.sequence <= reader->next)
		return;
	if (audit_facts_match(&facts, reader->query)) {
		if (!has_room(reader, size_bytes))
			return;
		memcpy(reader->buffer + reader->used_bytes, line, size_bytes);
		reader->used_bytes += size_bytes;
		reader->n++;
	}
	reader->next = facts.sequence;
}

/* Looks through the file up to the first record of the index. `*ret_all` says that it came so far.
 */
static int read_old(struct reader *reader, bool *ret_all)
{
	const struct audit_index_entry *first =
		audit_index_get(&reader->audit->index, reader->audit->index.first);
	uint64_t end_bytes = first ? first->offset_bytes : reader->audit->size_bytes;
	_cleanup_free_ char *chunk = malloc(SCAN_BYTES);
	uint64_t offset_bytes, looked_bytes = 0;
	int r = chunk ? find_start(reader, chunk, end_bytes, &offset_bytes) : -ENOMEM;

	if (r < 0)
		return r;
	while (offset_bytes < end_bytes && !reader->full && looked_bytes < SCAN_BYTES_MAX) {
		ssize_t got = pread(reader->audit->fd, chunk, SCAN_BYTES, (off_t)offset_bytes);
		const char *line = chunk, *feed = NULL;

		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		while (!reader->full && offset_bytes + (uint64_t)(line - chunk) < end_bytes &&
			(feed = memchr(line, '\n', (size_t)(chunk + got - line)))) {
			take_line(reader, line, (size_t)(feed + 1 - line));
			line = feed + 1;
		}
		if (line == chunk) /* damage: a line longer than any of ours */
			line += got;
		offset_bytes += (uint64_t)(line - chunk);
		looked_bytes += (uint64_t)(line - chunk);
	}
	*ret_all = offset_bytes >= end_bytes && !reader->full;
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
	bool all = true;
	int r = 0;

	audit_flush(audit);
	if (reader.next + 1 < audit->index.first)
		r = read_old(&reader, &all);
	if (r == 0 && all) {
		if (reader.next + 1 < audit->index.first)
			reader.next = audit->index.first - 1;
		r = read_recent(&reader);
	}
	if (r < 0)
		return r;
	if (reader.full && reader.n == 0)
		return -EMSGSIZE;
	*ret_used = reader.used_bytes;
	*ret_n = reader.n;
	*ret_next = reader.next;
	*ret_more = reader.next < audit->sequence;
	return 0;
}
