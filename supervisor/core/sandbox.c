/* Looking at a sandbox: finding it, describing it, what it used. */
#include "supervisor/core/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/wire/strings.h"

static bool is_somebodys(const struct sandbox *sandbox)
{
	switch (sandbox->phase) {
	case PHASE_CLAIMED:
	case PHASE_RUNNING:
	case PHASE_FAILED:
	case PHASE_STOPPING:
		return sandbox->tenant != NULL;
	case PHASE_MAKING:
	case PHASE_WARM:
	case PHASE_CLAIMING:
		return false;
	}
	return false;
}

struct sandbox *sandbox_find(const struct core *core, const struct tenant *tenant, uint64_t id)
{
	struct sandbox *sandbox = table_get(core->sandboxes, id);

	if (!sandbox || !is_somebodys(sandbox) || (tenant && sandbox->tenant != tenant))
		return NULL;
	return sandbox;
}

uint64_t sandbox_id(const struct sandbox *sandbox)
{
	return sandbox->id;
}

const struct tenant *sandbox_tenant(const struct sandbox *sandbox)
{
	return sandbox->tenant;
}

static enum wire_sandbox_state state_of(const struct sandbox *sandbox)
{
	switch (sandbox->phase) {
	case PHASE_MAKING:
	case PHASE_WARM:
		return WIRE_SANDBOX_WARM;
	case PHASE_CLAIMING:
	case PHASE_CLAIMED:
		return WIRE_SANDBOX_CLAIMED;
	case PHASE_RUNNING:
		return WIRE_SANDBOX_RUNNING;
	case PHASE_STOPPING:
		return WIRE_SANDBOX_STOPPING;
	case PHASE_FAILED:
		return WIRE_SANDBOX_FAILED;
	}
	return WIRE_SANDBOX_GONE;
}

void sandbox_describe(
	const struct sandbox *sandbox, struct wire_sandbox *ret_row, const char **ret_labels)
{
	const struct policy *policy = sandbox->effective->policy;

	*ret_row = (struct wire_sandbox){.sandbox = sandbox->id,
		.created_ns = sandbox->created_ns,
		.expires_ns = sandbox->expires_ns,
		.state = state_of(sandbox),
		.generation = sandbox->generation,
		.warm = sandbox->warm,
		.limits = sandbox->limits,
		.n_labels = sandbox->n_labels,
		.tail_size = (uint32_t)sandbox->labels_size};
	snprintf(ret_row->tenant, sizeof(ret_row->tenant), "%s", sandbox->tenant->row.name);
	snprintf(ret_row->template, sizeof(ret_row->template), "%s", sandbox->template);
	snprintf(ret_row->policy, sizeof(ret_row->policy), "%s", policy->name);
	snprintf(ret_row->policy_hash, sizeof(ret_row->policy_hash), "%s", policy->hash);
	snprintf(ret_row->reason, sizeof(ret_row->reason), "%s", sandbox->reason);
	*ret_labels = sandbox->labels;
}

static bool has_label(const struct sandbox *sandbox, const char *label)
{
	const char *cursor = sandbox->labels;

	for (uint32_t i = 0; i < sandbox->n_labels; i++)
		if (strcmp(wire_strings_next(&cursor), label) == 0)
			return true;
	return false;
}

bool sandbox_has_labels(const struct sandbox *sandbox, const char *labels, uint32_t n_labels)
{
	for (uint32_t i = 0; i < n_labels; i++)
		if (!has_label(sandbox, wire_strings_next(&labels)))
			return false;
	return true;
}

void sandbox_subject(const struct sandbox *sandbox, struct audit_subject *ret_subject)
{
	*ret_subject = (struct audit_subject){.sandbox = sandbox->id};
	if (sandbox->tenant) {
		ret_subject->tenant = sandbox->tenant->row.id;
		ret_subject->tenant_name = sandbox->tenant->row.name;
	}
	if (sandbox->effective) {
		ret_subject->policy_name = sandbox->effective->policy->name;
		ret_subject->policy_hash = sandbox->effective->policy->hash;
		ret_subject->policy_generation = sandbox->generation;
	}
}

int sandbox_set_budgets(struct sandbox *sandbox, const struct policy *policy)
{
	return enforce_slot_set_budgets(sandbox->core->enforce, sandbox->slot,
		policy->budgets.limits, policy->budgets.per_seconds * NS_PER_SECOND);
}

_Static_assert(WIRE_BUDGETS == ABI_BUDGET_COUNTERS, "one for one");

static void fill_budgets(struct wire_usage *usage, const struct enforce_budgets *budgets)
{
	for (size_t i = 0; i < WIRE_BUDGETS; i++)
		usage->budgets[i] = (struct wire_budget){budgets->limits[i], budgets->used[i]};
	usage->budget_window_seconds = budgets->window_ns / NS_PER_SECOND;
}

int sandbox_usage(const struct sandbox *sandbox, struct wire_usage *ret_usage)
{
	struct enforce_budgets budgets;
	struct abi_counters counters;
	struct cgroup_usage cgroup;
	int r;

	if (sandbox->phase == PHASE_FAILED) {
		*ret_usage = sandbox->last_usage;
		return 0;
	}
	r = cgroup_read_usage(&sandbox->cgroup, &cgroup);
	if (r == 0)
		r = enforce_slot_counters(sandbox->core->enforce, sandbox->slot, &counters);
	if (r == 0)
		r = enforce_slot_budgets(sandbox->core->enforce, sandbox->slot, &budgets);
	if (r < 0)
		return r;
	*ret_usage = (struct wire_usage){.cpu_ns = cgroup.cpu_ns,
		.cpu_user_ns = cgroup.cpu_user_ns,
		.cpu_system_ns = cgroup.cpu_system_ns,
		.memory_bytes = cgroup.memory_bytes,
		.memory_peak_bytes = cgroup.memory_peak_bytes,
		.bytes_sent = counters.bytes_sent,
		.bytes_received = counters.bytes_received,
		.packets_sent = counters.packets_sent,
		.packets_received = counters.packets_received,
		.connections_allowed = counters.connections_allowed,
		.connections_denied = counters.connections_denied,
		.execs = counters.execs,
		.oom_kills = cgroup.oom_kills,
		.n_sandboxes = 1};
	fill_budgets(ret_usage, &budgets);
	ret_usage->wall_ns = clock_realtime_ns() - sandbox->created_ns;
	return 0;
}

void tenant_usage(
	const struct core *core, const struct tenant *tenant, struct wire_usage *ret_usage)
{
	size_t position = 0;
	struct sandbox *sandbox;

	*ret_usage = tenant->ended;
	while ((sandbox = table_next(core->sandboxes, &position))) {
		struct wire_usage usage;

		if (sandbox->tenant == tenant && is_somebodys(sandbox) &&
			sandbox_usage(sandbox, &usage) == 0)
			usage_add(ret_usage, &usage);
	}
}
