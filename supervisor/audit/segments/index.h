/* The most recent records, in memory: where each lies in its segment and what a filter asks about
 * it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_INDEX_MAX 65536 /* records */
#define AUDIT_TYPE_SIZE 32

/* What a query can filter by. */
struct audit_facts {
	uint64_t sequence, sandbox, time_ns;
	uint64_t sandbox_sequence; /* 0: not of a sandbox's stream */
	uint32_t tenant;
	char type[AUDIT_TYPE_SIZE];
};

struct audit_index_entry {
	uint64_t offset_bytes;
	uint32_t size_bytes; /* with the line feed */
	struct audit_facts facts;
};

struct audit_index {
	struct audit_index_entry *entries; /* ring by sequence; sequences are dense */
	uint64_t first, last;              /* sequences held; first > last: none */
};

/* Returns 0 or -ENOMEM. The first record added will be the one after `last_sequence`. */
int audit_index_init(struct audit_index *index, uint64_t last_sequence);
void audit_index_fini(struct audit_index *index);

/* Adds the record whose sequence follows the last one; forgets the oldest when full. */
void audit_index_add(struct audit_index *index, const struct audit_facts *facts,
	uint64_t offset_bytes, uint32_t size_bytes);
/* Forgets all records after `last_sequence`: they did not reach the file. */
void audit_index_cut(struct audit_index *index, uint64_t last_sequence);
/* Forgets all records before `first_sequence`: they are not in the log any more. */
void audit_index_drop(struct audit_index *index, uint64_t first_sequence);
/* NULL when the record is not held. */
const struct audit_index_entry *audit_index_get(const struct audit_index *index, uint64_t sequence);

struct audit_query;
/* Whether a record passes the filters of `query` but those by sequence and verdict. */
bool audit_facts_match(const struct audit_facts *facts, const struct audit_query *query);
/* The filter by verdict, which needs the whole line. */
bool audit_verdict_matches(const char *line, size_t size_bytes, const struct audit_query *query);
