/* Usage over time: a point every HISTORY_FINE_NS for an hour in memory, for tenants and the host;
 * one every HISTORY_COARSE_NS for a week in the store; for a sandbox one every HISTORY_SANDBOX_NS
 * for an hour. A tenant that does nothing gets no points, and what it had then holds on.
 *
 * Memory: 37 KiB for each of up to HISTORY_RINGS_MAX tenants (others have coarse points alone), and
 * up to 6 KiB for each sandbox. Store: 130 bytes a point, 260 KiB a week for a tenant that is never
 * idle. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/wire/api.h"

#define HISTORY_FINE_NS (10ULL * 1000000000)
#define HISTORY_COARSE_NS (300ULL * 1000000000)
#define HISTORY_SANDBOX_NS (60ULL * 1000000000)
#define HISTORY_HOUR_NS (3600ULL * 1000000000)
#define HISTORY_WEEK_NS (7 * 24 * HISTORY_HOUR_NS)
#define HISTORY_RINGS_MAX 256
#define HISTORY_STEPS_MAX 2016

/* The last points, oldest first. Starts zeroed; takes memory as it grows. */
struct history {
	struct wire_usage_point *points;
	uint32_t first, n, room;
};

void history_fini(struct history *history);
/* Keeps at most `n_max`. Without memory for one more, the oldest goes. */
void history_add(struct history *history, uint32_t n_max, const struct wire_usage_point *point);
/* The last one at `time_ns` or before, the first one after it; NULL when there is none. */
const struct wire_usage_point *history_at(const struct history *history, uint64_t time_ns);
const struct wire_usage_point *history_after(const struct history *history, uint64_t time_ns);
const struct wire_usage_point *history_last(const struct history *history);

void history_point(
	const struct wire_usage *usage, uint64_t time_ns, struct wire_usage_point *ret_point);
/* Whether anything but the time differs. */
bool history_differs(const struct wire_usage_point *a, const struct wire_usage_point *b);
void history_sum(struct wire_usage_point *sum, const struct wire_usage_point *part);
