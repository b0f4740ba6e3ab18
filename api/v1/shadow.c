/* GET /v1/policies/{name}/shadow: what a candidate would have decided otherwise; and what names
 * one.
 */
#include "api/v1/shadow.h"

#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/ids.h"
#include "api/v1/routes.h"
#include "api/v1/staged.h"
#include "supervisor/wire/policies.h"
#include "supervisor/wire/strings.h"

#define RULE_NONE 0xffff

bool shadow_read(struct fields *fields, char ret_policy[WIRE_NAME_SIZE])
{
	const json_t *member = json_object_get(fields->object, "shadow");

	if (!member)
		return false;
	if (json_is_null(member)) {
		fields_get(fields, "shadow");
		return true;
	}
	fields_text(fields, "shadow", ret_policy, WIRE_NAME_SIZE);
	if (!ret_policy[0] || strcmp(ret_policy, WIRE_SHADOW_NEVER) == 0)
		fields_refuse(fields, "shadow", "must be a policy's name or null");
	return true;
}

void shadow_write_state(struct writer *writer, const struct wire_shadow_state *state)
{
	if (!state->policy[0]) {
		json_write_null(writer, "shadow");
		return;
	}
	json_write_name(writer, "shadow");
	json_write_open(writer, '{');
	json_write_text(writer, "name", state->policy);
	json_write_number(writer, "asked", state->n_asked);
	json_write_number(writer, "not_asked", state->n_not_asked);
	json_write_close(writer, '}');
}

static const char *outcome_name(uint32_t outcome)
{
	switch ((enum wire_shadow_outcome)outcome) {
	case WIRE_SHADOW_AGREED:
		return "agreed";
	case WIRE_SHADOW_WOULD_DENY:
		return "would_deny";
	case WIRE_SHADOW_WOULD_ALLOW:
		return "would_allow";
	}
	return NULL;
}

static void write_example(struct writer *writer, const struct wire_shadow_sum *sum)
{
	char id[ID_SIZE];

	if (!sum->example[0]) {
		json_write_null(writer, "example");
		return;
	}
	id_write_sandbox(sum->example_sandbox, id);
	json_write_name(writer, "example");
	json_write_open(writer, '{');
	json_write_text(writer, "act", sum->example);
	json_write_text(writer, "sandbox", id);
	json_write_time(writer, "at", sum->example_ns);
	json_write_close(writer, '}');
}

static void write_sum(struct writer *writer, const struct wire_shadow_sum *sum)
{
	json_write_open(writer, '{');
	json_write_text(writer, "outcome", outcome_name(sum->outcome));
	json_write_text(writer, "policy", sum->policy);
	if (sum->rule == RULE_NONE)
		json_write_null(writer, "rule");
	else
		json_write_number(writer, "rule", sum->rule);
	if (sum->part[0])
		json_write_text(writer, "part", sum->part);
	else
		json_write_null(writer, "part");
	json_write_number(writer, "count", sum->n);
	write_example(writer, sum);
	json_write_close(writer, '}');
}

/* Those of the version in force, or of the staged one: the rules, and the totals. */
static int write_sums(struct writer *writer, const struct answer *answer, uint8_t is_staged)
{
	uint64_t totals[WIRE_SHADOW_WOULD_ALLOW + 1] = {0};
	struct wire_policy_staged staged;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_SHADOW_SUMS_REPLY) < 0 ||
		staged_take(&rows, &staged) < 0)
		return -EPROTO;
	json_write_name(writer, "rules");
	json_write_open(writer, '[');
	for (uint32_t i = 0; i < rows.page.n_rows; i++) {
		struct wire_shadow_sum sum;

		if (answer_rows_take(&rows, &sum, sizeof(sum)) < 0 || !outcome_name(sum.outcome) ||
			sum.is_staged > 1 || !WIRE_TEXT_VALID(sum.policy) ||
			!WIRE_TEXT_VALID(sum.example) || !WIRE_TEXT_VALID(sum.part))
			return -EPROTO;
		if (sum.is_staged != is_staged)
			continue;
		totals[sum.outcome] += sum.n;
		write_sum(writer, &sum);
	}
	json_write_close(writer, ']');
	json_write_boolean(writer, "truncated", rows.page.next_cursor != 0);
	for (uint32_t i = WIRE_SHADOW_AGREED; i <= WIRE_SHADOW_WOULD_ALLOW; i++)
		json_write_number(writer, outcome_name(i), totals[i]);
	return rows.left ? -EPROTO : 0;
}

static int on_sums(struct request *request, const struct answer *answer)
{
	struct writer *writer = &request->answer;
	struct wire_policy_staged staged;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_SHADOW_SUMS_REPLY) < 0 ||
		staged_take(&rows, &staged) < 0)
		return -EPROTO;
	json_write_open(writer, '{');
	json_write_text(writer, "name", request->parameters[0]);
	if (write_sums(writer, answer, 0) < 0)
		return -EPROTO;
	if (staged.hash[0]) {
		json_write_name(writer, "staged");
		json_write_open(writer, '{');
		staged_write(writer, &staged);
		if (write_sums(writer, answer, 1) < 0)
			return -EPROTO;
		json_write_close(writer, '}');
	} else {
		json_write_null(writer, "staged");
	}
	json_write_close(writer, '}');
	respond_json(request, 200);
	return ANSWER_LAST;
}

void policies_shadow(struct request *request)
{
	struct wire_name_ref ref = {.caller = request->caller};

	memcpy(ref.name, request->parameters[0], sizeof(ref.name));
	request_ask(request, WIRE_API_SHADOW_SUMS, &ref, sizeof(ref), NULL, 0, on_sums);
}
