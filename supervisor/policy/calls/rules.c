/* Rules that deny a system call by its arguments: reading, what holds between them, writing. */
#include "supervisor/policy/calls/rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/calls/arguments.h"
#include "supervisor/policy/canonical.h"

static int check_condition(const struct policy_reader *reader, const struct policy_place *at,
	const struct policy_call_rule *rule, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		const struct policy_place first = {at->outer, NULL, j};
		char text[POLICY_SPOT_SIZE];
		const char *fault = NULL;

		if (rule->conditions[j].index == rule->conditions[i].index)
			fault = call_condition_fault(&rule->conditions[j], &rule->conditions[i]);
		if (fault)
			return policy_fail(reader, at, -EINVAL, "The condition at %s %s.",
				policy_describe_place(reader, &first, text), fault);
	}
	return 0;
}

static int read_conditions(const struct policy_reader *reader, const struct policy_place *rule_at,
	const json_t *list, struct policy_call_rule *rule)
{
	const struct policy_place place = {rule_at, "args", 0};
	size_t n = json_array_size(list);

	if (!json_is_array(list) || n == 0)
		return policy_fail(reader, list ? &place : rule_at, -EINVAL,
			"Name the arguments that are denied, as in \"args\": [{\"index\": 1, "
			"\"is\": \"TIOCSTI\"}]. To deny the call with any, write its name alone.");
	if (n > POLICY_CONDITIONS_MAX)
		return policy_fail(reader, &place, -E2BIG, "A rule has up to %d conditions.",
			POLICY_CONDITIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct policy_place at = {&place, NULL, i};
		int r = call_condition_read(
			reader, &at, json_array_get(list, i), rule->name, &rule->conditions[i]);

		if (r == 0)
			r = check_condition(reader, &at, rule, i);
		if (r < 0)
			return r;
	}
	rule->n_conditions = (uint8_t)n;
	qsort(rule->conditions, n, sizeof(*rule->conditions), call_condition_compare);
	return 0;
}

int call_rule_read(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *object, struct policy_call_rule *rule)
{
	static const char *const keys[] = {"name", "args", "description", NULL};
	const struct policy_place at = {place, "name", 0};
	const json_t *name = json_object_get(object, "name");
	struct policy_call call = {0};
	int r = policy_check_keys(reader, place, object, keys);

	if (r == 0 && !name)
		r = policy_fail(reader, place, -EINVAL,
			"A rule has the \"name\" of a system call, such as \"ioctl\".");
	if (r == 0)
		r = policy_read_call(reader, &at, name, &call);
	if (r == 0)
		r = policy_check_description(reader, place, object);
	if (r < 0)
		return r;
	strcpy(rule->name, call.name);
	return read_conditions(reader, place, json_object_get(object, "args"), rule);
}

/* ---- rules among themselves */

static bool has_condition(
	const struct policy_call_rule *rule, const struct policy_condition *condition)
{
	for (size_t i = 0; i < rule->n_conditions; i++)
		if (call_condition_compare(&rule->conditions[i], condition) == 0)
			return true;
	return false;
}

bool call_rule_covers(const struct policy_call_rule *outer, const struct policy_call_rule *inner)
{
	if (strcmp(outer->name, inner->name) != 0)
		return false;
	for (size_t i = 0; i < outer->n_conditions; i++)
		if (!has_condition(inner, &outer->conditions[i]))
			return false;
	return true;
}

bool call_rule_is_covered(const struct policy *policy, const struct policy_call_rule *rule)
{
	for (size_t i = 0; i < policy->n_syscalls_denied; i++)
		if (strcmp(policy->syscalls_denied[i], rule->name) == 0)
			return true;
	for (size_t i = 0; i < policy->n_call_rules; i++)
		if (call_rule_covers(&policy->call_rules[i], rule))
			return true;
	return false;
}

int call_rule_compare(const void *a, const void *b)
{
	const struct policy_call_rule *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	for (size_t i = 0; order == 0 && i < left->n_conditions && i < right->n_conditions; i++)
		order = call_condition_compare(&left->conditions[i], &right->conditions[i]);
	return order ? order : (int)left->n_conditions - (int)right->n_conditions;
}

/* Whoever takes one of two away that deny the same would think that it is allowed. */
static int check_covered(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, const struct policy *policy, size_t i)
{
	const struct policy_call_rule *rule = &policy->call_rules[i];
	const struct policy_place at = {place, NULL, rule->id};
	char text[POLICY_SPOT_SIZE];
	const json_t *each;
	size_t index;

	json_array_foreach((json_t *)list, index, each)
	{
		const struct policy_place first = {place, NULL, index};

		if (json_is_string(each) && strcmp(json_string_value(each), rule->name) == 0)
			return policy_fail(reader, &at, -EINVAL,
				"\"%s\" is denied with any arguments, at %s. Take one away.",
				rule->name, policy_describe_place(reader, &first, text));
	}
	for (size_t j = 0; j < i; j++) {
		const struct policy_call_rule *other = &policy->call_rules[j];
		const struct policy_place first = {place, NULL, other->id};

		if (call_rule_covers(other, rule))
			return policy_fail(reader, &at, -EINVAL,
				"The rule at %s denies all that this one does. Take one away.",
				policy_describe_place(reader, &first, text));
		if (call_rule_covers(rule, other))
			return policy_fail(reader, &at, -EINVAL,
				"This rule denies all that the one at %s does. Take one away.",
				policy_describe_place(reader, &first, text));
	}
	return 0;
}

