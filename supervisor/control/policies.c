#include <stdio.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

void policy_fill_row(
	const struct request *request, const struct policy *policy, struct wire_policy_row *ret_row)
{
	const struct core *core = request->control->core;
	const struct tenant *scope = request_scope(request);
	struct sandbox *sandbox;
	size_t position = 0;

	*ret_row = (struct wire_policy_row){
		.n_rules = (uint32_t)policy->n_rules, .learns = policy->mode == POLICY_MODE_LEARN};
	snprintf(ret_row->name, sizeof(ret_row->name), "%s", policy->name);
	snprintf(ret_row->hash, sizeof(ret_row->hash), "%s", policy->hash);
	snprintf(ret_row->description, sizeof(ret_row->description), "%s", policy->description);
	while ((sandbox = table_next(core->sandboxes, &position))) {
		struct wire_sandbox row;
		const char *labels;

		if (!sandbox_find(core, scope, sandbox_id(sandbox)))
			continue;
		sandbox_describe(sandbox, &row, &labels);
		if (strcmp(row.policy, policy->name) == 0)
			ret_row->n_sandboxes++;
	}
}

static void answer_list(struct request *request)
{
	const struct policies *policies = request->control->core->policies;
	struct rows rows = {0};

	for (size_t i = 0; i < policies_count(policies); i++) {
		struct wire_policy_row row;

		if (rows.size + sizeof(row) + 64 > WIRE_FRAME_MAX)
			break;
		policy_fill_row(request, policies_at(policies, i), &row);
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	rows_answer(&rows, request, WIRE_API_POLICIES);
}

void handle_policy_list(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	answer_list(request);
}

void policy_answer(struct request *request, const struct policy *policy)
{
	struct wire_policy_row row;

	if (strlen(policy->canonical) + sizeof(row) + 64 > WIRE_FRAME_MAX) {
		request_fail(request, WIRE_CODE_TOO_LARGE,
			"The policy is larger than an answer may be (%d KiB). Read its file.",
			WIRE_FRAME_MAX / 1024);
		return;
	}
	policy_fill_row(request, policy, &row);
	request_answer(request, WIRE_API_POLICY, &row, sizeof(row), policy->canonical,
		strlen(policy->canonical));
}

void handle_policy_get(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	const struct policy *policy =
		WIRE_TEXT_VALID(ref->name)
			? policies_find(request->control->core->policies, ref->name)
			: NULL;

	if (!policy) {
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no such policy. GET /v1/policies lists those in force.");
		return;
	}
	policy_answer(request, policy);
}

void handle_policy_reload(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	struct failure why = {0};

	if (core_reload_policies(request->control->core, &why) < 0)
		request_fail(request, WIRE_CODE_INVALID, "Nothing was changed: %s%s%s",
			why.location, why.location[0] ? ": " : "", why.sentence);
	else
		answer_list(request);
}
