#include "supervisor/core/shadow/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 16384      /* of all candidates */
#define ROWS_NONE_MAX 20000 /* with those of no rule, which are always taken in */
#define BUCKETS 4096

struct shadow_rows {
	struct shadow_row *first;
	struct shadow_row *buckets[BUCKETS];
	size_t n;
};

struct shadow_rows *shadow_rows_new(void)
{
	return calloc(1, sizeof(struct shadow_rows));
}

struct shadow_rows *shadow_rows_free(struct shadow_rows *rows)
{
	while (rows && rows->first) {
		struct shadow_row *row = rows->first;

		rows->first = row->next;
		free(row);
	}
	free(rows);
	return NULL;
}

/* FNV-1a. Nobody who could choose the texts gains by a long bucket: the names of policies and
 * their hashes are an administrator's. */
static uint32_t mix(uint32_t hash, const void *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * 16777619u;
	return hash;
}

static size_t bucket_of(const struct shadow_asked *asked, const char *policy,
	enum abi_shadow_outcome outcome, uint16_t rule, const char *part)
{
	uint32_t numbers[] = {asked->tenant, (uint32_t)outcome, rule}, hash = 2166136261u;

	hash = mix(hash, numbers, sizeof(numbers));
	hash = mix(hash, asked->hash, strlen(asked->hash));
	hash = mix(hash, asked->staged_hash, strlen(asked->staged_hash));
	hash = mix(hash, part, strlen(part));
	return mix(hash, policy, strlen(policy)) % BUCKETS;
}

static bool is_row(const struct shadow_row *row, const struct shadow_asked *asked,
	const char *policy, enum abi_shadow_outcome outcome, uint16_t rule, const char *part)
{
	return row->tenant == asked->tenant && row->sum.outcome == outcome &&
	       row->sum.rule == rule && strcmp(row->sum.part, part) == 0 &&
	       strcmp(row->sum.policy, policy) == 0 &&
	       strcmp(row->candidate, asked->candidate) == 0 &&
	       strcmp(row->hash, asked->hash) == 0 && strcmp(row->staged, asked->staged) == 0 &&
	       strcmp(row->staged_hash, asked->staged_hash) == 0;
}

static void link_row(struct shadow_rows *rows, struct shadow_row *row)
{
	struct shadow_row **bucket = &rows->buckets[row->bucket];

	row->next_of_bucket = *bucket;
	*bucket = row;
	row->next = rows->first;
	rows->first = row;
	rows->n++;
}

static struct shadow_row *add(struct shadow_rows *rows, size_t bucket,
	const struct shadow_asked *asked, const char *policy, enum abi_shadow_outcome outcome,
	uint16_t rule, const char *part)
{
	struct shadow_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->tenant = asked->tenant;
	memcpy(row->candidate, asked->candidate, sizeof(row->candidate));
	memcpy(row->hash, asked->hash, sizeof(row->hash));
	memcpy(row->staged, asked->staged, sizeof(row->staged));
	memcpy(row->staged_hash, asked->staged_hash, sizeof(row->staged_hash));
	row->sum.outcome = outcome;
	row->sum.rule = rule;
	snprintf(row->sum.part, sizeof(row->sum.part), "%s", part);
	snprintf(row->sum.policy, sizeof(row->sum.policy), "%s", policy);
	row->bucket = bucket;
	link_row(rows, row);
	return row;
}

struct shadow_row *shadow_rows_get(struct shadow_rows *rows, const struct shadow_asked *asked,
	enum abi_shadow_outcome outcome, uint16_t rule, const char *part)
{
	bool is_any = rule == ABI_RULE_NONE && !part[0],
	     is_beside = outcome == ABI_SHADOW_WOULD_DENY && !part[0];
	const char *policy = is_beside ? asked->beside : asked->rules_of;
	size_t bucket = bucket_of(asked, policy, outcome, rule, part);

	for (struct shadow_row *row = rows->buckets[bucket]; row; row = row->next_of_bucket)
		if (is_row(row, asked, policy, outcome, rule, part))
			return row;
	if (rows->n < ROWS_MAX || (is_any && rows->n < ROWS_NONE_MAX))
		return add(rows, bucket, asked, policy, outcome, rule, part);
	return is_any ? NULL : shadow_rows_get(rows, asked, outcome, ABI_RULE_NONE, "");
}

void shadow_rows_drop(struct shadow_rows *rows,
	bool (*keeps)(const struct shadow_row *row, void *userdata), void *userdata)
{
	struct shadow_row *all = rows->first, *next;

	*rows = (struct shadow_rows){0};
	for (struct shadow_row *row = all; row; row = next) {
		next = row->next;
		if (keeps(row, userdata))
			link_row(rows, row);
		else
			free(row);
	}
}

struct shadow_row *shadow_rows_first(const struct shadow_rows *rows)
{
	return rows->first;
}
