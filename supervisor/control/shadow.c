#include "supervisor/core/shadow/shadow.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/control/request.h"
#include "supervisor/core/policies/staged.h"
#include "supervisor/wire/policies.h"
#include "supervisor/wire/strings.h"

_Static_assert((int)WIRE_SHADOW_AGREED == (int)ABI_SHADOW_AGREED &&
		       (int)WIRE_SHADOW_WOULD_DENY == (int)ABI_SHADOW_WOULD_DENY &&
		       (int)WIRE_SHADOW_WOULD_ALLOW == (int)ABI_SHADOW_WOULD_ALLOW,
	"outcomes are the same numbers on the wire");

struct sums {
	struct rows rows;
	bool is_staged;
};

static void add_sum(const struct shadow_sum *sum, void *userdata)
{
	struct sums *sums = userdata;
	struct wire_shadow_sum row = {.outcome = sum->outcome,
		.rule = sum->rule,
		.n = sum->n,
		.example_sandbox = sum->example_sandbox,
		.example_ns = sum->example_ns,
		.is_staged = sums->is_staged};

	if (sums->rows.size + sizeof(row) + 64 > WIRE_FRAME_MAX) {
		sums->rows.page.next_cursor = 1;
		return;
	}
	snprintf(row.policy, sizeof(row.policy), "%s", sum->policy);
	snprintf(row.example, sizeof(row.example), "%s", sum->example);
	rows_add(&sums->rows, &row, sizeof(row), NULL, 0);
}

static int add_all(struct request *request, const char *name, struct sums *sums)
{
	struct core *core = request->control->core;
	const struct policy *policy = policies_find(core->policies, name);
	const struct staged *staged = staged_find(core, name);
	int r = 0;

	if (policy)
		r = shadow_sums_each(core, request_scope(request), policy, NULL, add_sum, sums);
	sums->is_staged = true;
	if (r == 0 && staged && staged->draft)
		r = shadow_sums_each(core, request_scope(request), staged_policy(staged),
			staged->draft, add_sum, sums);
	return r;
}

void handle_shadow_sums(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	const struct core *core = request->control->core;
	struct wire_policy_staged staged;
	struct sums sums = {.is_staged = false};

	if (!WIRE_TEXT_VALID(ref->name) ||
		(!policies_find(core->policies, ref->name) && !staged_find(core, ref->name))) {
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no such policy. GET /v1/policies lists those in force.");
		return;
	}
	staged_fill_row(request, ref->name, &staged);
	rows_add(&sums.rows, &staged, sizeof(staged), NULL, 0);
	if (add_all(request, ref->name, &sums) < 0) {
		free(sums.rows.bytes);
		request_fail(request, WIRE_CODE_UNAVAILABLE, "The counts cannot be read now.");
		return;
	}
	rows_answer(&sums.rows, request, WIRE_API_SHADOW_SUMS_REPLY);
}
