/* A hash table from a 64-bit key to a pointer that it does not own. Keys are unique. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct table;

/* Holds at most `n_max` entries: every table that a client can fill has a limit. 0 or -ENOMEM. */
int table_new(size_t n_max, struct table **ret_table);
struct table *table_free(struct table *table);

/* Returns 0, -EEXIST, -ENOSPC (the limit) or -ENOMEM. */
int table_put(struct table *table, uint64_t key, void *value);
/* NULL when absent. */
void *table_get(const struct table *table, uint64_t key);
/* Removes and returns the value, NULL when absent. */
void *table_take(struct table *table, uint64_t key);
size_t table_count(const struct table *table);

/* Visits in no stated order: start with `*position` 0; NULL at the end. Taking the entry just
 * returned is allowed. A position may be kept while others are put and taken: some are then visited
 * twice or not at all. */
void *table_next(const struct table *table, size_t *position);
