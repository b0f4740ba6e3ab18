#include <stdio.h>
#include <string.h>

#include "supervisor/policy/model.h"
#include "tools/policy/test/mutation.h"

static json_t *deny_in(const json_t *document)
{
	return json_object_get(json_object_get(document, "syscalls"), "deny");
}

/* The condition of a copy of the document. */
static json_t *condition_in(const json_t *document, size_t rule, size_t i)
{
	return json_array_get(json_object_get(json_array_get(deny_in(document), rule), "args"), i);
}

static void take_condition(const struct mutation *mutation, size_t rule, size_t i)
{
	json_t *copy = json_deep_copy(mutation->original);
	json_t *conditions = json_object_get(json_array_get(deny_in(copy), rule), "args");
	char what[96];

	json_array_remove(conditions, i);
	snprintf(what, sizeof(what), "without /syscalls/deny/%zu/args/%zu", rule, i);
	mutation_give(mutation, copy, what);
}

/* Under another comparison, or with another value; `value` is taken over. */
static void change_condition(const struct mutation *mutation, size_t rule, size_t i,
	const char *from, const char *to, json_t *value)
{
	json_t *copy = json_deep_copy(mutation->original), *condition;
	char what[96];

	condition = condition_in(copy, rule, i);
	json_object_del(condition, from);
	json_object_set_new(condition, to, value);
	snprintf(what, sizeof(what), "another /syscalls/deny/%zu/args/%zu/%s", rule, i, to);
	mutation_give(mutation, copy, what);
}

/* What the condition became, in the model, in which names are numbers. */
static const struct policy_condition *condition_of(
	const struct mutation *mutation, size_t rule, const json_t *json)
{
	const json_int_t index = json_integer_value(json_object_get(json, "index"));

	for (size_t i = 0; i < mutation->policy->n_call_rules; i++) {
		const struct policy_call_rule *each = &mutation->policy->call_rules[i];

		for (size_t j = 0; each->id == rule && j < each->n_conditions; j++)
			if (each->conditions[j].index == index &&
				json_object_get(json,
					policy_comparison_names[each->conditions[j].comparison]))
				return &each->conditions[j];
	}
	return NULL;
}

/* As text: a number may have 64 bits. */
static json_t *number(const struct policy_condition *condition, uint64_t value)
{
	return condition->is_signed ? json_integer((json_int_t)value)
				    : json_sprintf("0x%llx", (unsigned long long)value);
}

static void change_mask(const struct mutation *mutation, size_t rule, size_t i,
	const struct policy_condition *condition)
{
	uint64_t lowest = condition->mask & -condition->mask;

	/* One bit less, where the value has it not: more is denied. One more: less is. */
	if (condition->mask != lowest && !(condition->value & lowest))
		change_condition(mutation, rule, i, "mask", "mask",
			number(condition, condition->mask & ~lowest));
	for (unsigned int bit = 0; bit < 16; bit++)
		if (!(condition->mask & 1U << bit)) {
			change_condition(mutation, rule, i, "mask", "mask",
				number(condition, condition->mask | 1U << bit));
			break;
		}
}

static void change_value(const struct mutation *mutation, size_t rule, size_t i,
	const struct policy_condition *condition)
{
	const enum policy_comparison comparison = (enum policy_comparison)condition->comparison;
	const uint64_t value = condition->value, lowest = condition->mask & -condition->mask;
	const char *word = policy_comparison_names[comparison];

	if (comparison == POLICY_IS || comparison == POLICY_IS_NOT) {
		const char *opposite =
			policy_comparison_names[comparison == POLICY_IS ? POLICY_IS_NOT
									: POLICY_IS];

		change_condition(mutation, rule, i, word, word,
			number(condition, value ^ (condition->mask ? lowest : 1)));
		change_condition(mutation, rule, i, word, opposite, number(condition, value));
	} else {
		change_condition(mutation, rule, i, word, word, number(condition, value + 1));
		change_condition(mutation, rule, i, word, word, number(condition, value - 1));
	}
}

static void deny_any(const struct mutation *mutation, size_t rule)
{
	json_t *copy = json_deep_copy(mutation->original), *deny = deny_in(copy);
	json_t *name = json_object_get(json_array_get(deny, rule), "name");
	char what[96];

	json_incref(name);
	/* Other rules for the call would be refused beside it. */
	for (size_t i = json_array_size(deny); i-- > 0;)
		if (json_equal(json_object_get(json_array_get(deny, i), "name"), name))
			json_array_remove(deny, i);
	json_array_append_new(deny, name);
	snprintf(what, sizeof(what), "with any arguments in /syscalls/deny/%zu", rule);
	mutation_give(mutation, copy, what);
}

void mutate_call_rules(const struct mutation *mutation)
{
	const json_t *deny = deny_in(mutation->original);

	for (size_t rule = 0; rule < json_array_size(deny); rule++) {
		const json_t *args = json_object_get(json_array_get(deny, rule), "args");

		if (!args)
			continue;
		deny_any(mutation, rule);
		for (size_t i = 0; i < json_array_size(args); i++) {
			const struct policy_condition *condition =
				condition_of(mutation, rule, json_array_get(args, i));

			take_condition(mutation, rule, i);
			if (!condition)
				continue;
			change_value(mutation, rule, i, condition);
			if (condition->mask)
				change_mask(mutation, rule, i, condition);
		}
	}
}
