/* Looking at a sandbox: finding it, describing it. */
#include "supervisor/core/sandbox/sandbox.h"

#include "supervisor/core/policies/audit-set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/wire/strings.h"

bool sandbox_is_somebodys(const struct sandbox *sandbox)
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

	if (!sandbox || !sandbox_is_somebodys(sandbox) || (tenant && sandbox->tenant != tenant))
		return NULL;
	return sandbox;
}

static int by_id(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

uint64_t *sandbox_ids(
	const struct core *core, const struct tenant *tenant, uint64_t cursor, size_t *ret_n)
{
	uint64_t *ids = calloc(table_count(core->sandboxes) + 1, sizeof(*ids));
	size_t position = 0, n = 0;
	struct sandbox *sandbox;

	while (ids && (sandbox = table_next(core->sandboxes, &position)))
		if (sandbox_id(sandbox) > cursor && sandbox_find(core, tenant, sandbox_id(sandbox)))
			ids[n++] = sandbox_id(sandbox);
	if (n > 0)
		qsort(ids, n, sizeof(*ids), by_id);
	*ret_n = n;
	return ids;
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
		.shadow_source = (uint8_t)sandbox->shadow_source,
		.limits = sandbox->limits,
		.n_labels = sandbox->n_labels,
		.tail_size = (uint32_t)sandbox->labels_size};
	snprintf(ret_row->tenant, sizeof(ret_row->tenant), "%s", sandbox->tenant->row.name);
	snprintf(ret_row->template, sizeof(ret_row->template), "%s", sandbox->template);
	snprintf(ret_row->policy, sizeof(ret_row->policy), "%s", sandbox->effective->name);
	if (sandbox->effective->learns)
		snprintf(ret_row->judged_by, sizeof(ret_row->judged_by), "%s", policy->name);
	snprintf(ret_row->policy_hash, sizeof(ret_row->policy_hash), "%s", policy->hash);
	snprintf(ret_row->shadow, sizeof(ret_row->shadow), "%s", sandbox->shadow_name);
	if (sandbox->shadow)
		snprintf(ret_row->shadow_hash, sizeof(ret_row->shadow_hash), "%s",
			sandbox->shadow->policy->hash);
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
		if (sandbox->effective->learns)
			ret_subject->policy_learns = sandbox->effective->name;
	}
}

int sandbox_set_audit(struct sandbox *sandbox, const struct policy *policy)
{
	struct enforce *enforce = sandbox->core->enforce;
	int r = enforce_slot_set_rate(enforce, sandbox->slot, policy->audit.rate);

	return r == 0 && policy_audits_calls(policy) ? enforce_audit_begin(enforce, sandbox->slot)
						     : r;
}

int sandbox_syscalls(const struct sandbox *sandbox, struct abi_audited *ret_counts)
{
	if (!sandbox->has_slot)
		return -ENOENT;
	return enforce_slot_syscalls(sandbox->core->enforce, sandbox->slot, ret_counts);
}

void core_name_call(const struct core *core, uint32_t number, char ret_name[32])
{
	strcpy(ret_name, number < ABI_SYSCALL_OTHER ? core->call_names->names[number] : "");
}

int sandbox_set_budgets(struct sandbox *sandbox, const struct policy *policy)
{
	struct enforce *enforce = sandbox->core->enforce;
	int r = enforce_slot_set_tenant(enforce, sandbox->slot, sandbox->tenant->budget_row);

	if (r < 0)
		return r;
	return enforce_slot_set_budgets(enforce, sandbox->slot, policy->budgets.limits,
		policy->budgets.per_seconds * NS_PER_SECOND);
}
