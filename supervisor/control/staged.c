/* Staged versions of policies, for administrators. As in rollout.c, documents are parsed here. */
#include "supervisor/core/policies/staged.h"

#include <stdio.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

void staged_fill_row(
	const struct request *request, const char *name, struct wire_policy_staged *ret_row)
{
	const struct tenant *scope = request_scope(request);
	const struct core *core = request->control->core;
	const struct staged *staged = staged_find(core, name);

	*ret_row = (struct wire_policy_staged){.time_ns = 0};
	if (!staged)
		return;
	ret_row->time_ns = staged->version.time_ns;
	snprintf(ret_row->hash, sizeof(ret_row->hash), "%s", staged->version.hash);
	snprintf(ret_row->file_hash, sizeof(ret_row->file_hash), "%s", staged->version.file_hash);
	snprintf(ret_row->error, sizeof(ret_row->error), "%s", staged->error);
	staged_count(core, staged, scope, &ret_row->n_asked, &ret_row->n_not_asked);
	if (scope)
		return;
	snprintf(ret_row->commit, sizeof(ret_row->commit), "%s", staged->version.commit);
	snprintf(ret_row->by_key, sizeof(ret_row->by_key), "%s", staged->version.by_key);
}

void staged_answer(struct request *request, const char *name, const char *before)
{
	const struct core *core = request->control->core;
	const struct staged *staged = staged_find(core, name);
	struct wire_policy_changed changed = {.is_staged = 1};

	policy_fill_row(request, staged_policy(staged), &changed.row);
	snprintf(changed.hash_before, sizeof(changed.hash_before), "%s", before);
	snprintf(changed.file_hash, sizeof(changed.file_hash), "%s", staged->version.file_hash);
	staged_count(core, staged, NULL, &changed.n_asked, &changed.n_not_asked);
	request_answer(request, WIRE_API_POLICY_CHANGED, &changed, sizeof(changed), NULL, 0);
}

void handle_policy_drop(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_policy_rollback *drop = body;
	const struct rollout rollout = {.name = drop->name,
		.actor = {request->key->tenant, request->key->row.id, drop->caller.remote},
		.condition = &drop->condition};
	struct refusal why;

	if (!WIRE_TEXT_VALID(drop->name) || !WIRE_TEXT_VALID(drop->hash))
		request_fail(request, WIRE_CODE_INVALID, "A name or a hash is not a text.");
	else if (staged_drop(request->control->core, &rollout, drop->hash, &why) < 0)
		request_refuse(request, &why);
	else
		request_done(request);
}

void handle_policy_get_staged(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	const struct staged *staged =
		WIRE_TEXT_VALID(ref->name) ? staged_find(request->control->core, ref->name) : NULL;

	if (!staged)
		request_fail(
			request, WIRE_CODE_NOT_FOUND, "There is no staged version of this policy.");
	else if (!staged_policy(staged))
		request_fail(request, WIRE_CODE_CONFLICT, "%s", staged->error);
	else
		policy_answer(request, staged_policy(staged));
}
