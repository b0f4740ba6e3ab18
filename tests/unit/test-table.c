#include "tests/harness/check.h"

#include <errno.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/table.h"

#define MANY 5000

static int values[MANY];

static struct table *make(size_t n_max)
{
	struct table *table = NULL;

	CHECK_INT(table_new(n_max, &table), 0);
	return table;
}

TEST(table_gives_back_what_was_put)
{
	struct table *table = make(10);

	CHECK(table_get(table, 0) == NULL);
	CHECK_INT(table_put(table, 0, &values[0]), 0);
	CHECK_INT(table_put(table, UINT64_MAX, &values[1]), 0);
	CHECK(table_get(table, 0) == &values[0]);
	CHECK(table_get(table, UINT64_MAX) == &values[1]);
	CHECK(table_get(table, 1) == NULL);
	CHECK_INT(table_count(table), 2);
	table_free(table);
}

TEST(table_refuses_a_key_twice)
{
	struct table *table = make(10);

	CHECK_INT(table_put(table, 7, &values[0]), 0);
	CHECK_INT(table_put(table, 7, &values[1]), -EEXIST);
	CHECK(table_get(table, 7) == &values[0]);
	CHECK_INT(table_count(table), 1);
	table_free(table);
}

TEST(table_holds_no_more_than_its_limit)
{
	struct table *table = make(3);

	for (uint64_t key = 0; key < 3; key++)
		CHECK_INT(table_put(table, key, &values[key]), 0);
	CHECK_INT(table_put(table, 3, &values[3]), -ENOSPC);
	CHECK(table_get(table, 3) == NULL);
	CHECK(table_take(table, 1) == &values[1]);
	CHECK_INT(table_put(table, 3, &values[3]), 0);
	CHECK_INT(table_count(table), 3);
	table_free(table);
}

TEST(table_take_removes_one_entry_only)
{
	struct table *table = make(10);

	CHECK(table_take(table, 1) == NULL);
	CHECK_INT(table_put(table, 1, &values[1]), 0);
	CHECK_INT(table_put(table, 2, &values[2]), 0);
	CHECK(table_take(table, 1) == &values[1]);
	CHECK(table_take(table, 1) == NULL);
	CHECK(table_get(table, 2) == &values[2]);
	CHECK_INT(table_count(table), 1);
	table_free(table);
}

/* Keys that are alike in their low bits, as addresses and shifted ids are. */
static uint64_t key_of(size_t i)
{
	return (uint64_t)i << 32;
}

static struct table *make_many(void)
{
	struct table *table = make(MANY);

	for (size_t i = 0; i < MANY; i++)
		CHECK_INT(table_put(table, key_of(i), &values[i]), 0);
	return table;
}

TEST(table_finds_all_after_growing)
{
	struct table *table = make_many();

	for (size_t i = 0; i < MANY; i++)
		CHECK(table_get(table, key_of(i)) == &values[i]);
	CHECK_INT(table_count(table), MANY);
	table_free(table);
}

TEST(table_visits_each_entry_once)
{
	struct table *table = make_many();
	size_t position = 0, n = 0;
	int *value;

	memset(values, 0, sizeof(values));
	while ((value = table_next(table, &position))) {
		CHECK_INT((*value)++, 0);
		n++;
	}
	CHECK_INT(n, MANY);
	table_free(table);
}

TEST(table_visits_each_entry_once_while_they_are_taken)
{
	struct table *table = make_many();
	size_t position = 0, n = 0;
	int *value;

	memset(values, 0, sizeof(values));
	while ((value = table_next(table, &position))) {
		CHECK_INT((*value)++, 0);
		if (n++ % 3 != 0)
			CHECK(table_take(table, key_of((size_t)(value - values))) == value);
	}
	CHECK_INT(n, MANY);
	CHECK_INT(table_count(table), (MANY + 2) / 3);
	table_free(table);
}

TEST(table_of_nothing_has_nothing_to_visit)
{
	struct table *table = make(1);
	size_t position = 0;

	CHECK(table_next(table, &position) == NULL);
	table_free(table);
	CHECK(table_free(NULL) == NULL);
}

TEST(table_keeps_what_a_random_sequence_of_acts_left)
{
	struct table *table = make(200);
	void *expected[300] = {NULL};
	size_t n = 0;
	uint32_t state = 1;

	for (int i = 0; i < 100000; i++) {
		size_t key;

		state = state * 1664525 + 1013904223;
		key = (state >> 8) % ARRAY_SIZE(expected);
		if (state & (1U << 30)) {
			int r = table_put(table, key, &values[key]);

			CHECK_INT(r, expected[key] ? -EEXIST : n == 200 ? -ENOSPC : 0);
			if (r == 0) {
				expected[key] = &values[key];
				n++;
			}
		} else {
			CHECK(table_take(table, key) == expected[key]);
			n -= expected[key] != NULL;
			expected[key] = NULL;
		}
		CHECK(table_get(table, key) == expected[key]);
		CHECK_INT(table_count(table), n);
	}
	table_free(table);
}

TEST(table_position_outlives_changes)
{
	static int value;
	struct table *table;

	CHECK_INT(table_new(4096, &table), 0);
	for (size_t round = 0; round < 64; round++) {
		size_t position = 0;

		for (uint64_t key = 0; key < 512; key++)
			CHECK_INT(table_put(table, key * 7919 + round, &value), 0);
		for (size_t i = 0; i < round * 8; i++)
			table_next(table, &position);
		for (uint64_t key = 0; key < 512; key++)
			CHECK(table_take(table, key * 7919 + round) == &value);
		CHECK(!table_next(table, &position));
	}
	table_free(table);
}
