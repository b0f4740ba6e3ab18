#include "supervisor/core/policies/staged.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"

const struct staged *staged_find(const struct core *core, const char *name)
{
	for (const struct staged *each = core->staged; each; each = each->next)
		if (strcmp(each->version.name, name) == 0)
			return each;
	return NULL;
}

const struct policy *staged_policy(const struct staged *staged)
{
	return staged->draft ? policies_draft_find(staged->draft, staged->version.name) : NULL;
}

static struct staged *free_one(struct core *core, struct staged *staged)
{
	if (!staged)
		return NULL;
	if (staged->draft)
		policies_draft_retire(core->policies, staged->draft);
	free(staged->text);
	free(staged);
	return NULL;
}

void staged_forget(struct core *core, const char *name)
{
	for (struct staged **link = &core->staged; *link; link = &(*link)->next) {
		struct staged *staged = *link;

		if (strcmp(staged->version.name, name) != 0)
			continue;
		*link = staged->next;
		free_one(core, staged);
		return;
	}
}

void staged_free_all(struct core *core)
{
	while (core->staged) {
		struct staged *staged = core->staged;

		core->staged = staged->next;
		free_one(core, staged);
	}
}

static struct staged *new_one(
	const struct store_version *version, const char *text, size_t size_bytes)
{
	struct staged *staged = calloc(1, sizeof(*staged));

	if (!staged)
		return NULL;
	staged->text = malloc(size_bytes + 1);
	if (!staged->text) {
		free(staged);
		return NULL;
	}
	memcpy(staged->text, text, size_bytes);
	staged->text[size_bytes] = '\0';
	staged->text_size_bytes = size_bytes;
	staged->version = *version;
	return staged;
}

/* What was reviewed has a hash; what has another now is not that. */
static void make_draft(struct core *core, struct staged *staged)
{
	const char *name = staged->version.name;
	struct failure why = {0};
	const struct policy *policy;

	staged->error[0] = '\0';
	if (policies_draft_over(core->policies, name, staged->text, staged->text_size_bytes,
		    &staged->draft, &why) < 0) {
		staged->draft = NULL;
		snprintf(staged->error, sizeof(staged->error), "It does not fit any more: %.150s",
			why.sentence);
		return;
	}
	policy = staged_policy(staged);
	if (policy && strcmp(policy->hash, staged->version.hash) == 0)
		return;
	snprintf(staged->error, sizeof(staged->error),
		"What it extends has changed since: it would be %s now. Stage it again.",
		policy ? policy->hash : "none");
	staged->draft = policies_draft_retire(core->policies, staged->draft);
}

static void record_misfit(struct core *core, const struct staged *staged)
{
	log_warning("the staged version of policy \"%s\" is not asked: %s", staged->version.name,
		staged->error);
	audit_record(core->audit, "policy.change", NULL,
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", staged->version.name, "hash",
			staged->version.hash, "file_hash", staged->version.file_hash, "stage",
			"shadow", "error", staged->error));
}

void staged_remake(struct core *core)
{
	for (struct staged *each = core->staged; each; each = each->next) {
		bool fitted = each->draft != NULL;

		if (each->draft)
			each->draft = policies_draft_retire(core->policies, each->draft);
		make_draft(core, each);
		if (fitted && !each->draft)
			record_misfit(core, each);
	}
}

static int restore(
	const struct store_version *version, const char *text, size_t size_bytes, void *userdata)
{
	struct core *core = userdata;
	struct staged *staged = new_one(version, text, size_bytes);

	if (!staged)
		return -ENOMEM;
	make_draft(core, staged);
	if (!staged->draft)
		record_misfit(core, staged);
	staged->next = core->staged;
	core->staged = staged;
	return 0;
}

int staged_start(struct core *core, struct failure *why)
{
	int r = store_staged_each(core->store, restore, core);

	return r < 0 ? failure_set(why, r, "policies", "the staged versions cannot be read") : 0;
}

