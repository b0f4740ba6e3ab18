#include "supervisor/core/policies/rollout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/policies/staged.h"
#include "supervisor/core/sandbox/sandbox.h"

int rollout_check(const struct rollout *rollout, const struct policy *present, struct refusal *why)
{
	const struct wire_policy_condition *condition = rollout->condition;

	if (condition->if_new && present)
		return refuse(why, WIRE_CODE_PRECONDITION,
			"There is a policy \"%s\" already; its hash is %s.", rollout->name,
			present->hash);
	if (!condition->if_hash[0])
		return 0;
	if (!present)
		return refuse(why, WIRE_CODE_PRECONDITION, "There is no policy \"%s\" yet.",
			rollout->name);
	if (strcmp(present->hash, condition->if_hash) != 0)
		return refuse(why, WIRE_CODE_PRECONDITION,
			"Policy \"%s\" is another one by now; its hash is %s. Read it, and change "
			"that.",
			rollout->name, present->hash);
	return 0;
}

/* ---- versions */

static struct store_version version_of(const struct policy *policy)
{
	struct store_version version = {.time_ns = clock_realtime_ns()};

	snprintf(version.name, sizeof(version.name), "%s", policy->name);
	snprintf(version.hash, sizeof(version.hash), "%s", policy->hash);
	snprintf(version.file_hash, sizeof(version.file_hash), "%s", policy->file_hash);
	return version;
}

/* Stops at the newest. */
static int compare_newest(const struct store_version *version, void *userdata)
{
	const struct policy *policy = userdata;

	return strcmp(version->hash, policy->hash) == 0 &&
			       strcmp(version->file_hash, policy->file_hash) == 0
		       ? -EALREADY
		       : -ENOENT;
}

static int keep(struct core *core, const struct policy *policy)
{
	struct store_version version = version_of(policy);
	int r = store_version_each(core->store, policy->name, compare_newest, (void *)policy);

	if (r == -EALREADY)
		return 0;
	return store_version_put(core->store, &version, policy->text, policy->text_size_bytes);
}

void rollout_keep_versions(struct core *core)
{
	size_t n = policies_count(core->policies);
	int r = store_begin(core->store);

	if (r < 0) {
		log_warning("versions of policies are not kept: %s", strerror(-r));
		return;
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = keep(core, policies_at(core->policies, i));
	if (r == 0)
		r = store_commit(core->store);
	else
		store_rollback(core->store);
	if (r < 0)
		log_warning("versions of policies are not kept: %s", strerror(-r));
}

/* ---- putting one in force */

static void record(struct core *core, const struct rollout *rollout, const char *before,
	const struct policy *now, const char *stage)
{
	const struct tenant *tenant = rollout->actor.tenant;
	const struct audit_subject subject = {
		.tenant = tenant->row.id, .tenant_name = tenant->row.name};
	const char *commit = rollout->condition->commit;

	audit_record(core->audit, "policy.change", &subject,
		json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s?, s:s, s:s}", "name", rollout->name,
			"by_key", rollout->actor.key_id, "remote", rollout->actor.remote,
			"hash_before", before[0] ? before : NULL, "hash", now->hash, "file_hash",
			now->file_hash, "commit", commit[0] ? commit : NULL, "stage", stage, "mode",
			policy_mode_names[now->mode]));
	audit_policy_changed(core->audit);
}

struct store_version rollout_version(const struct rollout *rollout, const struct policy *policy)
{
	struct store_version version = version_of(policy);

	snprintf(version.by_key, sizeof(version.by_key), "%s", rollout->actor.key_id);
	snprintf(version.commit, sizeof(version.commit), "%s", rollout->condition->commit);
	return version;
}

/* The version is in the store before the file is in its place, and not if that fails. */
static int write_down(struct core *core, const struct rollout *rollout,
	const struct policies_draft *draft, bool ends_staged, struct refusal *why)
{
	const struct policy *policy = policies_draft_find(draft, rollout->name);
	struct store_version version = rollout_version(rollout, policy);
	int r = store_begin(core->store);

	if (r == 0)
		r = store_version_put(core->store, &version, policy->text, policy->text_size_bytes);
	if (r == 0 && ends_staged)
		r = store_staged_delete(core->store, rollout->name);
	if (r < 0) {
		store_rollback(core->store);
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"Nothing was changed: the version cannot be kept (%s).", strerror(-r));
	}
	r = policies_draft_write(core->policies, draft, rollout->name);
	if (r < 0) {
		store_rollback(core->store);
		if (r == -EROFS || r == -EACCES || r == -EPERM)
			return refuse(why, WIRE_CODE_CONFLICT,
				"Nothing was changed: the policy directory %s cannot be written "
				"(%s). Change the file where it is kept, and reload.",
				core->config->policy_dir, strerror(-r));
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"Nothing was changed: the file cannot be written (%s).", strerror(-r));
	}
	r = store_commit(core->store);
	if (r < 0)
		log_warning(
			"a version of policy \"%s\" is not kept: %s", rollout->name, strerror(-r));
	return 0;
}

