#include "supervisor/core/shadow/shadow.h"

#include <errno.h>
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
	snprintf(row.part, sizeof(row.part), "%s", sum->part);
	rows_add(&sums->rows, &row, sizeof(row), NULL, 0);
}

static void add_all(const struct request *request, const char *name, struct sums *sums)
{
	const struct core *core = request->control->core;
	const struct policy *policy = policies_find(core->policies, name);
	const struct staged *staged = staged_find(core, name);

	if (policy)
		shadow_sums_each(core, request_scope(request), policy, NULL, add_sum, sums);
	sums->is_staged = true;
	if (staged && staged->draft)
		shadow_sums_each(core, request_scope(request), staged_policy(staged), staged->draft,
			add_sum, sums);
}

static bool is_known(const struct core *core, const char *name)
{
	return policies_find(core->policies, name) || staged_find(core, name);
}

/* By what was just read: 0 or -errno. */
static void answer(struct request *request, const char *name, int r)
{
	struct wire_policy_staged staged;
	struct sums sums = {.is_staged = false};

	if (!is_known(request->control->core, name)) {
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no such policy. GET /v1/policies lists those in force.");
		return;
	}
	if (r < 0) {
		request_fail(request, WIRE_CODE_UNAVAILABLE, "The counts cannot be read now.");
		return;
	}
	staged_fill_row(request, name, &staged);
	rows_add(&sums.rows, &staged, sizeof(staged), NULL, 0);
	add_all(request, name, &sums);
	rows_answer(&sums.rows, request, WIRE_API_SHADOW_SUMS_REPLY);
}

static int read_sums(struct core *core)
{
	core_consume_events(core);
	return shadow_sums_read(core);
}

void handle_shadow_sums(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	const char *name = WIRE_TEXT_VALID(ref->name) ? ref->name : "";
	struct core *core = request->control->core;
	int r = is_known(core, name) ? read_sums(core) : 0;

	if (r == -EAGAIN)
		snprintf(request->sums_of, sizeof(request->sums_of), "%s", name);
	else
		answer(request, name, r);
}

/* One reading for all of them. */
void sums_wake(struct control *control)
{
	struct request *each, *next;
	int r = -EAGAIN;

	for (each = control->requests; each; each = next) {
		next = each->next;
		if (!each->sums_of[0])
			continue;
		if (r == -EAGAIN)
			r = read_sums(control->core);
		if (r == -EAGAIN)
			return;
		if (each->tenant_id && !request_scope(each))
			request_fail(each, WIRE_CODE_UNAUTHENTICATED,
				"The key's tenant was deleted meanwhile.");
		else
			answer(each, each->sums_of, r);
	}
}