/* ---- who is asked */

static int meet_of(
	const struct sandbox *sandbox, const struct staged *staged, char ret_hash[POLICY_HASH_SIZE])
{
	return policies_draft_meet(sandbox->core->policies, staged->draft,
		sandbox->tenant->row.policy, sandbox->template, sandbox->effective->name, ret_hash);
}

/* True also when the meet could not be made. */
static bool changes(const struct sandbox *sandbox, const struct staged *staged)
{
	char hash[POLICY_HASH_SIZE];

	return staged->draft && meet_of(sandbox, staged, hash) > 0 &&
	       strcmp(hash, sandbox->effective->policy->hash) != 0;
}

int staged_candidate(
	const struct sandbox *sandbox, struct effective **ret_effective, struct refusal *why)
{
	for (const struct staged *each = sandbox->core->staged; each; each = each->next) {
		int r;

		if (!changes(sandbox, each))
			continue;
		r = effective_get_drafted(sandbox->core->policies, each->draft,
			sandbox->tenant->row.policy, sandbox->template, sandbox->effective->name,
			ret_effective, why);
		return r < 0 ? r : 1;
	}
	return 0;
}

static bool is_asked(const struct sandbox *sandbox, const struct staged *staged)
{
	return sandbox->shadow && strcmp(sandbox->shadow->staged, staged->version.name) == 0 &&
	       strcmp(sandbox->shadow->staged_hash, staged->version.hash) == 0;
}

void staged_count(const struct core *core, const struct staged *staged, const struct tenant *tenant,
	uint32_t *ret_asked, uint32_t *ret_not_asked)
{
	const struct sandbox *sandbox;
	size_t position = 0;

	*ret_asked = *ret_not_asked = 0;
	while ((sandbox = table_next(core->sandboxes, &position))) {
		if ((sandbox->phase != PHASE_CLAIMED && sandbox->phase != PHASE_RUNNING) ||
			(tenant && sandbox->tenant != tenant))
			continue;
		if (is_asked(sandbox, staged))
			++*ret_asked;
		else if (changes(sandbox, staged))
			++*ret_not_asked;
	}
}

/* ---- changing them */

static void record(struct core *core, const struct rollout *rollout,
	const struct store_version *version, const char *before, const char *stage)
{
	const struct tenant *tenant = rollout->actor.tenant;
	const struct audit_subject subject = {
		.tenant = tenant->row.id, .tenant_name = tenant->row.name};
	const struct staged *staged = staged_find(core, version->name);
	json_t *details = json_pack("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s?, s:s}", "name",
		version->name, "by_key", rollout->actor.key_id, "remote", rollout->actor.remote,
		"hash_before", before[0] ? before : NULL, "hash", version->hash, "file_hash",
		version->file_hash, "commit", version->commit[0] ? version->commit : NULL, "stage",
		stage);
	uint32_t n_asked, n_not_asked;

	if (staged && staged_policy(staged))
		json_object_set_new(details, "mode",
			json_string(policy_mode_names[staged_policy(staged)->mode]));
	if (staged) {
		staged_count(core, staged, NULL, &n_asked, &n_not_asked);
		json_object_set_new(details, "asked", json_integer(n_asked));
		json_object_set_new(details, "not_asked", json_integer(n_not_asked));
	}
	audit_record(core->audit, "policy.change", &subject, details);
}

static int check_room(const struct core *core, const char *name, struct refusal *why)
{
	size_t n = 0;

	if (staged_find(core, name))
		return 0;
	for (const struct staged *each = core->staged; each; each = each->next)
		n++;
	return n < STAGED_MAX ? 0
			      : refuse(why, WIRE_CODE_LIMIT,
					"%d policies have a staged version, the most that may "
					"have one. Put one in force, or drop it.",
					STAGED_MAX);
}

