/* Answers of resolvers, kept for their time to live; when full, the one not used for longest goes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/resolve/reply.h"

struct cache;

/* Returns 0, -ENOMEM or another -errno. */
int cache_new(size_t n_max, struct cache **ret_cache);
/* Takes NULL, returns NULL. */
struct cache *cache_free(struct cache *cache);

/* NULL when absent or too old at `now_ns` (monotonic). Valid until the next call. */
const struct reply_answer *cache_get(
	struct cache *cache, const char *name, uint16_t type, uint64_t now_ns);

/* Copies; replaces what was there. Without memory nothing is kept, which only costs time. */
void cache_put(struct cache *cache, const char *name, uint16_t type,
	const struct reply_answer *answer, uint64_t now_ns);

size_t cache_count(const struct cache *cache);
