/* Budgets of whole tenants. The kernel counts and keeps them, in maps that outlive this process;
 * the store has the limits, and what was used for the day when the maps are made anew: after an
 * orderly end, a reboot, or an upgrade. It is stored every ten seconds and when a sandbox ends, so
 * a power cut gives back what was used since. */
#include <errno.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"

#define SAVE_PERIOD_MS 10000

_Static_assert((int)STORE_BUDGETS == (int)ABI_BUDGET_COUNTERS &&
		       (int)WIRE_BUDGETS == (int)ABI_BUDGET_COUNTERS,
	"the same four");
_Static_assert(TENANTS_MAX < ABI_TENANT_BUDGETS_MAX, "a row for each");

static bool has_budgets(const struct store_budgets *budgets)
{
	for (size_t i = 0; i < STORE_BUDGETS; i++)
		if (budgets->limits[i])
			return true;
	return false;
}

/* A window that was over before the maps were lost gives back what was used in it. */
static int restore(struct core *core, const struct tenant *tenant)
{
	const struct store_budgets *budgets = &tenant->budgets;
	uint64_t now_ns = clock_realtime_ns();
	uint64_t age_ns = now_ns > budgets->started_ns ? now_ns - budgets->started_ns : 0;

	return enforce_tenant_restore(core->enforce, tenant->budget_row, budgets->used, age_ns);
}

static int take_row(struct core *core, struct tenant *tenant)
{
	bool found = false;
	int r = enforce_tenant_take(core->enforce, tenant->row.id, &tenant->budget_row, &found);

	if (r == 0)
		r = enforce_tenant_set_budgets(core->enforce, tenant->budget_row,
			tenant->budgets.limits, tenant->budgets.per_seconds * NS_PER_SECOND);
	if (r == 0 && !found && has_budgets(&tenant->budgets))
		r = restore(core, tenant);
	return r;
}

static void read_used(
	const struct core *core, const struct tenant *tenant, struct store_budgets *ret_budgets)
{
	struct enforce_budgets now = {.age_ns = 0};

	*ret_budgets = tenant->budgets;
	if (enforce_tenant_budgets(core->enforce, tenant->budget_row, &now) < 0)
		return;
	memcpy(ret_budgets->used, now.used, sizeof(ret_budgets->used));
	ret_budgets->started_ns = clock_realtime_ns() - now.age_ns;
}

void tenant_save_budgets(struct core *core, struct tenant *tenant)
{
	struct store_budgets budgets;
	int r;

	if (!has_budgets(&tenant->budgets))
		return;
	read_used(core, tenant, &budgets);
	if (memcmp(budgets.used, tenant->budgets.used, sizeof(budgets.used)) == 0)
		return;
	r = store_budgets_put(core->store, tenant->row.id, &budgets);
	if (r < 0)
		log_warning("what tenant %s used of its budgets was not stored: %s",
			tenant->row.name, strerror(-r));
	else
		tenant->budgets = budgets;
}

static void on_save(struct loop_source *source _unused_, void *userdata)
{
	struct core *core = userdata;

	for (struct tenant *each = tenants_first(core->tenants); each; each = each->next)
		tenant_save_budgets(core, each);
}

static bool is_known(uint32_t tenant, void *userdata)
{
	const struct core *core = userdata;

	return tenants_get(core->tenants, tenant) != NULL;
}

int tenant_budgets_start(struct core *core, struct failure *why)
{
	int r = 0;

	enforce_tenant_sweep(core->enforce, is_known, core);
	for (struct tenant *each = tenants_first(core->tenants); each && r == 0;
		each = each->next) {
		r = store_budgets_get(core->store, each->row.id, &each->budgets);
		if (r == 0 || r == -ENOENT)
			r = take_row(core, each);
	}
	if (r == 0)
		r = loop_add_timer(core->loop, on_save, core, &core->budgets_timer);
	if (r == 0)
		r = loop_timer_arm(core->budgets_timer, SAVE_PERIOD_MS, SAVE_PERIOD_MS);
	return r < 0 ? failure_set(why, r, "budgets", "those of tenants cannot be restored") : 0;
}

static bool is_valid(const struct wire_budget_limits *wanted)
{
	bool any = false;

	for (size_t i = 0; i < WIRE_BUDGETS; i++) {
		bool bytes = i == ABI_BUDGET_BYTES_OUT || i == ABI_BUDGET_BYTES_IN;
		uint64_t limit = wanted->limits[i];

		any = any || limit;
		if (limit && bytes &&
			(limit < WIRE_BUDGET_BYTES_MIN || limit > WIRE_BUDGET_BYTES_MAX))
			return false;
		if (limit && !bytes && limit > WIRE_BUDGET_COUNT_MAX)
			return false;
	}
	return wanted->per_seconds <= WIRE_BUDGET_SECONDS_MAX && (any || !wanted->per_seconds);
}

int tenant_set_budgets(struct core *core, struct tenant *tenant,
	const struct wire_budget_limits *wanted, struct refusal *why)
{
	struct store_budgets budgets;
	int r = tenant->budget_row ? 0 : take_row(core, tenant);

	if (r == 0 && !wanted->is_given)
		return 0;
	if (!is_valid(wanted))
		return refuse(why, WIRE_CODE_INVALID, "Those are no budgets.");
	read_used(core, tenant, &budgets);
	memcpy(budgets.limits, wanted->limits, sizeof(budgets.limits));
	budgets.per_seconds = wanted->per_seconds;
	if (r == 0)
		r = store_budgets_put(core->store, tenant->row.id, &budgets);
	if (r == 0)
		r = enforce_tenant_set_budgets(core->enforce, tenant->budget_row, budgets.limits,
			budgets.per_seconds * NS_PER_SECOND);
	if (r < 0)
		return refuse(
			why, WIRE_CODE_UNAVAILABLE, "The budgets were not set: %s.", strerror(-r));
	tenant->budgets = budgets;
	return 0;
}

void tenant_drop_budgets(struct core *core, struct tenant *tenant)
{
	enforce_tenant_release(core->enforce, tenant->budget_row);
	tenant->budget_row = 0;
}

void tenant_show_budgets(const struct core *core, const struct tenant *tenant,
	struct wire_budget ret_budgets[WIRE_BUDGETS], uint64_t *ret_window_seconds)
{
	struct enforce_budgets now = {.window_ns = 0};

	enforce_tenant_budgets(core->enforce, tenant->budget_row, &now);
	for (size_t i = 0; i < WIRE_BUDGETS; i++)
		ret_budgets[i] = (struct wire_budget){now.limits[i], now.used[i]};
	*ret_window_seconds = now.window_ns / NS_PER_SECOND;
}
