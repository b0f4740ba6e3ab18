/* Inside core: the rows that opinions of candidates are summed up in. */
#pragma once

#include "supervisor/core/shadow/shadow.h"

/* Whose opinion it is, and beside what. */
struct shadow_asked {
	uint32_t tenant;
	char candidate[POLICY_NAME_SIZE];
	char hash[POLICY_HASH_SIZE]; /* of the candidate alone, not of its meet: a rule's number is
					its place in the file */
	char rules_of[POLICY_NAME_SIZE]; /* the candidate's: its own unless it learns */
	char beside[POLICY_NAME_SIZE];   /* the policy in force */
	/* The staged version that the candidate comes of; empty: none. */
	char staged[POLICY_NAME_SIZE], staged_hash[POLICY_HASH_SIZE];
};

/* A row of one tenant, and of one candidate as it was when it was asked. */
struct shadow_row {
	struct shadow_row *next, *next_of_bucket;
	size_t bucket;
	uint32_t tenant;
	char candidate[POLICY_NAME_SIZE], hash[POLICY_HASH_SIZE];
	char staged[POLICY_NAME_SIZE], staged_hash[POLICY_HASH_SIZE];
	struct shadow_sum sum;
	uint64_t n_living; /* while all are read */
};

struct shadow_rows;

struct shadow_rows *shadow_rows_new(void);
struct shadow_rows *shadow_rows_free(struct shadow_rows *rows);
/* The row, made if there is none yet; when there are too many, that of no rule and no part. NULL
 * when there is no room even for that. `part` is policy_part()'s, or "": by rule. */
struct shadow_row *shadow_rows_get(struct shadow_rows *rows, const struct shadow_asked *asked,
	enum abi_shadow_outcome outcome, uint16_t rule, const char *part);
/* Frees each that `keeps` says no to. */
void shadow_rows_drop(struct shadow_rows *rows,
	bool (*keeps)(const struct shadow_row *row, void *userdata), void *userdata);
/* In a list, by `next`. */
struct shadow_row *shadow_rows_first(const struct shadow_rows *rows);