static int make_staged(struct core *core, const struct rollout *rollout, const char *text,
	size_t size_bytes, struct staged **ret_staged, struct refusal *why)
{
	struct policies_draft *draft = NULL;
	struct store_version version;
	struct failure failure = {0};
	struct staged *staged;

	if (policies_draft_over(core->policies, rollout->name, text, size_bytes, &draft, &failure) <
		0)
		return rollout_refuse_text(&failure, why);
	if (core_check_draft(core, draft, &failure) < 0) {
		policies_draft_free(draft);
		return rollout_refuse_text(&failure, why);
	}
	version = rollout_version(rollout, policies_draft_find(draft, rollout->name));
	staged = new_one(&version, text, size_bytes);
	if (!staged) {
		policies_draft_free(draft);
		return refuse(why, WIRE_CODE_INTERNAL, "Out of memory.");
	}
	staged->draft = draft;
	*ret_staged = staged;
	return 0;
}

int staged_put(struct core *core, const struct rollout *rollout, const char *text,
	size_t size_bytes, char ret_before[POLICY_HASH_SIZE], struct refusal *why)
{
	const struct policy *present = policies_find(core->policies, rollout->name);
	struct staged *staged = NULL;
	int r = rollout_check(rollout, present, why);

	if (r == 0)
		r = check_room(core, rollout->name, why);
	if (r == 0)
		r = make_staged(core, rollout, text, size_bytes, &staged, why);
	if (r < 0)
		return r;
	r = store_staged_put(core->store, &staged->version, text, size_bytes);
	if (r < 0) {
		free_one(core, staged);
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"Nothing was changed: it cannot be kept (%s).", strerror(-r));
	}
	staged_forget(core, rollout->name);
	staged->next = core->staged;
	core->staged = staged;
	snprintf(ret_before, POLICY_HASH_SIZE, "%s", present ? present->hash : "");
	shadow_settle_all(core);
	record(core, rollout, &staged->version, ret_before, "shadow");
	return 0;
}

static int find(const struct core *core, const char *name, const char *hash,
	const struct staged **ret_staged, struct refusal *why)
{
	*ret_staged = staged_find(core, name);
	if (!*ret_staged)
		return refuse(why, WIRE_CODE_NOT_FOUND,
			"Policy \"%s\" has no staged version. POST it with ?stage=shadow.", name);
	if (hash[0] && strcmp((*ret_staged)->version.hash, hash) != 0)
		return refuse(why, WIRE_CODE_PRECONDITION,
			"The staged version of policy \"%s\" is another one; its hash is %s.", name,
			(*ret_staged)->version.hash);
	return 0;
}

int staged_enforce(struct core *core, const struct rollout *rollout, const char *hash,
	char ret_before[POLICY_HASH_SIZE], struct refusal *why)
{
	struct wire_policy_condition condition = *rollout->condition;
	struct rollout promoted = *rollout;
	const struct staged *staged;
	int r = rollout_check(rollout, policies_find(core->policies, rollout->name), why);

	if (r == 0)
		r = find(core, rollout->name, hash, &staged, why);
	if (r < 0)
		return r;
	if (!condition.commit[0])
		memcpy(condition.commit, staged->version.commit, sizeof(condition.commit));
	promoted.condition = &condition;
	return rollout_promote(core, &promoted, staged, ret_before, why);
}

int staged_drop(
	struct core *core, const struct rollout *rollout, const char *hash, struct refusal *why)
{
	const struct policy *present = policies_find(core->policies, rollout->name);
	const struct staged *staged;
	struct store_version version;
	int r = find(core, rollout->name, hash, &staged, why);

	if (r < 0)
		return r;
	r = store_staged_delete(core->store, rollout->name);
	if (r < 0)
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"Nothing was changed: it cannot be written down (%s).", strerror(-r));
	version = staged->version;
	staged_forget(core, rollout->name);
	shadow_settle_all(core);
	record(core, rollout, &version, present ? present->hash : "", "drop");
	return 0;
}
