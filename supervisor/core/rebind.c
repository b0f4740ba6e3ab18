/* After a reload, living sandboxes are judged by the new policies: each gets the effective policy
 * of its names anew. One whose policy is gone, or cannot be made, keeps the one it has. */
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox.h"

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
		    sandbox->effective->policy->name, &effective, &why) < 0)
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

	while ((sandbox = table_next(core->sandboxes, &position)))
		if ((sandbox->phase == PHASE_CLAIMED || sandbox->phase == PHASE_RUNNING) &&
			!is_unchanged(sandbox))
			sandbox_set_policy(
				sandbox, sandbox->effective->policy->name, on_swapped, NULL);
}

int core_reload_policies(struct core *core, struct failure *why)
{
	int r = policies_reload(core->policies, why);

	if (r == 0)
		sandbox_rebind_all(core);
	audit_record(core->audit, "policy.reload", NULL,
		r == 0 ? json_pack("{s:b, s:I}", "ok", 1, "policies",
				 (json_int_t)policies_count(core->policies))
		       : json_pack("{s:b, s:s, s:s}", "ok", 0, "error", why->sentence, "location",
				 why->location));
	audit_policy_changed(core->audit);
	return r;
}
