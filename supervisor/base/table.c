/* Chained buckets; the bucket array doubles when entries outnumber buckets. */
#include "supervisor/base/table.h"

#include <errno.h>
#include <stdlib.h>

#define TABLE_BUCKETS_MIN 64

struct entry {
	uint64_t key;
	void *value;
	struct entry *next;
};

struct table {
	struct entry **buckets;
	size_t n_buckets, n_entries, n_max;
};

int table_new(size_t n_max, struct table **ret_table)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	table->n_max = n_max;
	table->n_buckets = TABLE_BUCKETS_MIN;
	table->buckets = calloc(table->n_buckets, sizeof(struct entry *));
	if (!table->buckets) {
		free(table);
		return -ENOMEM;
	}
	*ret_table = table;
	return 0;
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_buckets; i++) {
		while (table->buckets[i]) {
			struct entry *entry = table->buckets[i];

			table->buckets[i] = entry->next;
			free(entry);
		}
	}
	free(table->buckets);
	free(table);
	return NULL;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014): keys here are often small counters. */
static size_t bucket_of(const struct table *table, uint64_t key)
{
	key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ULL;
	key = (key ^ (key >> 27)) * 0x94d049bb133111ebULL;
	return (size_t)(key ^ (key >> 31)) & (table->n_buckets - 1);
}

/* A table that cannot grow still works, only slower, so a failed allocation is no error. */
static void grow(struct table *table)
{
	size_t n_old = table->n_buckets;
	struct entry **old = table->buckets, **larger = calloc(n_old * 2, sizeof(struct entry *));

	if (!larger)
		return;
	table->buckets = larger;
	table->n_buckets = n_old * 2;
	for (size_t i = 0; i < n_old; i++) {
		while (old[i]) {
			struct entry *entry = old[i];
			size_t bucket = bucket_of(table, entry->key);

			old[i] = entry->next;
			entry->next = larger[bucket];
			larger[bucket] = entry;
		}
	}
	free(old);
}

int table_put(struct table *table, uint64_t key, void *value)
{
	struct entry *entry;
	size_t bucket;

	if (table_get(table, key))
		return -EEXIST;
	if (table->n_entries >= table->n_max)
		return -ENOSPC;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	if (table->n_entries >= table->n_buckets)
		grow(table);
	bucket = bucket_of(table, key);
	*entry = (struct entry){key, value, table->buckets[bucket]};
	table->buckets[bucket] = entry;
	table->n_entries++;
	return 0;
}

static struct entry **find(const struct table *table, uint64_t key)
{
	struct entry **link = &table->buckets[bucket_of(table, key)];

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	return link;
}

void *table_get(const struct table *table, uint64_t key)
{
	struct entry *entry = *find(table, key);

	return entry ? entry->value : NULL;
}

void *table_take(struct table *table, uint64_t key)
{
	struct entry **link = find(table, key), *entry = *link;
	void *value;

	if (!entry)
		return NULL;
	value = entry->value;
	*link = entry->next;
	free(entry);
	table->n_entries--;
	return value;
}

size_t table_count(const struct table *table)
{
	return table->n_entries;
}

/* `*position` packs a bucket and how many of its entries are left to visit plus one; 0 there means
 * the bucket is not begun. Each bucket is visited from its last entry to its first, so that taking
 * the entry just returned moves none of those still to come. A position from before other changes
 * may count more entries than there are: the bucket is then visited from its last. */
void *table_next(const struct table *table, size_t *position)
{
	size_t bucket = *position >> 16, left = *position & 0xffff;

	for (; bucket < table->n_buckets; bucket++, left = 0) {
		struct entry *entry;
		size_t n_entries = 0;

		for (entry = table->buckets[bucket]; entry; entry = entry->next)
			n_entries++;
		if (left == 0 || left > n_entries + 1)
			left = n_entries + 1;
		if (left == 1)
			continue;
		entry = table->buckets[bucket];
		for (size_t i = 2; i < left; i++)
			entry = entry->next;
		*position = (bucket << 16) | (left - 1);
		return entry->value;
	}
	return NULL;
}
