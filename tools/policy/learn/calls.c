/* Only calls that are audited are in a log, so it tells what is needed beyond a profile, never that
 * less than the profile would do:
 *
 * - the profile is the default one;
 * - a call that it has not, but that was made and let through, is allowed by its name;
 * - a call that it has, but that was only ever refused, is denied by its name. */
#include <stdio.h>
#include <string.h>

#include "tools/policy/learn/parts.h"

static bool is_call(const struct tally_row *row, bool allowed)
{
	return row->act.kind == POLICY_ACT_SYSCALL && row->n > 0 && row->allowed == allowed;
}

static bool is_in_profile(const struct tally_row *row)
{
	return row->act.call_level <= POLICY_CALL_DEFAULT;
}

struct calls {
	json_t *allow, *deny;
	struct support support;
	char details[POLICY_DESCRIPTION_SIZE * 2];
};

static void add_call(struct calls *calls, const struct tally_row *row, json_t *list)
{
	struct support support = support_of(row);
	size_t used = strlen(calls->details);
	char text[SUPPORT_TEXT_SIZE];

	json_array_append_new(list, json_string(row->act.name));
	support_add(&calls->support, &support);
	snprintf(calls->details + used, sizeof(calls->details) - used, "%s%s %s", used ? "; " : "",
		row->act.name, support_format(&support, text));
}

static void gather(const struct tally *tally, struct calls *calls)
{
	for (size_t i = 0; i < tally->n; i++) {
		const struct tally_row *row = &tally->rows[i];

		if (is_call(row, true) && !is_in_profile(row))
			add_call(calls, row, calls->allow);
		if (is_call(row, false) && is_in_profile(row) && !tally_get(tally, &row->act, true))
			add_call(calls, row, calls->deny);
	}
}

/* What does not fit is summed up. */
static json_t *describe(const struct calls *calls)
{
	static const char basis[] = "learnt, on top of the default profile: ";
	char text[SUPPORT_TEXT_SIZE];

	if (strlen(basis) + strlen(calls->details) < POLICY_DESCRIPTION_SIZE)
		return json_sprintf("%s%s", basis, calls->details);
	return json_sprintf("%s%zu calls, %s", basis,
		json_array_size(calls->allow) + json_array_size(calls->deny),
		support_format(&calls->support, text));
}

json_t *learnt_calls(const struct tally *tally)
{
	struct calls calls = {.allow = json_array(), .deny = json_array()};
	json_t *section;

	gather(tally, &calls);
	if (calls.support.n == 0) {
		json_decref(calls.allow);
		json_decref(calls.deny);
		return json_null();
	}
	section = json_pack("{s:s, s:o}", "profile", "default", "description", describe(&calls));
	if (json_array_size(calls.allow) > 0)
		json_object_set(section, "allow", calls.allow);
	if (json_array_size(calls.deny) > 0)
		json_object_set(section, "deny", calls.deny);
	json_decref(calls.allow);
	json_decref(calls.deny);
	return section;
}
