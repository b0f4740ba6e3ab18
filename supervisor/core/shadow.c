/* Which candidate is asked for a sandbox. */
#include "supervisor/core/shadow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox.h"
#include "supervisor/core/shadow-sums.h"

static void record(const struct sandbox *sandbox, const struct policy *policy)
{
	struct audit_subject subject;

	sandbox_subject(sandbox, &subject);
	audit_record(sandbox->core->audit, "sandbox.shadow", &subject,
		json_pack("{s:s?, s:s?}", "shadow", policy ? policy->name : NULL, "shadow_hash",
			policy ? policy->hash : NULL));
}

static void drop(struct sandbox *sandbox)
{
	if (!sandbox->shadow)
		return;
	shadow_sums_fold(sandbox);
	enforce_shadow_clear(sandbox->core->enforce, sandbox->slot);
	sandbox->shadow = effective_unref(sandbox->shadow);
	sandbox->shadow_generation = 0;
}

/* Takes `effective` over. On failure none is asked. */
static int ask(struct sandbox *sandbox, struct effective *effective)
{
	struct enforce *enforce = sandbox->core->enforce;
	uint32_t generation = 0;
	int r;

	drop(sandbox);
	r = enforce_shadow_next(enforce, sandbox->slot, &generation);
	if (r == 0)
		r = names_prepare(sandbox, effective->policy, generation);
	if (r == 0)
		r = enforce_shadow_bind(enforce, sandbox->slot, effective->image, generation);
	if (r < 0) {
		enforce_shadow_clear(enforce, sandbox->slot);
		effective_unref(effective);
		return r;
	}
	sandbox->shadow = effective;
	sandbox->shadow_generation = generation;
	memcpy(sandbox->shadow_beside, sandbox->effective->policy->name,
		sizeof(sandbox->shadow_beside));
	return 0;
}

static int get(const struct sandbox *sandbox, const char *name, struct effective **ret,
	struct refusal *why)
{
	return effective_get(sandbox->core->policies, sandbox->tenant->row.policy,
		sandbox->template, name, ret, why);
}

int sandbox_set_shadow(struct sandbox *sandbox, const char *name, struct refusal *why)
{
	struct effective *effective = NULL;
	int r;

	if (sandbox->phase != PHASE_CLAIMED && sandbox->phase != PHASE_RUNNING)
		return refuse(why, WIRE_CODE_CONFLICT, "The sandbox is ending or has failed.");
	if (name[0] && get(sandbox, name, &effective, why) < 0)
		return -ECANCELED;
	core_consume_events(sandbox->core);
	r = store_shadow_put(sandbox->core->store, sandbox->id, name);
	if (r < 0) {
		effective_unref(effective);
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"Nothing was changed: it cannot be written down (%s).", strerror(-r));
	}
	if (!effective) {
		drop(sandbox);
		record(sandbox, NULL);
		return 0;
	}
	r = ask(sandbox, effective);
	if (r < 0) {
		store_shadow_put(sandbox->core->store, sandbox->id, "");
		record(sandbox, NULL);
		return refuse(why, WIRE_CODE_LIMIT,
			"The kernel has no room for a candidate (%s): none is asked now.",
			strerror(-r));
	}
	record(sandbox, effective->policy);
	return 0;
}

static void renew(struct sandbox *sandbox, const char *name)
{
	struct effective *effective = NULL;
	struct refusal why;
	int r = get(sandbox, name, &effective, &why);

	if (r < 0)
		log_warning("sb-%016lx has no candidate any more: %s", (unsigned long)sandbox->id,
			why.sentence);
	else if ((r = ask(sandbox, effective)) < 0)
		log_warning("sb-%016lx has no candidate any more: %s", (unsigned long)sandbox->id,
			strerror(-r));
	if (r == 0)
		return;
	drop(sandbox);
	store_shadow_put(sandbox->core->store, sandbox->id, "");
	record(sandbox, NULL);
}

void shadow_renew(struct sandbox *sandbox)
{
	char name[POLICY_NAME_SIZE];

	if (!sandbox->shadow)
		return;
	memcpy(name, sandbox->shadow->policy->name, sizeof(name));
	renew(sandbox, name);
}

bool shadow_is_stale(const struct sandbox *sandbox)
{
	struct effective *effective = NULL;
	struct refusal why;
	bool stale;

	if (!sandbox->shadow)
		return false;
	if (get(sandbox, sandbox->shadow->policy->name, &effective, &why) < 0)
		return true;
	stale = strcmp(effective->policy->hash, sandbox->shadow->policy->hash) != 0;
	effective_unref(effective);
	return stale;
}

void shadow_restore(struct sandbox *sandbox)
{
	char name[STORE_NAME_SIZE];
	int r = store_shadow_get(sandbox->core->store, sandbox->id, name);

	enforce_shadow_clear(sandbox->core->enforce, sandbox->slot);
	if (r == 0)
		renew(sandbox, name);
	else if (r != -ENOENT)
		log_warning("sb-%016lx: its candidate cannot be read: %s",
			(unsigned long)sandbox->id, strerror(-r));
}

void shadow_end(struct sandbox *sandbox)
{
	drop(sandbox);
}
