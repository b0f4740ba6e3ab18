/* What sandboxes and tenants have used. Almost all of it is the kernel's own counters; what has to
 * be worked out here is kept in the slot's ledger, which a restart of this process does not touch.
 *
 * Memory over time is the integral of the memory cgroup's charge by the trapezoidal rule: sampled
 * at the claim, then SAMPLES_PER_S sandboxes each second in turn, at each question, and before the
 * sandbox is killed. Between two samples that lie T apart it is wrong by at most T times how far
 * memory left the line between them; T is one second up to SAMPLES_PER_S sandboxes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"

#define TICK_MS 100
#define TICKS_PER_S (1000 / TICK_MS)
#define SAMPLES_PER_S 500
/* Reading all of one sandbox's numbers takes some 50 µs. A question about many reads so many, and
 * of the others tells what was last read, which the sampler keeps about this young. */
#define FRESH_MAX 256
#define SNAPSHOT_NS (10 * NS_PER_SECOND)

_Static_assert(WIRE_BUDGETS == ABI_BUDGET_COUNTERS, "one for one");

/* Goes on over a restart of this process, as the ledger does. */
static uint64_t boottime_ms(void)
{
	return clock_read_ns(CLOCK_BOOTTIME) / NS_PER_MS;
}

void usage_begin(struct sandbox *sandbox)
{
	struct abi_ledger *ledger = enforce_slot_ledger(sandbox->core->enforce, sandbox->slot);
	struct cgroup_usage cgroup = {0};

	if (!ledger || cgroup_read_cpu(&sandbox->cgroup, &cgroup) < 0 ||
		cgroup_read_memory(&sandbox->cgroup, &cgroup.memory_bytes) < 0)
		return;
	ledger->cpu_base_ns = cgroup.cpu_ns;
	ledger->cpu_user_base_ns = cgroup.cpu_user_ns;
	ledger->cpu_system_base_ns = cgroup.cpu_system_ns;
	ledger->sampled_kib = cgroup.memory_bytes / 1024;
	ledger->sampled_boottime_ms = boottime_ms();
}

/* In this order, so that a process killed in between leaves a moment counted twice, not a gap. */
static void integrate(struct abi_ledger *ledger, uint64_t memory_bytes)
{
	uint64_t now_ms = boottime_ms(), kib = memory_bytes / 1024;

	if (ledger->sampled_boottime_ms && now_ms > ledger->sampled_boottime_ms)
		ledger->memory_kib_ms +=
			(ledger->sampled_kib + kib) * (now_ms - ledger->sampled_boottime_ms) / 2;
	ledger->sampled_kib = kib;
	ledger->sampled_boottime_ms = now_ms;
}

void usage_sample(struct sandbox *sandbox)
{
	struct abi_ledger *ledger;
	uint64_t bytes;

	if (!sandbox->has_slot || sandbox->phase == PHASE_FAILED)
		return;
	ledger = enforce_slot_ledger(sandbox->core->enforce, sandbox->slot);
	if (ledger && cgroup_read_memory(&sandbox->cgroup, &bytes) == 0)
		integrate(ledger, bytes);
}

static void fill_budgets(struct wire_usage *usage, const struct enforce_budgets *budgets)
{
	for (size_t i = 0; i < WIRE_BUDGETS; i++)
		usage->budgets[i] = (struct wire_budget){budgets->limits[i], budgets->used[i]};
	usage->budget_window_seconds = budgets->window_ns / NS_PER_SECOND;
}

static void fill_cgroup(
	struct wire_usage *usage, const struct cgroup_usage *cgroup, struct abi_ledger *ledger)
{
	usage->cpu_ns = cgroup->cpu_ns - ledger->cpu_base_ns;
	usage->cpu_user_ns = cgroup->cpu_user_ns - ledger->cpu_user_base_ns;
	usage->cpu_system_ns = cgroup->cpu_system_ns - ledger->cpu_system_base_ns;
	usage->memory_bytes = cgroup->memory_bytes;
	usage->memory_peak_bytes = cgroup->memory_peak_bytes;
	usage->oom_kills = cgroup->oom_kills;
	integrate(ledger, cgroup->memory_bytes);
	usage->memory_mib_ms = ledger->memory_kib_ms / 1024;
}

static void fill_counters(struct wire_usage *usage, const struct abi_counters *counters)
{
	usage->bytes_sent = counters->bytes_sent;
	usage->bytes_received = counters->bytes_received;
	usage->packets_sent = counters->packets_sent;
	usage->packets_received = counters->packets_received;
	usage->connections_allowed = counters->connections_allowed;
	usage->connections_denied = counters->connections_denied;
	usage->execs = counters->execs;
	usage->dns_queries = counters->dns_queries;
	usage->forks = counters->n_forks;
	usage->syscalls = counters->n_syscalls;
	usage->syscalls_refused = counters->n_refused;
}

