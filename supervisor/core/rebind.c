/* After a reload, living sandboxes are judged by the new policies: each gets the effective policy
 * of its names anew. One whose policy is gone, or cannot be made, keeps the one it has. */
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox.h"

static void rebind(struct sandbox *sandbox)
{
	struct core *core = sandbox->core;
	struct effective *effective = NULL;
	struct failure failure = {0};
	struct refusal why;
	int r = effective_get(core->policies, sandbox->tenant->row.policy,
		sandbox->effective->policy->name, &effective, &why);

	if (r < 0) {
		log_warning("sb-%016lx keeps its policy \"%s\": %s", (unsigned long)sandbox->id,
			sandbox->effective->policy->name, why.sentence);
		return;
	}
	if (strcmp(effective->policy->hash, sandbox->effective->policy->hash) == 0 &&
		effective->image == sandbox->effective->image) {
		effective_unref(sandbox->effective);
		sandbox->effective = effective;
		return;
	}
	r = policy_has_network(effective->policy) ? egress_listen(sandbox, &failure) : 0;
	if (r == 0)
		r = enforce_slot_bind(core->enforce, sandbox->slot, sandbox->tenant->row.id,
			sandbox->gate_port, effective->image, &sandbox->generation);
	if (r < 0) {
		log_error("sb-%016lx keeps its policy \"%s\": %s", (unsigned long)sandbox->id,
			sandbox->effective->policy->name, strerror(-r));
		effective_unref(effective);
		return;
	}
	effective_unref(sandbox->effective);
	sandbox->effective = effective;
}

void sandbox_rebind_all(struct core *core)
{
	struct sandbox *sandbox;
	size_t position = 0;

	while ((sandbox = table_next(core->sandboxes, &position)))
		if (sandbox->phase == PHASE_CLAIMED || sandbox->phase == PHASE_RUNNING)
			rebind(sandbox);
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
	return r;
}
