/* Has the kernel asked what candidate_find() says, and keeps it so. */
#include "supervisor/core/shadow/shadow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/rows.h"
#include "supervisor/core/shadow/sums.h"

/* What is asked, or why nothing is, as records have it. */
json_t *shadow_describe(const struct sandbox *sandbox)
{
	const struct policy *policy = sandbox->shadow ? sandbox->shadow->policy : NULL;

	return json_pack("{s:s?, s:s?, s:s?, s:s*, s:s*, s:s*}", "shadow",
		sandbox->shadow_name[0] ? sandbox->shadow_name : NULL, "shadow_hash",
		policy ? policy->hash : NULL, "shadow_source",
		candidate_source_name(sandbox->shadow_source), "staged",
		sandbox->shadow && sandbox->shadow->staged[0] ? sandbox->shadow->staged : NULL,
		"staged_hash",
		sandbox->shadow && sandbox->shadow->staged[0] ? sandbox->shadow->staged_hash : NULL,
		"shadow_error", sandbox->shadow_name[0] && !policy ? sandbox->shadow_error : NULL);
}

static void drop(struct sandbox *sandbox)
{
	if (!sandbox->shadow)
		return;
	enforce_shadow_clear(sandbox->core->enforce, sandbox->slot);
	shadow_sums_close(sandbox->core, sandbox->slot, sandbox->shadow_generation,
		steal_ptr(&sandbox->shadow_asked));
	sandbox->shadow = effective_unref(sandbox->shadow);
	sandbox->shadow_generation = 0;
}

static int bind_candidate(
	struct sandbox *sandbox, const struct effective *effective, uint32_t *ret_generation)
{
	struct enforce *enforce = sandbox->core->enforce;
	int r = enforce_shadow_next(enforce, sandbox->slot, ret_generation);

	if (r == 0)
		r = names_prepare(sandbox, effective->policy, *ret_generation);
	if (r == 0)
		r = enforce_shadow_bind(enforce, sandbox->slot, effective->image, *ret_generation);
	if (r < 0)
		enforce_shadow_clear(enforce, sandbox->slot);
	return r;
}

/* Takes `effective` over. On failure none is asked. */
static int ask(struct sandbox *sandbox, struct effective *effective, struct refusal *why)
{
	_cleanup_free_ struct shadow_asked *asked = shadow_sums_open(sandbox, effective);
	uint32_t generation = 0;
	int r = asked ? 0 : -ENOMEM;

	drop(sandbox);
	if (r == 0)
		r = bind_candidate(sandbox, effective, &generation);
	if (r == -ENOSPC && shadow_sums_read(sandbox->core) == 0)
		r = bind_candidate(sandbox, effective, &generation);
	if (r < 0) {
		effective_unref(effective);
		return refuse(why, WIRE_CODE_LIMIT,
			"The kernel has no room for a candidate (%s): none is asked.",
			strerror(-r));
	}
	sandbox->shadow = effective;
	sandbox->shadow_generation = generation;
	sandbox->shadow_asked = steal_ptr(&asked);
	return 0;
}

static bool is_asked(const struct sandbox *sandbox, const struct effective *effective)
{
	return sandbox->shadow && effective &&
	       strcmp(sandbox->shadow->policy->name, effective->policy->name) == 0 &&
	       strcmp(sandbox->shadow->policy->hash, effective->policy->hash) == 0 &&
	       strcmp(sandbox->shadow->hash_asked, effective->hash_asked) == 0 &&
	       strcmp(sandbox->shadow->staged, effective->staged) == 0 &&
	       strcmp(sandbox->shadow->staged_hash, effective->staged_hash) == 0;
}

