#include "supervisor/audit/segments/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/audit/audit.h"

int audit_index_init(struct audit_index *index, uint64_t last_sequence)
{
	index->entries = calloc(AUDIT_INDEX_MAX, sizeof(*index->entries));
	if (!index->entries)
		return -ENOMEM;
	index->first = last_sequence + 1;
	index->last = last_sequence;
	return 0;
}

void audit_index_fini(struct audit_index *index)
{
	free(index->entries);
	index->entries = NULL;
}

void audit_index_add(struct audit_index *index, const struct audit_facts *facts,
	uint64_t offset_bytes, uint32_t size_bytes)
{
	assert(facts->sequence == index->last + 1);
	index->last = facts->sequence;
	if (index->last - index->first >= AUDIT_INDEX_MAX)
		index->first = index->last - AUDIT_INDEX_MAX + 1;
	index->entries[facts->sequence % AUDIT_INDEX_MAX] = (struct audit_index_entry){
		.offset_bytes = offset_bytes, .size_bytes = size_bytes, .facts = *facts};
}

void audit_index_cut(struct audit_index *index, uint64_t last_sequence)
{
	if (last_sequence >= index->last)
		return;
	index->last = last_sequence;
	if (index->first > last_sequence + 1)
		index->first = last_sequence + 1;
}

void audit_index_drop(struct audit_index *index, uint64_t first_sequence)
{
	if (index->first < first_sequence)
		index->first = first_sequence <= index->last ? first_sequence : index->last + 1;
}

const struct audit_index_entry *audit_index_get(const struct audit_index *index, uint64_t sequence)
{
	if (sequence < index->first || sequence > index->last)
		return NULL;
	return &index->entries[sequence % AUDIT_INDEX_MAX];
}

static bool word_matches(const char *type, const char *wanted, size_t length)
{
	return length > 0 && strncmp(type, wanted, length) == 0 &&
	       (type[length] == '\0' || type[length] == '.');
}

static bool type_matches(const char *type, const char *wanted)
{
	if (!wanted || !*wanted)
		return true;
	while (*wanted) {
		size_t length = strcspn(wanted, ",");

		if (word_matches(type, wanted, length))
			return true;
		wanted += length;
		wanted += *wanted == ',';
	}
	return false;
}

bool audit_facts_match(const struct audit_facts *facts, const struct audit_query *query)
{
	if (query->sandbox && facts->sandbox != query->sandbox)
		return false;
	if (query->tenant && facts->tenant != query->tenant)
		return false;
	if (facts->time_ns < query->since_ns ||
		(query->until_ns && facts->time_ns >= query->until_ns))
		return false;
	return type_matches(facts->type, query->type);
}

/* A quote inside a text is escaped, so these bytes are a key of ours and nothing that a client
 * chose. */
bool audit_verdict_matches(const char *line, size_t size_bytes, const struct audit_query *query)
{
	static const char key[] = ",\"verdict\":\"";
	const char *end = line + size_bytes, *found;
	size_t length;

	if (!query->verdict || !*query->verdict)
		return true;
	found = memmem(line, size_bytes, key, strlen(key));
	if (!found)
		return false;
	found += strlen(key);
	length = strlen(query->verdict);
	return (size_t)(end - found) > length && memcmp(found, query->verdict, length) == 0 &&
	       found[length] == '"';
}
