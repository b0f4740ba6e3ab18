#include "supervisor/pool/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 10000
#define REFILL_DELAY_MS 1 /* lets the claims that are already waiting go first */

struct stock {
	char template[32];
	uint32_t target, making;
	uint32_t backoff_ms; /* 0: the last one succeeded */
	void **warm;         /* ring of `target` places, oldest at `first` */
	uint32_t first, n_warm;
};

struct pool {
	pool_make make;
	void *userdata;
	struct loop_source *timer;
	struct stock stocks[POOL_TEMPLATES_MAX];
	size_t n_stocks;
	uint32_t making;
	bool stopped;
};

static void refill(struct loop_source *source, void *userdata);

int pool_new(struct loop *loop, pool_make make, void *userdata, struct pool **ret_pool)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int r;

	if (!pool)
		return -ENOMEM;
	pool->make = make;
	pool->userdata = userdata;
	r = loop_add_timer(loop, refill, pool, &pool->timer);
	if (r < 0) {
		free(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

struct pool *pool_free(struct pool *pool)
{
	if (!pool)
		return NULL;
	loop_source_free(pool->timer);
	for (size_t i = 0; i < pool->n_stocks; i++)
		free(pool->stocks[i].warm);
	free(pool);
	return NULL;
}

static struct stock *find(const struct pool *pool, const char *template)
{
	for (size_t i = 0; i < pool->n_stocks; i++)
		if (strcmp(pool->stocks[i].template, template) == 0)
			return (struct stock *)&pool->stocks[i];
	return NULL;
}

static bool is_short(const struct stock *stock)
{
	return stock->n_warm + stock->making < stock->target;
}

static void ask_for_refill(struct pool *pool)
{
	uint32_t delay_ms = UINT32_MAX;

	if (pool->stopped || pool->making >= POOL_MAKING_MAX)
		return;
	for (size_t i = 0; i < pool->n_stocks; i++) {
		const struct stock *stock = &pool->stocks[i];
		uint32_t wait_ms = stock->backoff_ms ? stock->backoff_ms : REFILL_DELAY_MS;

		if (is_short(stock) && wait_ms < delay_ms)
			delay_ms = wait_ms;
	}
	if (delay_ms != UINT32_MAX)
		loop_timer_arm(pool->timer, delay_ms, 0);
}

/* The emptiest stock, by share of its target, is filled first. */
static struct stock *neediest(struct pool *pool)
{
	struct stock *worst = NULL;

	for (size_t i = 0; i < pool->n_stocks; i++) {
		struct stock *stock = &pool->stocks[i];
		uint64_t have = stock->n_warm + stock->making;

		if (!is_short(stock))
			continue;
		if (!worst || have * worst->target <
				      (uint64_t)(worst->n_warm + worst->making) * stock->target)
			worst = stock;
	}
	return worst;
}

static void refill(struct loop_source *source, void *userdata)
{
	struct pool *pool = userdata;
	struct stock *stock = neediest(pool);

	(void)source;
	if (!stock || pool->stopped || pool->making >= POOL_MAKING_MAX)
		return;
	stock->making++;
	pool->making++;
	if (pool->make(stock->template, pool->userdata) < 0)
		pool_failed(pool, stock->template);
	else
		ask_for_refill(pool);
}

int pool_add(struct pool *pool, const char *template, uint32_t target)
{
	struct stock *stock;

	if (pool->n_stocks == POOL_TEMPLATES_MAX)
		return -ENOSPC;
	if (target > POOL_TARGET_MAX)
		return -ERANGE;
	stock = &pool->stocks[pool->n_stocks];
	*stock = (struct stock){.target = target};
	snprintf(stock->template, sizeof(stock->template), "%s", template);
	stock->warm = calloc(target ? target : 1, sizeof(void *));
	if (!stock->warm)
		return -ENOMEM;
	pool->n_stocks++;
	ask_for_refill(pool);
	return 0;
}

void *pool_take(struct pool *pool, const char *template)
{
	struct stock *stock = find(pool, template);
	void *warm;

	if (!stock || stock->n_warm == 0) {
		ask_for_refill(pool);
		return NULL;
	}
	warm = stock->warm[stock->first];
	stock->first = (stock->first + 1) % stock->target;
	stock->n_warm--;
	ask_for_refill(pool);
	return warm;
}

static void made_one(struct pool *pool, struct stock *stock)
{
	assert(stock->making > 0 && pool->making > 0);
	stock->making--;
	pool->making--;
}

int pool_put(struct pool *pool, const char *template, void *warm)
{
	struct stock *stock = find(pool, template);

	if (!stock || stock->n_warm >= stock->target)
		return -ENOSPC;
	made_one(pool, stock);
	stock->backoff_ms = 0;
	stock->warm[(stock->first + stock->n_warm++) % stock->target] = warm;
	ask_for_refill(pool);
	return 0;
}

void pool_failed(struct pool *pool, const char *template)
{
	struct stock *stock = find(pool, template);

	if (!stock)
		return;
	made_one(pool, stock);
	stock->backoff_ms = stock->backoff_ms ? stock->backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (stock->backoff_ms > BACKOFF_MAX_MS)
		stock->backoff_ms = BACKOFF_MAX_MS;
	ask_for_refill(pool);
}

void pool_lost(struct pool *pool, const char *template, void *warm)
{
	struct stock *stock = find(pool, template);
	uint32_t kept = 0;

	if (!stock)
		return;
	for (uint32_t i = 0; i < stock->n_warm; i++) {
		void *each = stock->warm[(stock->first + i) % stock->target];

		if (each != warm)
			stock->warm[(stock->first + kept++) % stock->target] = each;
	}
	stock->n_warm = kept;
	ask_for_refill(pool);
}

void pool_stop(struct pool *pool)
{
	pool->stopped = true;
	loop_timer_disarm(pool->timer);
}

bool pool_count(
	const struct pool *pool, const char *template, uint32_t *ret_warm, uint32_t *ret_target)
{
	const struct stock *stock = find(pool, template);

	if (!stock)
		return false;
	*ret_warm = stock->n_warm;
	*ret_target = stock->target;
	return true;
}

uint32_t pool_total(const struct pool *pool)
{
	uint32_t total = 0;

	for (size_t i = 0; i < pool->n_stocks; i++)
		total += pool->stocks[i].n_warm;
	return total;
}
