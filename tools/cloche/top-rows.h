/* What top shows: rows of two answers of the API, told as rates, in an order. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOP_LINE_SIZE 256

struct top_row {
	char sandbox[32], tenant[64];
	uint64_t cpu_ns, memory_bytes, peak_bytes, network_bytes, block_bytes, execs, denied,
		alive_ns;
	/* In a second, since the answer before; 0 in the first that it is in. */
	double cpu, network, block;
};

struct top_rows {
	struct top_row *rows; /* owned */
	size_t n;
	uint64_t time_ns; /* monotonic, of the answer */
};

enum top_order {
	TOP_BY_CPU,
	TOP_BY_MEMORY,
	TOP_BY_NETWORK,
	TOP_BY_BLOCK,
	TOP_BY_DENIED,
	TOP_BY_AGE
};

void top_rows_fini(struct top_rows *rows);
/* Reads GET /v1/usage?group_by=sandbox; rates are over the time since `before` (may be empty). 0 or
 * -ENOMEM. */
int top_rows_read(const json_t *answer, uint64_t time_ns, const struct top_rows *before,
	struct top_rows *ret_rows);
/* The largest first, or last with `reversed`; equal ones by id, so that they keep their places. */
void top_rows_sort(struct top_rows *rows, enum top_order order, bool reversed);
/* The order that a key chooses; false for another key. */
bool top_order_by_key(char key, enum top_order *ret_order);
const char *top_order_name(enum top_order order);

const char *top_head(char line[static TOP_LINE_SIZE]);
const char *top_line(char line[static TOP_LINE_SIZE], const struct top_row *row);
/* "12 sandboxes of 2 tenants   CPU 134 %   memory 1.2 GiB   …" */
const char *top_sum(char line[static TOP_LINE_SIZE], const struct top_rows *rows);
