/* Changing policies, for administrators. The document is parsed here, in the privileged process:
 * only after its sender was found to be an administrator, who could write the file as well. */
#include "supervisor/core/policies/rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/core/policies/staged.h"
#include "supervisor/wire/strings.h"

#define HEX "0123456789abcdef"

static bool is_hash(const char *text)
{
	return strlen(text) == WIRE_HASH_SIZE - 1 && strspn(text, HEX) == WIRE_HASH_SIZE - 1;
}

static bool condition_is_valid(const struct wire_policy_condition *condition)
{
	size_t length;

	if (!WIRE_TEXT_VALID(condition->if_hash) || !WIRE_TEXT_VALID(condition->commit))
		return false;
	length = strlen(condition->commit);
	if (length > 0 && (length < 7 || strspn(condition->commit, HEX) != length))
		return false;
	return !condition->if_hash[0] || is_hash(condition->if_hash);
}

static struct rollout rollout_of(const struct request *request, const struct wire_caller *caller,
	const char *name, const struct wire_policy_condition *condition)
{
	return (struct rollout){.name = name,
		.actor = {request->key->tenant, request->key->row.id, caller->remote},
		.condition = condition};
}

static void answer(struct request *request, const char *name, const char *before)
{
	const struct policy *policy = policies_find(request->control->core->policies, name);
	struct wire_policy_changed changed = {0};

	policy_fill_row(request, policy, &changed.row);
	snprintf(changed.hash_before, sizeof(changed.hash_before), "%s", before);
	snprintf(changed.file_hash, sizeof(changed.file_hash), "%s", policy->file_hash);
	ports_review(request->control);
	request_answer(request, WIRE_API_POLICY_CHANGED, &changed, sizeof(changed), NULL, 0);
}

static void stage(
	struct request *request, const struct rollout *rollout, const char *tail, size_t tail_size)
{
	char before[POLICY_HASH_SIZE];
	struct refusal why;

	if (staged_put(request->control->core, rollout, tail, tail_size, before, &why) < 0)
		request_refuse(request, &why);
	else
		staged_answer(request, rollout->name, before);
}

void handle_policy_put(
	struct request *request, const void *body, const char *tail, size_t tail_size)
{
	const struct wire_policy_put *put = body;
	const struct rollout rollout =
		rollout_of(request, &put->caller, put->name, &put->condition);
	char before[POLICY_HASH_SIZE];
	struct refusal why;

	if (!WIRE_TEXT_VALID(put->name) || !condition_is_valid(&put->condition))
		request_fail(request, WIRE_CODE_INVALID,
			"A hash has 64, a commit 7 to 64 of 0-9 and a-f.");
	else if (put->stage == WIRE_STAGE_SHADOW)
		stage(request, &rollout, tail, tail_size);
	else if (put->stage != WIRE_STAGE_ENFORCE)
		request_fail(request, WIRE_CODE_INVALID, "There is no such stage.");
	else if (rollout_put(request->control->core, &rollout, tail, tail_size, before, &why) < 0)
		request_refuse(request, &why);
	else
		answer(request, put->name, before);
}

typedef int (*rollout_by_hash)(struct core *core, const struct rollout *rollout, const char *hash,
	char ret_before[POLICY_HASH_SIZE], struct refusal *why);

static void put_by_hash(
	struct request *request, const struct wire_policy_rollback *back, rollout_by_hash verb)
{
	const struct rollout rollout =
		rollout_of(request, &back->caller, back->name, &back->condition);
	char before[POLICY_HASH_SIZE];
	struct refusal why;

	if (!WIRE_TEXT_VALID(back->name) || !WIRE_TEXT_VALID(back->hash) || !is_hash(back->hash) ||
		!condition_is_valid(&back->condition))
		request_fail(request, WIRE_CODE_INVALID,
			"A hash has 64, a commit 7 to 64 of 0-9 and a-f.");
	else if (verb(request->control->core, &rollout, back->hash, before, &why) < 0)
		request_refuse(request, &why);
	else
		answer(request, back->name, before);
}

void handle_policy_rollback(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	put_by_hash(request, body, rollout_back);
}

void handle_policy_promote(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	put_by_hash(request, body, staged_enforce);
}

static int add_version(const struct store_version *version, void *userdata)
{
	struct wire_policy_version row = {.time_ns = version->time_ns};
	struct rows *rows = userdata;

	snprintf(row.hash, sizeof(row.hash), "%s", version->hash);
	snprintf(row.file_hash, sizeof(row.file_hash), "%s", version->file_hash);
	snprintf(row.commit, sizeof(row.commit), "%s", version->commit);
	snprintf(row.by_key, sizeof(row.by_key), "%s", version->by_key);
	rows_add(rows, &row, sizeof(row), NULL, 0);
	return 0;
}

void handle_policy_versions(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	struct wire_policy_staged staged = {.time_ns = 0};
	struct rows rows = {0};
	int r = 0;

	if (WIRE_TEXT_VALID(ref->name)) {
		staged_fill_row(request, ref->name, &staged);
		rows_add(&rows, &staged, sizeof(staged), NULL, 0);
		r = store_version_each(
			request->control->core->store, ref->name, add_version, &rows);
	}
	if (r < 0 || (rows.page.n_rows <= 1 && !staged.hash[0])) {
		free(rows.bytes);
		request_fail(request, r < 0 ? WIRE_CODE_UNAVAILABLE : WIRE_CODE_NOT_FOUND,
			r < 0 ? "The versions cannot be read." : "There is no such policy.");
		return;
	}
	rows_answer(&rows, request, WIRE_API_POLICY_VERSIONS_REPLY);
}
