#include "supervisor/resolve/cache.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"

#define BUCKETS 1024

struct entry {
	TAILQ_ENTRY(entry) in_order;
	LIST_ENTRY(entry) in_bucket;
	struct reply_answer answer;
	uint64_t until_ns;
	uint16_t type;
	char name[]; /* with its NUL */
};

TAILQ_HEAD(entry_order, entry);
LIST_HEAD(entry_bucket, entry);

struct cache {
	struct entry_order order; /* longest unused first */
	struct entry_bucket buckets[BUCKETS];
	size_t n_entries, n_max;
	uint64_t seed; /* a sandbox under a wildcard chooses names, but not those of one bucket */
};

int cache_new(size_t n_max, struct cache **ret_cache)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	if (getrandom(&cache->seed, sizeof(cache->seed), 0) != sizeof(cache->seed)) {
		free(cache);
		return -EIO;
	}
	TAILQ_INIT(&cache->order);
	cache->n_max = n_max;
	*ret_cache = cache;
	return 0;
}

static void drop(struct cache *cache, struct entry *entry)
{
	TAILQ_REMOVE(&cache->order, entry, in_order);
	LIST_REMOVE(entry, in_bucket);
	cache->n_entries--;
	free(entry);
}

struct cache *cache_free(struct cache *cache)
{
	if (!cache)
		return NULL;
	while (!TAILQ_EMPTY(&cache->order))
		drop(cache, TAILQ_FIRST(&cache->order));
	free(cache);
	return NULL;
}

/* FNV-1a. Names that collide whatever the seed only make one bucket longer: `n_max` bounds it. */
static struct entry_bucket *bucket_of(struct cache *cache, const char *name, uint16_t type)
{
	uint64_t hash = cache->seed ^ type;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3ULL;
	return &cache->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static struct entry *find(struct cache *cache, const char *name, uint16_t type)
{
	struct entry *entry;

	LIST_FOREACH(entry, bucket_of(cache, name, type), in_bucket)
	if (entry->type == type && strcmp(entry->name, name) == 0)
		return entry;
	return NULL;
}

const struct reply_answer *cache_get(
	struct cache *cache, const char *name, uint16_t type, uint64_t now_ns)
{
	struct entry *entry = find(cache, name, type);

	if (!entry)
		return NULL;
	if (entry->until_ns <= now_ns) {
		drop(cache, entry);
		return NULL;
	}
	TAILQ_REMOVE(&cache->order, entry, in_order);
	TAILQ_INSERT_TAIL(&cache->order, entry, in_order);
	return &entry->answer;
}

void cache_put(struct cache *cache, const char *name, uint16_t type,
	const struct reply_answer *answer, uint64_t now_ns)
{
	struct entry *entry = find(cache, name, type);
	size_t name_size = strlen(name) + 1;

	if (entry)
		drop(cache, entry);
	if (cache->n_max == 0)
		return;
	if (cache->n_entries >= cache->n_max)
		drop(cache, TAILQ_FIRST(&cache->order));
	entry = calloc(1, sizeof(*entry) + name_size);
	if (!entry)
		return;
	entry->answer = *answer;
	entry->until_ns = now_ns + answer->ttl_seconds * NS_PER_SECOND;
	entry->type = type;
	memcpy(entry->name, name, name_size);
	TAILQ_INSERT_TAIL(&cache->order, entry, in_order);
	LIST_INSERT_HEAD(bucket_of(cache, name, type), entry, in_bucket);
	cache->n_entries++;
}

size_t cache_count(const struct cache *cache)
{
	return cache->n_entries;
}
