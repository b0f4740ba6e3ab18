/* supervisor/pool: counting, order, refill and back-off. */
#include "tests/harness/check.h"

#include <errno.h>

#include "supervisor/base/clock.h"
#include "supervisor/pool/pool.h"

struct maker {
	struct pool *pool;
	struct loop *loop;
	int n_asked, n_python, n_shell;
	bool fails;
};

static int make(const char *template, void *userdata)
{
	struct maker *maker = userdata;

	maker->n_asked++;
	if (strcmp(template, "python") == 0)
		maker->n_python++;
	else
		maker->n_shell++;
	return maker->fails ? -EIO : 0;
}

static void open_pool(struct maker *maker)
{
	*maker = (struct maker){0};
	CHECK_INT(loop_new(&maker->loop), 0);
	CHECK_INT(pool_new(maker->loop, make, maker, &maker->pool), 0);
}

static void close_pool(struct maker *maker)
{
	pool_free(maker->pool);
	loop_free(maker->loop);
}

/* Runs rounds until `*counter` reaches `wanted`, or a second has passed. */
static void run_until(struct maker *maker, const int *counter, int wanted)
{
	uint64_t end_ns = clock_monotonic_ns() + NS_PER_SECOND;

	while (*counter < wanted && clock_monotonic_ns() < end_ns)
		loop_run_once(maker->loop, 50);
	CHECK_INT(*counter, wanted);
}

TEST(asks_for_no_more_than_two_at_once)
{
	struct maker maker;
	int one, two, three;
	uint32_t n_warm, n_target;

	open_pool(&maker);
	CHECK_INT(pool_add(maker.pool, "python", 3), 0);
	run_until(&maker, &maker.n_asked, 2);
	loop_run_once(maker.loop, 5);
	CHECK_INT(maker.n_asked, 2);
	CHECK_INT(pool_put(maker.pool, "python", &one), 0);
	run_until(&maker, &maker.n_asked, 3);
	CHECK_INT(pool_put(maker.pool, "python", &two), 0);
	CHECK_INT(pool_put(maker.pool, "python", &three), 0);
	loop_run_once(maker.loop, 5);
	CHECK_INT(maker.n_asked, 3);
	CHECK(pool_count(maker.pool, "python", &n_warm, &n_target));
	CHECK_INT(n_warm, 3);
	CHECK_INT(n_target, 3);
	close_pool(&maker);
}

TEST(hands_out_the_oldest_first_and_asks_for_another)
{
	struct maker maker;
	int one, two;

	open_pool(&maker);
	pool_add(maker.pool, "python", 2);
	run_until(&maker, &maker.n_asked, 2);
	pool_put(maker.pool, "python", &one);
	pool_put(maker.pool, "python", &two);
	CHECK(pool_take(maker.pool, "python") == &one);
	CHECK(pool_take(maker.pool, "python") == &two);
	CHECK(pool_take(maker.pool, "python") == NULL);
	run_until(&maker, &maker.n_asked, 4);
	close_pool(&maker);
}

TEST(takes_nothing_from_a_template_that_it_does_not_know)
{
	struct maker maker;

	open_pool(&maker);
	CHECK(pool_take(maker.pool, "ruby") == NULL);
	CHECK_INT(pool_put(maker.pool, "ruby", &maker), -ENOSPC);
	close_pool(&maker);
}

TEST(forgets_a_warm_one_that_died)
{
	struct maker maker;
	int one, two;

	open_pool(&maker);
	pool_add(maker.pool, "python", 2);
	run_until(&maker, &maker.n_asked, 2);
	pool_put(maker.pool, "python", &one);
	pool_put(maker.pool, "python", &two);
	pool_lost(maker.pool, "python", &one);
	CHECK_INT(pool_total(maker.pool), 1);
	CHECK(pool_take(maker.pool, "python") == &two);
	run_until(&maker, &maker.n_asked, 4);
	close_pool(&maker);
}

TEST(fills_the_emptiest_stock_first)
{
	struct maker maker;
	int one;

	open_pool(&maker);
	pool_add(maker.pool, "python", 1);
	run_until(&maker, &maker.n_python, 1);
	pool_put(maker.pool, "python", &one);
	pool_add(maker.pool, "shell", 4);
	run_until(&maker, &maker.n_shell, 2);
	CHECK_INT(maker.n_python, 1);
	close_pool(&maker);
}

TEST(waits_longer_after_each_failure)
{
	struct maker maker;
	uint64_t begin_ns;

	open_pool(&maker);
	maker.fails = true;
	begin_ns = clock_monotonic_ns();
	pool_add(maker.pool, "python", 1);
	run_until(&maker, &maker.n_asked, 3);
	/* 1 ms, then 100 ms, then 200 ms */
	CHECK(clock_monotonic_ns() - begin_ns >= 300 * NS_PER_MS);
	close_pool(&maker);
}

TEST(makes_nothing_after_stop)
{
	struct maker maker;

	open_pool(&maker);
	pool_add(maker.pool, "python", 2);
	pool_stop(maker.pool);
	loop_run_once(maker.loop, 5);
	CHECK_INT(maker.n_asked, 0);
	close_pool(&maker);
}

TEST(refuses_a_target_that_is_too_large)
{
	struct maker maker;

	open_pool(&maker);
	CHECK_INT(pool_add(maker.pool, "python", POOL_TARGET_MAX + 1), -ERANGE);
	CHECK_INT(pool_add(maker.pool, "python", POOL_TARGET_MAX), 0);
	close_pool(&maker);
}
