/* Recording usage over time, and looking it up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"

#define HOST 0 /* no tenant's id */
#define FINE_POINTS ((uint32_t)(HISTORY_HOUR_NS / HISTORY_FINE_NS))
#define SANDBOX_POINTS ((uint32_t)(HISTORY_HOUR_NS / HISTORY_SANDBOX_NS))

void record_sandbox(struct sandbox *sandbox)
{
	const struct wire_usage_point *last = history_last(&sandbox->history);
	const uint64_t now_ns = clock_realtime_ns();
	struct wire_usage_point point;

	if (last && now_ns >= last->time_ns && now_ns - last->time_ns < HISTORY_SANDBOX_NS)
		return;
	history_point(&sandbox->snapshot, now_ns, &point);
	history_add(&sandbox->history, SANDBOX_POINTS, &point);
}

/* A ring where there is room for one more; one whose last point is older than an hour goes. */
static void add_fine(struct core *core, struct history *history,
	const struct wire_usage_point *point, bool is_new)
{
	const struct wire_usage_point *last = history_last(history);

	if (last && !is_new) {
		if (point->time_ns - last->time_ns > HISTORY_HOUR_NS) {
			history_fini(history);
			core->n_histories--;
		}
		return;
	}
	if (history->room == 0) {
		if (core->n_histories >= HISTORY_RINGS_MAX)
			return;
		core->n_histories++;
	}
	history_add(history, FINE_POINTS, point);
}

static int add_coarse(struct core *core, uint32_t tenant, const struct wire_usage_point *point,
	struct wire_usage_point *stored)
{
	int r;

	if (stored->time_ns && !history_differs(stored, point))
		return 0;
	r = store_sample_put(core->store, tenant, point->time_ns, point, sizeof(*point));
	if (r == 0)
		*stored = *point;
	return r;
}

static int record_all(struct core *core, uint64_t now_ns, bool coarse)
{
	struct wire_usage_point host = {.time_ns = now_ns}, point;
	const struct wire_usage_point *last;
	int r = 0;

	tenants_usage(core);
	for (struct tenant *each = tenants_first(core->tenants); each; each = each->next) {
		history_point(&each->now, now_ns, &point);
		history_sum(&host, &point);
		last = history_last(&each->history);
		add_fine(core, &each->history, &point,
			each->n_sandboxes > 0 || (last && history_differs(last, &point)));
		if (coarse && r == 0)
			r = add_coarse(core, each->row.id, &point, &each->stored);
	}
	history_add(&core->history, FINE_POINTS, &host);
	if (coarse && r == 0)
		r = add_coarse(core, HOST, &host, &core->stored);
	return r;
}

static void on_time(struct loop_source *source _unused_, void *userdata)
{
	struct core *core = userdata;
	const uint64_t now_ns = clock_realtime_ns();
	bool coarse =
		now_ns - core->stored.time_ns >= HISTORY_COARSE_NS || now_ns < core->stored.time_ns;
	int r = coarse ? store_begin(core->store) : 0;

	if (r < 0)
		coarse = false;
	r = record_all(core, now_ns, coarse);
	if (!coarse)
		return;
	core->stored.time_ns = now_ns;
	if (r == 0)
		r = store_sample_expire(core->store, now_ns - HISTORY_WEEK_NS - HISTORY_COARSE_NS);
	if (r == 0)
		r = store_commit(core->store);
	if (r < 0) {
		store_rollback(core->store);
		log_warning("usage over time was not stored: %s", strerror(-r));
	}
}

int history_start(struct core *core)
{
	int r = loop_add_timer(core->loop, on_time, core, &core->record_timer);

	return r < 0 ? r : loop_timer_arm(core->record_timer, 0, HISTORY_FINE_NS / NS_PER_MS);
}

/* ---- looking it up */

/* What was had at `time_ns`: the later of what the ring and the store have. */
static int look_at(const struct core *core, const struct history *history, uint32_t tenant,
	uint64_t time_ns, struct wire_usage_point *ret_point)
{
	const struct wire_usage_point *fine = history_at(history, time_ns);
	struct wire_usage_point coarse;
	int r = store_sample_at(core->store, tenant, time_ns, &coarse, sizeof(coarse));

	if (r < 0 && r != -ENOENT)
		return r;
	if (!fine && r == -ENOENT)
		return -ENOENT;
	*ret_point = fine && (r == -ENOENT || fine->time_ns >= coarse.time_ns) ? *fine : coarse;
	ret_point->time_ns = time_ns; /* it held until then */
	return 0;
}

static int look_after(const struct core *core, const struct history *history, uint32_t tenant,
	uint64_t time_ns, struct wire_usage_point *ret_point)
{
	const struct wire_usage_point *fine = history_after(history, time_ns);
	struct wire_usage_point coarse;
	int r = store_sample_after(core->store, tenant, time_ns, &coarse, sizeof(coarse));

	if (r < 0 && r != -ENOENT)
		return r;
	if (!fine && r == -ENOENT)
		return -ENOENT;
	*ret_point = fine && (r == -ENOENT || fine->time_ns <= coarse.time_ns) ? *fine : coarse;
	return 0;
}

static int look(const struct core *core, const struct history *history, uint32_t tenant,
	uint64_t born_ns, uint64_t time_ns, const struct wire_usage_point *now,
	struct wire_usage_point *ret_point)
{
	int r;

	if (time_ns >= now->time_ns) {
		*ret_point = *now;
		return 0;
	}
	if (time_ns <= born_ns) {
		*ret_point = (struct wire_usage_point){.time_ns = time_ns};
		return 0;
	}
	r = look_at(core, history, tenant, time_ns, ret_point);
	if (r == -ENOENT) /* older than what is known of it: from there on */
		r = look_after(core, history, tenant, time_ns, ret_point);
	if (r == -ENOENT) {
		*ret_point = *now;
		r = 0;
	}
	return r;
}

int record_tenant_at(const struct core *core, const struct tenant *tenant, uint64_t time_ns,
	const struct wire_usage_point *now, struct wire_usage_point *ret_point)
{
	return look(core, &tenant->history, tenant->row.id, tenant->row.created_ns, time_ns, now,
		ret_point);
}

int record_host_at(const struct core *core, uint64_t time_ns, const struct wire_usage_point *now,
	struct wire_usage_point *ret_point)
{
	return look(core, &core->history, HOST, 0, time_ns, now, ret_point);
}

void record_sandbox_at(const struct sandbox *sandbox, uint64_t time_ns,
	const struct wire_usage_point *now, struct wire_usage_point *ret_point)
{
	const struct wire_usage_point *found;

	*ret_point = *now;
	if (time_ns >= now->time_ns)
		return;
	if (time_ns <= sandbox->created_ns) {
		*ret_point = (struct wire_usage_point){.time_ns = time_ns};
		return;
	}
	found = history_at(&sandbox->history, time_ns);
	if (found) {
		*ret_point = *found;
		ret_point->time_ns = time_ns;
		return;
	}
	found = history_after(&sandbox->history, time_ns);
	if (found)
		*ret_point = *found;
}
