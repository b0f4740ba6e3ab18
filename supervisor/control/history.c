/* Usage between two points in time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

#define SLACK_NS (2 * HISTORY_FINE_NS) /* "since" is what it was when the question was written */

/* Whom a row is about, and what was used until now. */
struct owner {
	const struct tenant *tenant; /* NULL: the host */
	struct sandbox *sandbox;     /* NULL: all of the tenant */
	struct wire_usage_point now;
};

static int look(const struct core *core, const struct owner *owner, uint64_t time_ns,
	struct wire_usage_point *ret_point)
{
	if (owner->sandbox) {
		record_sandbox_at(owner->sandbox, time_ns, &owner->now, ret_point);
		return 0;
	}
	if (owner->tenant)
		return record_tenant_at(core, owner->tenant, time_ns, &owner->now, ret_point);
	return record_host_at(core, time_ns, &owner->now, ret_point);
}

static int add_row(struct rows *rows, const struct core *core, const struct owner *owner,
	uint64_t since_ns, uint64_t until_ns)
{
	struct wire_history_row row = {.sandbox = owner->sandbox ? sandbox_id(owner->sandbox) : 0};
	int r = look(core, owner, since_ns, &row.begin);

	if (r == 0)
		r = look(core, owner, until_ns, &row.end);
	if (r < 0)
		return r;
	if (owner->tenant)
		snprintf(row.tenant, sizeof(row.tenant), "%s", owner->tenant->row.name);
	rows_add(rows, &row, sizeof(row), NULL, 0);
	return 0;
}

static void answer(struct request *request, struct rows *rows, int r)
{
	if (r == 0) {
		rows_answer(rows, request, WIRE_API_HISTORY_REPLY);
		return;
	}
	free(rows->bytes);
	request_fail(request, WIRE_CODE_INTERNAL, "The history cannot be read: %s.", strerror(-r));
}

/* A row for each step, the last one maybe shorter. */
static void series(
	struct request *request, const struct wire_history_query *query, const struct owner *owner)
{
	const struct core *core = request->control->core;
	uint64_t step_ns = query->step_ns ? query->step_ns : query->until_ns - query->since_ns;
	uint64_t at_ns = query->since_ns + query->cursor * step_ns;
	struct rows rows = {0};
	int r = 0;

	for (uint32_t i = 0; i < WIRE_PAGE_MAX && at_ns < query->until_ns && r == 0; i++) {
		uint64_t end_ns =
			at_ns + step_ns < query->until_ns ? at_ns + step_ns : query->until_ns;

		r = add_row(&rows, core, owner, at_ns, end_ns);
		at_ns += step_ns;
	}
	if (at_ns < query->until_ns)
		rows.page.next_cursor = query->cursor + WIRE_PAGE_MAX;
	answer(request, &rows, r);
}

static void sum_up(
	const struct sandbox *sandbox _unused_, const struct wire_usage *usage, void *userdata)
{
	usage_add(userdata, usage);
}

static void of_tenant(struct request *request, const struct wire_history_query *query,
	const struct tenant *tenant, uint64_t now_ns)
{
	struct core *core = request->control->core;
	struct owner owner = {.tenant = tenant};
	struct wire_usage usage = tenant->ended;

	usage_each(core, tenant, sum_up, &usage);
	history_point(&usage, now_ns, &owner.now);
	series(request, query, &owner);
}

static void of_host(
	struct request *request, const struct wire_history_query *query, uint64_t now_ns)
{
	struct core *core = request->control->core;
	struct owner owner = {.now.time_ns = now_ns};

	tenants_usage(core);
	for (const struct tenant *each = tenants_first(core->tenants); each; each = each->next) {
		struct wire_usage_point point;

		history_point(&each->now, now_ns, &point);
		history_sum(&owner.now, &point);
	}
	series(request, query, &owner);
}

static void of_sandbox(
	struct request *request, const struct wire_history_query *query, uint64_t now_ns)
{
	struct owner owner = {.sandbox = sandbox_find(request->control->core,
				      request_scope(request), query->sandbox)};
	struct wire_usage usage;

	if (!owner.sandbox || sandbox_usage(owner.sandbox, &usage) < 0) {
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no sandbox sb-%016lx, or it has ended: then its totals are kept, "
			"its history is not.",
			(unsigned long)query->sandbox);
		return;
	}
	owner.tenant = sandbox_tenant(owner.sandbox);
	history_point(&usage, now_ns, &owner.now);
	series(request, query, &owner);
}

/* A page of tenants, in order of id; see usage.c. */
static void of_tenants(
	struct request *request, const struct wire_history_query *query, uint64_t now_ns)
{
	struct core *core = request->control->core;
	uint32_t n = 0;
	struct rows rows = {0};
	int r = 0;
	uint64_t last = query->cursor;
	const struct tenant *each;

	tenants_usage(core);
	while (r == 0 && (each = tenants_next(core->tenants, last))) {
		struct owner owner = {.tenant = each};

		if (n++ == WIRE_PAGE_MAX) {
			rows.page.next_cursor = last;
			break;
		}
		last = each->row.id;
		history_point(&each->now, now_ns, &owner.now);
		r = add_row(&rows, core, &owner, query->since_ns, query->until_ns);
	}
	answer(request, &rows, r);
}

