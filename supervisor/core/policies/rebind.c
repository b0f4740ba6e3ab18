/* After a reload, living sandboxes are judged by the new policies: each gets the effective policy
 * of its names anew. One whose policy is gone, or cannot be made, keeps the one it has. */
#include <errno.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/policies/rollout.h"
#include "supervisor/core/policies/staged.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"

static void on_swapped(struct sandbox *sandbox, const struct refusal *why, void *userdata _unused_)
{
	if (!sandbox)
		log_warning("a sandbox keeps the policy that it has: %s", why->sentence);
}

/* True when the reload changed nothing for this sandbox: its generation stays. */
static bool is_unchanged(struct sandbox *sandbox)
{
	struct effective *effective = NULL;
	struct refusal why;

	if (effective_get(sandbox->core->policies, sandbox->tenant->row.policy, sandbox->template,
		    sandbox->effective->name, &effective, &why) < 0)
		return false;
	if (strcmp(effective->policy->hash, sandbox->effective->policy->hash) != 0 ||
		effective->image != sandbox->effective->image) {
		effective_unref(effective);
		return false;
	}
	effective_unref(sandbox->effective);
	sandbox->effective = effective;
	return true;
}

void sandbox_rebind_all(struct core *core)
{
	struct sandbox *sandbox;
	size_t position = 0;

	while ((sandbox = table_next(core->sandboxes, &position))) {
		if (sandbox->phase != PHASE_CLAIMED && sandbox->phase != PHASE_RUNNING)
			continue;
		if (!is_unchanged(sandbox))
			sandbox_set_policy(sandbox, sandbox->effective->name, on_swapped, NULL);
		shadow_settle(sandbox);
	}
}

/* So many changes fit into one record; of more it says how many there were. */
#define CHANGES_SHOWN_MAX 64

struct changes {
	json_t *list;
	size_t n;
};

static void add_change(const struct policy *before, const struct policy *after, void *userdata)
{
	struct changes *changes = userdata;

	if (changes->n++ < CHANGES_SHOWN_MAX)
		json_array_append_new(changes->list,
			json_pack("{s:s, s:s?, s:s?, s:s?}", "name", (after ? after : before)->name,
				"hash_before", before ? before->hash : NULL, "hash",
				after ? after->hash : NULL, "file_hash",
				after ? after->file_hash : NULL));
}

static void record_load(struct core *core, const struct policies_draft *draft)
{
	struct changes changes = {.list = json_array()};

	policies_draft_compare(core->policies, draft, add_change, &changes);
	audit_record(core->audit, "policy.reload", NULL,
		json_pack("{s:b, s:I, s:I, s:o}", "ok", 1, "policies",
			(json_int_t)policies_draft_count(draft), "n_changes", (json_int_t)changes.n,
			"changes", changes.list));
}

void core_enforce_draft(struct core *core, struct policies_draft *draft)
{
	record_load(core, draft);
	policies_draft_enforce(core->policies, draft);
	staged_remake(core);
	sandbox_rebind_all(core);
	shadow_sums_tidy(core);
	rollout_keep_versions(core);
}

int core_check_draft(
	const struct core *core, const struct policies_draft *draft, struct failure *why)
{
	for (const struct tenant *tenant = tenants_first(core->tenants); tenant;
		tenant = tenant->next) {
		const struct policy *bound = policies_draft_find(draft, tenant->row.policy);

		if (bound && bound->mode == POLICY_MODE_LEARN)
			return failure_set(why, -EINVAL, "policies",
				"Policy \"%s\" binds tenant \"%s\", so it cannot be in mode "
				"\"learn\": nothing would hold.",
				bound->name, tenant->row.name);
	}
	return 0;
}

int core_reload_policies(struct core *core, struct failure *why)
{
	struct policies_draft *draft = NULL;
	int r = policies_draft(core->policies, NULL, NULL, 0, &draft, why);

	if (r == 0)
		r = core_check_draft(core, draft, why);
	if (r == 0)
		core_enforce_draft(core, steal_ptr(&draft));
	else
		audit_record(core->audit, "policy.reload", NULL,
			json_pack("{s:b, s:s, s:s}", "ok", 0, "error", why->sentence, "location",
				why->location));
	policies_draft_free(draft);
	audit_policy_changed(core->audit);
	return r;
}
