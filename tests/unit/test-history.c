/* The ring of points: what it keeps, and what held at a time. */
#include "supervisor/core/usage/history.h"
#include "tests/harness/check.h"

static void add(struct history *history, uint32_t n_max, uint64_t time_ns)
{
	struct wire_usage_point point = {.time_ns = time_ns, .cpu_ns = time_ns * 10};

	history_add(history, n_max, &point);
}

TEST(an_empty_ring_knows_nothing)
{
	struct history history = {0};

	CHECK(!history_last(&history));
	CHECK(!history_at(&history, 5));
	CHECK(!history_after(&history, 5));
	history_fini(&history);
}

TEST(what_held_at_a_time_is_the_last_point_before)
{
	struct history history = {0};

	add(&history, 100, 10);
	add(&history, 100, 20);
	add(&history, 100, 30);
	CHECK(!history_at(&history, 9));
	CHECK_INT(history_at(&history, 10)->cpu_ns, 100);
	CHECK_INT(history_at(&history, 19)->cpu_ns, 100);
	CHECK_INT(history_at(&history, 20)->cpu_ns, 200);
	CHECK_INT(history_at(&history, 1000)->cpu_ns, 300);
	CHECK_INT(history_after(&history, 0)->time_ns, 10);
	CHECK_INT(history_after(&history, 20)->time_ns, 30);
	CHECK(!history_after(&history, 30));
	CHECK_INT(history_last(&history)->time_ns, 30);
	history_fini(&history);
}

TEST(keeps_the_newest_and_no_more_than_its_bound)
{
	struct history history = {0};

	for (uint64_t i = 1; i <= 50; i++) {
		add(&history, 20, i);
		CHECK(history.room <= 20);
		CHECK_INT(history_last(&history)->time_ns, i);
		CHECK_INT(history_after(&history, 0)->time_ns, i <= 20 ? 1 : i - 19);
	}
	for (uint64_t i = 31; i <= 50; i++)
		CHECK_INT(history_at(&history, i)->time_ns, i);
	CHECK(!history_at(&history, 30));
	history_fini(&history);
	CHECK(!history.points);
}

TEST(every_member_is_taken_from_usage_and_summed)
{
	struct wire_usage usage = {.cpu_ns = 1,
		.memory_bytes = 2,
		.memory_mib_ms = 3,
		.bytes_sent = 4,
		.bytes_received = 5,
		.connections_allowed = 6,
		.connections_denied = 7,
		.execs = 8,
		.dns_queries = 9,
		.block_read_bytes = 10,
		.block_written_bytes = 11,
		.n_sandboxes = 12};
	struct wire_usage_point point, sum = {0};
	const uint64_t *words = (const uint64_t *)&point, *sums = (const uint64_t *)&sum;

	history_point(&usage, 99, &point);
	history_sum(&sum, &point);
	history_sum(&sum, &point);
	CHECK_INT(point.time_ns, 99);
	for (size_t i = 1; i < sizeof(point) / sizeof(uint64_t); i++) {
		CHECK(words[i] > 0);
		CHECK_INT(sums[i], 2 * words[i]);
	}
	CHECK(history_differs(&point, &sum));
	sum = point;
	sum.time_ns = 5;
	CHECK(!history_differs(&point, &sum));
}