static void of_sandboxes(struct request *request, const struct wire_history_query *query,
	const struct tenant *tenant, uint64_t now_ns)
{
	struct core *core = request->control->core;
	size_t n = 0;
	uint64_t *ids = sandbox_ids(core, tenant, query->cursor, &n);
	struct rows rows = {.failed = !ids};
	int r = 0;

	for (size_t i = 0; i < n && i < WIRE_PAGE_MAX && r == 0; i++) {
		struct owner owner = {.sandbox = sandbox_find(core, tenant, ids[i])};
		struct wire_usage usage;

		if (sandbox_usage(owner.sandbox, &usage) < 0)
			continue;
		owner.tenant = sandbox_tenant(owner.sandbox);
		history_point(&usage, now_ns, &owner.now);
		r = add_row(&rows, core, &owner, query->since_ns, query->until_ns);
	}
	if (n > WIRE_PAGE_MAX)
		rows.page.next_cursor = ids[WIRE_PAGE_MAX - 1];
	free(ids);
	answer(request, &rows, r);
}

static bool is_one(uint32_t scope)
{
	return scope == WIRE_USAGE_TENANT || scope == WIRE_USAGE_SANDBOX ||
	       scope == WIRE_USAGE_HOST;
}

/* Returns false when the range was refused. Sets `until_ns`. */
static bool check_range(struct request *request, struct wire_history_query *query, uint64_t now_ns)
{
	bool of_sandboxes_only =
		query->scope == WIRE_USAGE_SANDBOX || query->scope == WIRE_USAGE_SANDBOXES;
	uint64_t kept_ns = of_sandboxes_only ? HISTORY_HOUR_NS : HISTORY_WEEK_NS;
	uint64_t finest_ns = of_sandboxes_only ? HISTORY_SANDBOX_NS : HISTORY_FINE_NS;
	const char *why = NULL;

	/* A moment ago is now: no point is that new. */
	if (query->until_ns == 0 || query->until_ns + NS_PER_SECOND > now_ns)
		query->until_ns = now_ns;
	if (!of_sandboxes_only && query->since_ns + HISTORY_HOUR_NS + SLACK_NS < now_ns)
		finest_ns = HISTORY_COARSE_NS;
	if (query->since_ns >= now_ns)
		why = "\"since\" lies in the future";
	else if (query->since_ns >= query->until_ns)
		why = "\"until\" must be later than \"since\"";
	else if (query->since_ns + kept_ns + SLACK_NS < now_ns)
		why = of_sandboxes_only ? "the history of sandboxes goes back an hour"
					: "history goes back seven days";
	else if (query->step_ns && !is_one(query->scope))
		why = "\"step\" is for one tenant, one sandbox or the host";
	else if (query->step_ns && query->step_ns < finest_ns)
		why = of_sandboxes_only ? "\"step\" of a sandbox is 60 s at least"
		      : finest_ns == HISTORY_FINE_NS
			      ? "\"step\" is 10 s at least"
			      : "\"step\" is 300 s at least for what is older than an hour";
	else if (query->step_ns &&
		 (query->until_ns - query->since_ns) / query->step_ns >= HISTORY_STEPS_MAX)
		why = "that is more than 2016 steps";
	if (why)
		request_fail(request, WIRE_CODE_INVALID, "query: %s", why);
	return !why;
}

static void dispatch(struct request *request, const struct wire_history_query *query,
	const struct tenant *tenant, uint64_t now_ns)
{
	switch ((enum wire_usage_scope)query->scope) {
	case WIRE_USAGE_SANDBOX:
		of_sandbox(request, query, now_ns);
		return;
	case WIRE_USAGE_TENANT:
		of_tenant(request, query, tenant, now_ns);
		return;
	case WIRE_USAGE_SANDBOXES:
		of_sandboxes(request, query,
			query->name[0] || request_scope(request) ? tenant : NULL, now_ns);
		return;
	case WIRE_USAGE_TENANTS:
	case WIRE_USAGE_HOST:
		if (request_scope(request))
			request_fail(request, WIRE_CODE_FORBIDDEN,
				"Only an administrator's key may see all tenants; yours speaks for "
				"\"%s\".",
				request->key->tenant->row.name);
		else if (query->scope == WIRE_USAGE_HOST)
			of_host(request, query, now_ns);
		else
			of_tenants(request, query, now_ns);
		return;
	case WIRE_USAGE_LABELS:
		break;
	}
	request_fail(request, WIRE_CODE_INVALID, "Labels have totals, and no history.");
}

void handle_history(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	struct wire_history_query query;
	const uint64_t now_ns = clock_realtime_ns();
	const struct tenant *tenant = NULL;

	memcpy(&query, body, sizeof(query));
	explicit_bzero(&query.caller, sizeof(query.caller));
	if (!WIRE_TEXT_VALID(query.name)) {
		request_fail(request, WIRE_CODE_INVALID, "The tenant's name is not a text.");
		return;
	}
	if (query.scope == WIRE_USAGE_TENANT || query.scope == WIRE_USAGE_SANDBOXES) {
		tenant = usage_find_tenant(request, query.name);
		if (!tenant)
			return;
	}
	if (check_range(request, &query, now_ns))
		dispatch(request, &query, tenant, now_ns);
}