/* Asks what is to be asked. True when that is another than before, or nothing any more. */
static bool settle(struct sandbox *sandbox, bool anew, struct refusal *why, int *ret_error)
{
	bool was_asked = sandbox->shadow != NULL, is_same;
	struct candidate candidate;
	int r = candidate_find(sandbox, &candidate, why);

	is_same = is_asked(sandbox, candidate.effective) || (!was_asked && !candidate.effective);
	is_same = is_same && candidate.source == sandbox->shadow_source &&
		  strcmp(candidate.name, sandbox->shadow_name) == 0;
	sandbox->shadow_source = candidate.source;
	memcpy(sandbox->shadow_name, candidate.name, sizeof(sandbox->shadow_name));
	if (!candidate.effective) {
		drop(sandbox);
	} else if (!anew && is_asked(sandbox, candidate.effective)) {
		effective_unref(sandbox->shadow);
		sandbox->shadow = candidate.effective;
	} else {
		r = ask(sandbox, candidate.effective, why);
	}
	if (r < 0)
		snprintf(sandbox->shadow_error, sizeof(sandbox->shadow_error), "%.191s",
			why->sentence);
	*ret_error = r;
	return !is_same || (r < 0 && was_asked);
}

static int settle_and_record(struct sandbox *sandbox, bool anew, struct refusal *why)
{
	struct audit_subject subject;
	int r;

	if (!settle(sandbox, anew, why, &r))
		return r;
	sandbox_subject(sandbox, &subject);
	audit_record(sandbox->core->audit, "sandbox.shadow", &subject, shadow_describe(sandbox));
	return r;
}

void shadow_begin(struct sandbox *sandbox)
{
	struct refusal why;
	int r;

	settle(sandbox, true, &why, &r);
	if (r < 0)
		log_warning(
			"sb-%016lx has no candidate: %s", (unsigned long)sandbox->id, why.sentence);
}

void shadow_settle(struct sandbox *sandbox)
{
	struct refusal why;

	settle_and_record(sandbox, false, &why);
}

void shadow_renew(struct sandbox *sandbox)
{
	struct refusal why;

	settle_and_record(sandbox, true, &why);
}

static char *single_of(struct sandbox *sandbox, bool administrators)
{
	return administrators ? sandbox->shadow_administrators : sandbox->shadow_own;
}

static int set_single(struct sandbox *sandbox, bool administrators, const char *name)
{
	int r = store_shadow_put(sandbox->core->store, sandbox->id, administrators, name);

	if (r == 0)
		snprintf(single_of(sandbox, administrators), POLICY_NAME_SIZE, "%s", name);
	return r;
}

int sandbox_set_shadow(
	struct sandbox *sandbox, bool administrators, const char *name, struct refusal *why)
{
	struct effective *effective = NULL;
	char before[POLICY_NAME_SIZE];
	struct refusal ignored;
	int r;

	if (sandbox->phase != PHASE_CLAIMED && sandbox->phase != PHASE_RUNNING)
		return refuse(why, WIRE_CODE_CONFLICT, "The sandbox is ending or has failed.");
	if (name[0] && !administrators && candidate_check_own(sandbox, why) < 0)
		return -ECANCELED;
	if (name[0] && strcmp(name, CANDIDATE_NEVER) != 0 &&
		candidate_get(sandbox, administrators ? CANDIDATE_ADMINISTRATOR : CANDIDATE_OWN,
			name, &effective, why) < 0)
		return -ECANCELED;
	effective_unref(effective);
	core_consume_events(sandbox->core);
	memcpy(before, single_of(sandbox, administrators), sizeof(before));
	r = set_single(sandbox, administrators, name);
	if (r < 0)
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"Nothing was changed: it cannot be written down (%s).", strerror(-r));
	r = settle_and_record(sandbox, false, why);
	if (r == 0 || !name[0])
		return 0;
	if (set_single(sandbox, administrators, before) == 0)
		settle_and_record(sandbox, false, &ignored);
	return r;
}

static void restore_single(struct sandbox *sandbox, bool administrators)
{
	char *name = single_of(sandbox, administrators);
	int r = store_shadow_get(sandbox->core->store, sandbox->id, administrators, name);

	if (r < 0)
		name[0] = '\0';
	if (r < 0 && r != -ENOENT)
		log_warning("sb-%016lx: its candidate cannot be read: %s",
			(unsigned long)sandbox->id, strerror(-r));
}

void shadow_restore(struct sandbox *sandbox)
{
	restore_single(sandbox, true);
	restore_single(sandbox, false);
	enforce_shadow_clear(sandbox->core->enforce, sandbox->slot);
	shadow_renew(sandbox);
}

void shadow_forget_earlier(struct core *core)
{
	shadow_sums_fold(core);
}

void shadow_end(struct sandbox *sandbox)
{
	drop(sandbox);
}
