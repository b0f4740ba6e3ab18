#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>

#include "supervisor/base/clock.h"
#include "supervisor/resolve/cache.h"

static struct reply_answer answer(uint32_t ttl_seconds, uint8_t last_byte)
{
	return (struct reply_answer){.ttl_seconds = ttl_seconds,
		.n_addresses = 1,
		.addresses = {{.bytes = {[15] = last_byte}}}};
}

TEST(cache_keeps_an_answer_for_its_time_and_no_longer)
{
	struct reply_answer ten = answer(10, 7);
	const struct reply_answer *kept;
	struct cache *cache;

	CHECK_INT(cache_new(8, &cache), 0);
	cache_put(cache, "a.example", 1, &ten, 5 * NS_PER_SECOND);
	kept = cache_get(cache, "a.example", 1, 15 * NS_PER_SECOND - 1);
	CHECK(kept);
	CHECK_INT(kept->addresses[0].bytes[15], 7);
	CHECK(!cache_get(cache, "a.example", 28, 6 * NS_PER_SECOND));
	CHECK(!cache_get(cache, "b.example", 1, 6 * NS_PER_SECOND));
	CHECK(!cache_get(cache, "a.example", 1, 15 * NS_PER_SECOND));
	CHECK_INT(cache_count(cache), 0);
	CHECK(!cache_free(cache));
}

TEST(cache_replaces)
{
	struct reply_answer first = answer(10, 1), second = answer(20, 2);
	struct cache *cache;

	CHECK_INT(cache_new(8, &cache), 0);
	cache_put(cache, "a.example", 1, &first, 0);
	cache_put(cache, "a.example", 1, &second, 0);
	CHECK_INT(cache_count(cache), 1);
	CHECK_INT(cache_get(cache, "a.example", 1, 15 * NS_PER_SECOND)->addresses[0].bytes[15], 2);
	cache_free(cache);
}

TEST(cache_lets_go_of_what_was_not_used_for_longest)
{
	struct reply_answer some = answer(100, 1);
	struct cache *cache;

	CHECK_INT(cache_new(3, &cache), 0);
	cache_put(cache, "a", 1, &some, 0);
	cache_put(cache, "b", 1, &some, 0);
	cache_put(cache, "c", 1, &some, 0);
	CHECK(cache_get(cache, "a", 1, 1));
	cache_put(cache, "d", 1, &some, 0);
	CHECK_INT(cache_count(cache), 3);
	CHECK(cache_get(cache, "a", 1, 1));
	CHECK(!cache_get(cache, "b", 1, 1));
	CHECK(cache_get(cache, "c", 1, 1));
	CHECK(cache_get(cache, "d", 1, 1));
	cache_free(cache);
}

TEST(cache_stays_bounded)
{
	struct reply_answer some = answer(100, 1);
	struct cache *cache;
	char name[32];

	CHECK_INT(cache_new(100, &cache), 0);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "n%d.example", i);
		cache_put(cache, name, 28, &some, 0);
	}
	CHECK_INT(cache_count(cache), 100);
	CHECK(cache_get(cache, "n9999.example", 28, 1));
	CHECK(!cache_get(cache, "n9899.example", 28, 1));
	cache_free(cache);
}
