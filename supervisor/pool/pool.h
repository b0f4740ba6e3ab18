/* How many warm sandboxes each template keeps, and when to make the next one. Pure bookkeeping: the
 * owner makes and ends them; this room counts, hands out the oldest, and asks for more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/loop.h"

#define POOL_TEMPLATES_MAX 16
#define POOL_TARGET_MAX 4096
#define POOL_MAKING_MAX                                                                            \
	2 /* made at once in the background, so that a claim never waits for many                  \
	   */

struct pool;

/* Starts to make one; the owner answers later with pool_put() or pool_failed(). Returns 0 or -errno
 * (which counts as failed). */
typedef int (*pool_make)(const char *template, void *userdata);

int pool_new(struct loop *loop, pool_make make, void *userdata, struct pool **ret_pool);
struct pool *pool_free(struct pool *pool);

/* -ENOSPC past POOL_TEMPLATES_MAX, -ERANGE past POOL_TARGET_MAX. Refill begins at once. */
int pool_add(struct pool *pool, const char *template, uint32_t target);

/* The oldest warm one, or NULL: then the owner starts one cold. Refill is asked for. */
void *pool_take(struct pool *pool, const char *template);
/* One that was asked for is ready. */
int pool_put(struct pool *pool, const char *template, void *warm);
/* One that was asked for could not be made: the next try waits, longer each time, up to 10 s. */
void pool_failed(struct pool *pool, const char *template);
/* A warm one died: forgets it and asks for another. */
void pool_lost(struct pool *pool, const char *template, void *warm);
/* No more making (shutdown). */
void pool_stop(struct pool *pool);

bool pool_count(
	const struct pool *pool, const char *template, uint32_t *ret_warm, uint32_t *ret_target);
uint32_t pool_total(const struct pool *pool);