int rollout_refuse_text(const struct failure *failure, struct refusal *why)
{
	return refuse(why, WIRE_CODE_INVALID, "Nothing was changed: %s%s%s", failure->location,
		failure->location[0] ? ": " : "", failure->sentence);
}

static int put(struct core *core, const struct rollout *rollout, struct policies_draft *draft,
	const char *stage, bool ends_staged, char ret_before[POLICY_HASH_SIZE], struct refusal *why)
{
	const struct policy *present = policies_find(core->policies, rollout->name);
	struct failure failure = {0};
	int r = core_check_draft(core, draft, &failure);

	if (r < 0)
		return rollout_refuse_text(&failure, why);
	r = write_down(core, rollout, draft, ends_staged, why);
	if (r < 0)
		return r;
	if (ends_staged)
		staged_forget(core, rollout->name);
	snprintf(ret_before, POLICY_HASH_SIZE, "%s", present ? present->hash : "");
	core_enforce_draft(core, draft);
	record(core, rollout, ret_before, policies_find(core->policies, rollout->name), stage);
	return 0;
}

int rollout_put(struct core *core, const struct rollout *rollout, const char *text,
	size_t size_bytes, char ret_before[POLICY_HASH_SIZE], struct refusal *why)
{
	struct policies_draft *draft = NULL;
	struct failure failure = {0};
	int r = rollout_check(rollout, policies_find(core->policies, rollout->name), why);

	if (r < 0)
		return r;
	if (policies_draft(core->policies, rollout->name, text, size_bytes, &draft, &failure) < 0)
		return rollout_refuse_text(&failure, why);
	r = put(core, rollout, draft, "enforce", false, ret_before, why);
	if (r < 0)
		policies_draft_free(draft);
	return r;
}

int rollout_back(struct core *core, const struct rollout *rollout, const char *hash,
	char ret_before[POLICY_HASH_SIZE], struct refusal *why)
{
	_cleanup_free_ char *text = NULL;
	struct policies_draft *draft = NULL;
	struct failure failure = {0};
	size_t size_bytes = 0;
	int r = rollout_check(rollout, policies_find(core->policies, rollout->name), why);

	if (r < 0)
		return r;
	r = store_version_text(core->store, rollout->name, hash, &text, &size_bytes);
	if (r == -ENOENT)
		return refuse(why, WIRE_CODE_NOT_FOUND,
			"None of the last %d versions of policy \"%s\" has this hash.",
			STORE_VERSIONS_MAX, rollout->name);
	if (r < 0)
		return refuse(why, WIRE_CODE_UNAVAILABLE, "The version cannot be read (%s).",
			strerror(-r));
	if (policies_draft(core->policies, rollout->name, text, size_bytes, &draft, &failure) < 0)
		return rollout_refuse_text(&failure, why);
	if (strcmp(policies_draft_find(draft, rollout->name)->hash, hash) != 0)
		r = refuse(why, WIRE_CODE_CONFLICT,
			"What this version extends has changed since: it would be %s now. Roll "
			"that back first, or put a new version.",
			policies_draft_find(draft, rollout->name)->hash);
	else
		r = put(core, rollout, draft, "rollback", false, ret_before, why);
	if (r < 0)
		policies_draft_free(draft);
	return r;
}

int rollout_promote(struct core *core, const struct rollout *rollout, const struct staged *staged,
	char ret_before[POLICY_HASH_SIZE], struct refusal *why)
{
	struct policies_draft *draft = NULL;
	struct failure failure = {0};
	const char *hash;
	int r;

	if (policies_draft(core->policies, rollout->name, staged->text, staged->text_size_bytes,
		    &draft, &failure) < 0)
		return rollout_refuse_text(&failure, why);
	hash = policies_draft_find(draft, rollout->name)->hash;
	if (strcmp(hash, staged->version.hash) != 0)
		r = refuse(why, WIRE_CODE_CONFLICT,
			"What this version extends has changed since: it would be %s now. Stage it "
			"again.",
			hash);
	else
		r = put(core, rollout, draft, "enforce", true, ret_before, why);
	if (r < 0)
		policies_draft_free(draft);
	return r;
}