int sandbox_usage(struct sandbox *sandbox, struct wire_usage *ret_usage)
{
	struct enforce *enforce = sandbox->core->enforce;
	struct abi_ledger *ledger;
	struct wire_usage usage = {.n_sandboxes = 1};
	struct enforce_budgets budgets;
	struct abi_counters counters;
	struct cgroup_usage cgroup;
	int r;

	if (sandbox->phase == PHASE_FAILED) {
		*ret_usage = sandbox->last_usage;
		return 0;
	}
	ledger = enforce_slot_ledger(enforce, sandbox->slot);
	r = ledger ? cgroup_read_usage(&sandbox->cgroup, &cgroup) : -ESTALE;
	if (r == 0)
		r = enforce_slot_counters(enforce, sandbox->slot, &counters);
	if (r == 0)
		r = enforce_slot_budgets(enforce, sandbox->slot, &budgets);
	if (r == 0)
		r = enforce_slot_block(enforce, sandbox->slot, &usage.block_read_bytes,
			&usage.block_written_bytes);
	if (r < 0)
		return r;
	fill_cgroup(&usage, &cgroup, ledger);
	fill_counters(&usage, &counters);
	fill_budgets(&usage, &budgets);
	usage.wall_ns = clock_realtime_ns() - sandbox->created_ns;
	sandbox->snapshot = *ret_usage = usage;
	sandbox->snapshot_ns = clock_monotonic_ns();
	return 0;
}

void usage_each(const struct core *core, const struct tenant *tenant,
	void (*callback)(
		const struct sandbox *sandbox, const struct wire_usage *usage, void *userdata),
	void *userdata)
{
	size_t position = 0, n_fresh = 0;
	struct sandbox *sandbox;

	while ((sandbox = table_next(core->sandboxes, &position))) {
		struct wire_usage usage;
		bool fresh;

		if ((tenant && sandbox->tenant != tenant) || !sandbox_is_somebodys(sandbox))
			continue;
		fresh = sandbox->snapshot_ns == 0 || n_fresh++ < FRESH_MAX;
		if (!fresh || sandbox_usage(sandbox, &usage) < 0)
			usage = sandbox->snapshot;
		callback(sandbox, &usage, userdata);
	}
}

static void add_living(
	const struct sandbox *sandbox _unused_, const struct wire_usage *usage, void *userdata)
{
	usage_add(userdata, usage);
}

void tenant_usage(
	const struct core *core, const struct tenant *tenant, struct wire_usage *ret_usage)
{
	*ret_usage = tenant->ended;
	usage_each(core, tenant, add_living, ret_usage);
}

static void add_to_tenant(
	const struct sandbox *sandbox, const struct wire_usage *usage, void *userdata _unused_)
{
	usage_add(&sandbox->tenant->now, usage);
}

void tenants_usage(const struct core *core)
{
	for (struct tenant *each = tenants_first(core->tenants); each; each = each->next)
		each->now = each->ended;
	usage_each(core, NULL, add_to_tenant, NULL);
}

static void look(struct sandbox *sandbox)
{
	struct wire_usage usage;

	if (clock_monotonic_ns() - sandbox->snapshot_ns < SNAPSHOT_NS)
		usage_sample(sandbox);
	else if (sandbox_usage(sandbox, &usage) < 0)
		return;
	record_sandbox(sandbox);
}

/* Some sandboxes in turn. Others may come and go between two rounds, and so one may be passed over
 * once: its next sample then spans two intervals. */
static void on_tick(struct loop_source *source _unused_, void *userdata)
{
	struct core *core = userdata;
	size_t n = (table_count(core->sandboxes) + TICKS_PER_S - 1) / TICKS_PER_S;
	struct sandbox *sandbox;

	if (n > SAMPLES_PER_S / TICKS_PER_S)
		n = SAMPLES_PER_S / TICKS_PER_S;
	while (n-- > 0) {
		sandbox = table_next(core->sandboxes, &core->sample_position);
		if (!sandbox) {
			core->sample_position = 0;
			return;
		}
		if (sandbox_is_somebodys(sandbox))
			look(sandbox);
	}
}

int usage_start(struct core *core)
{
	int r = loop_add_timer(core->loop, on_tick, core, &core->usage_timer);

	return r < 0 ? r : loop_timer_arm(core->usage_timer, TICK_MS, TICK_MS);
}