/* Whether a call that takes the same from memory, where no filter sees it, is open. */
static int check_twin(const struct policy_reader *reader, const struct policy_place *place,
	const struct policy *policy, const struct policy_call_rule *rule)
{
	const struct policy_place at = {place, NULL, rule->id};

	for (size_t i = 0; i < rule->n_conditions; i++) {
		const struct call_argument *argument =
			call_argument_find(rule->name, rule->conditions[i].index);
		const char *twin = argument->twin;
		int level = twin && reader->calls ? reader->calls->level(twin) : -ENOENT;

		if (level >= 0 && policy_allows_call(policy, twin, (enum policy_call_level)level))
			return policy_fail(reader, &at, -EINVAL,
				"\"%s\" takes the same from memory, where no filter sees it, so "
				"this rule alone says little. Deny \"%s\" too.",
				twin, twin);
	}
	return 0;
}

int call_rules_check(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < policy->n_call_rules; i++) {
		r = check_covered(reader, place, list, policy, i);
		if (r == 0)
			r = check_twin(reader, place, policy, &policy->call_rules[i]);
	}
	if (policy->n_call_rules > 0)
		qsort(policy->call_rules, policy->n_call_rules, sizeof(*policy->call_rules),
			call_rule_compare);
	return r;
}

/* ---- writing and asking */

json_t *call_rule_write(const struct policy_call_rule *rule, const json_t *object)
{
	json_t *written = json_object(), *list = json_array();
	int r = json_object_set_new(written, "name", json_string(rule->name));

	r |= json_object_set_new(written, "args", list);
	for (size_t i = 0; r == 0 && i < rule->n_conditions; i++)
		r = json_array_append_new(list, call_condition_write(&rule->conditions[i]));
	if (r == 0)
		r = policy_write_description(written, object);
	if (r < 0) {
		json_decref(written);
		return NULL;
	}
	return written;
}

static const char *format_condition(const struct policy_call_rule *rule,
	const struct policy_condition *condition, char *text, size_t size)
{
	static const char *const words[] = {[POLICY_IS] = "is",
		[POLICY_IS_NOT] = "is not",
		[POLICY_AT_LEAST] = "is at least",
		[POLICY_AT_MOST] = "is at most"};
	const struct call_argument *argument = call_argument_find(rule->name, condition->index);
	const char *word = argument ? argument->word : "an argument";
	char mask[CALL_VALUE_TEXT_SIZE], value[CALL_VALUE_TEXT_SIZE];

	call_value_format(argument, condition->value, value);
	call_value_format(argument, condition->mask, mask);
	if (!condition->mask)
		snprintf(text, size, "%s %s %s", word, words[condition->comparison], value);
	else if (condition->value != condition->mask)
		snprintf(text, size, "%s & %s %s %s", word, mask, words[condition->comparison],
			value);
	else
		snprintf(text, size, "%s %s %s", word,
			condition->comparison == POLICY_IS ? "has" : "has not all of", mask);
	return text;
}

const char *policy_call_rule_format(
	const struct policy_call_rule *rule, char ret_text[POLICY_CALL_RULE_TEXT_SIZE])
{
	size_t used = (size_t)snprintf(ret_text, POLICY_CALL_RULE_TEXT_SIZE, "%s", rule->name);
	char text[160];

	for (size_t i = 0; i < rule->n_conditions && used < POLICY_CALL_RULE_TEXT_SIZE; i++)
		used += (size_t)snprintf(ret_text + used, POLICY_CALL_RULE_TEXT_SIZE - used,
			" %s %s", i ? "and" : "where",
			format_condition(rule, &rule->conditions[i], text, sizeof(text)));
	return ret_text;
}

bool policy_call_rule_denies(const struct policy_call_rule *rule, const char *name,
	const uint64_t arguments[POLICY_CALL_ARGUMENTS], uint8_t given)
{
	if (strcmp(rule->name, name) != 0)
		return false;
	for (size_t i = 0; i < rule->n_conditions; i++) {
		const struct policy_condition *condition = &rule->conditions[i];

		if (!(given & 1U << condition->index) ||
			!policy_condition_holds(condition, arguments[condition->index]))
			return false;
	}
	return true;
}

const struct policy_call_rule *policy_find_call_rule(const struct policy *policy, const char *name,
	const uint64_t arguments[POLICY_CALL_ARGUMENTS], uint8_t given)
{
	for (size_t i = 0; i < policy->n_call_rules; i++)
		if (policy_call_rule_denies(&policy->call_rules[i], name, arguments, given))
			return &policy->call_rules[i];
	return NULL;
}
