#include "supervisor/core/shadow.h"

#include <stdio.h>
#include <stdlib.h>

#include "supervisor/control/request.h"
#include "supervisor/wire/policies.h"
#include "supervisor/wire/strings.h"

_Static_assert((int)WIRE_SHADOW_AGREED == (int)ABI_SHADOW_AGREED &&
		       (int)WIRE_SHADOW_WOULD_DENY == (int)ABI_SHADOW_WOULD_DENY &&
		       (int)WIRE_SHADOW_WOULD_ALLOW == (int)ABI_SHADOW_WOULD_ALLOW,
	"outcomes are the same numbers on the wire");

static void add_sum(const struct shadow_sum *sum, void *userdata)
{
	struct wire_shadow_sum row = {.outcome = sum->outcome,
		.rule = sum->rule,
		.n = sum->n,
		.example_sandbox = sum->example_sandbox,
		.example_ns = sum->example_ns};
	struct rows *rows = userdata;

	if (rows->size + sizeof(row) + 64 > WIRE_FRAME_MAX) {
		rows->page.next_cursor = 1;
		return;
	}
	snprintf(row.policy, sizeof(row.policy), "%s", sum->policy);
	snprintf(row.example, sizeof(row.example), "%s", sum->example);
	rows_add(rows, &row, sizeof(row), NULL, 0);
}

void handle_shadow_sums(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_name_ref *ref = body;
	struct core *core = request->control->core;
	const struct policy *policy =
		WIRE_TEXT_VALID(ref->name) ? policies_find(core->policies, ref->name) : NULL;
	struct rows rows = {0};

	if (!policy) {
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no such policy. GET /v1/policies lists those in force.");
		return;
	}
	if (shadow_sums_each(core, request_scope(request), policy, add_sum, &rows) < 0) {
		free(rows.bytes);
		request_fail(request, WIRE_CODE_UNAVAILABLE, "The counts cannot be read now.");
		return;
	}
	rows_answer(&rows, request, WIRE_API_SHADOW_SUMS_REPLY);
}
