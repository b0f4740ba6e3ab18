/* A line is not the one that was signed: was it changed, put in, or moved, or is one missing? The
 * tiles say which line belongs where; what follows in the segment says which of these it was. */
#include <inttypes.h>

#include "tools/verify/tree/walk.h"

static enum verdict name(struct walk *walk, enum fault_kind kind, const char *what)
{
	uint64_t expected = walk_expected(walk);

	fault_set(walk->fault, kind, "%s", what);
	fault_at(walk->fault, walk->path, walk->lines.number, expected);
	return VERDICT_INVALID;
}

/* The stored hash of a record; false when the tree has none or its tile cannot be read. */
static bool stored(struct walk *walk, uint64_t sequence, struct hash *ret_hash)
{
	const struct hash *hash = NULL;
	struct fault ignored;

	if (tiles_leaf(walk->tiles, sequence - 1, &hash, &ignored) || !hash)
		return false;
	*ret_hash = *hash;
	return true;
}

static bool is_genuine(struct walk *walk, uint64_t sequence, const char *line, size_t size)
{
	struct hash hash, leaf;

	hash_leaf(line, size, &leaf);
	return stored(walk, sequence, &hash) && hash_equal(&hash, &leaf);
}

/* Whether the record that is expected here lies further on in the segment; `*ret_next` if it is the
 * very next line. Uses the lines up: nothing is read after a fault. */
static bool lies_ahead(struct walk *walk, bool *ret_next)
{
	uint64_t expected = walk_expected(walk);
	const char *line;
	size_t size;

	for (uint64_t n = 0; lines_next(&walk->lines, &line, &size) > 0; n++) {
		struct record record;

		*ret_next = n == 0;
		if (!record_read(line, size, &record) && record.sequence == expected &&
			is_genuine(walk, expected, line, size))
			return true;
	}
	return false;
}

static bool belongs_elsewhere(const struct walk *walk, uint64_t sequence)
{
	uint64_t first = walk->segments[walk->next_segment - 1];

	return sequence < first || (walk->segment_end && sequence >= walk->segment_end);
}

enum verdict walk_blame(struct walk *walk, const char *line, size_t size,
	const struct record *record, const char *error)
{
	uint64_t expected = walk_expected(walk), at = walk->lines.number;
	bool genuine = record && is_genuine(walk, record->sequence, line, size);
	bool known = stored(walk, expected, &(struct hash){0}), next = false, ahead;
	enum verdict verdict;

	if (genuine && at == 1 && belongs_elsewhere(walk, record->sequence))
		verdict =
			name(walk, FAULT_SEGMENT_MISPLACED, "the segment holds another's records");
	else if (!record && (!known || is_genuine(walk, expected, line, size)))
		verdict = name(walk, FAULT_RECORD_MALFORMED, error);
	else {
		ahead = known && lies_ahead(walk, &next);
		walk->lines.number = at;
		if (ahead && next && (!genuine || record->sequence < expected))
			verdict = name(walk, FAULT_RECORD_INSERTED,
				"a line was put in before the record that belongs here");
		else if (ahead)
			verdict = name(walk, FAULT_RECORD_REORDERED,
				"the record that belongs here comes later");
		else if (!record || record->sequence == expected)
			verdict = name(walk, FAULT_RECORD_CHANGED,
				"the record is not the one that was signed");
		else if (record->sequence < expected)
			verdict = name(walk, FAULT_RECORD_INSERTED,
				"a record is there a second time, or was put in");
		else
			verdict = name(walk, FAULT_RECORD_DELETED, "records are missing here");
	}
	fault_expected(walk->fault, "seq %" PRIu64, expected);
	if (!record)
		fault_found(walk->fault, "no record: %s", error);
	else if (record->sequence != expected)
		fault_found(walk->fault, "seq %" PRIu64, record->sequence);
	else
		fault_found(walk->fault, "another line with this number");
	return verdict;
}
