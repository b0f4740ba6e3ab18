/* A system call as an act: its name, and arguments as far as they matter. */
#include "supervisor/policy/acts/act-call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/policy/calls/arguments.h"

/* "0=AF_VSOCK", or "AF_VSOCK" for the next one. */
static const char *read_argument(
	const char *text, size_t length, unsigned int *next, struct policy_act *act)
{
	char word[CALL_VALUE_TEXT_SIZE + 2]; /* the longest that is written, and "1=" */
	const char *value = word;
	int r;

	if (length >= sizeof(word))
		return "A value is shorter than that.";
	memcpy(word, text, length);
	word[length] = '\0';
	if (isdigit((unsigned char)word[0]) && word[1] == '=') {
		*next = (unsigned int)(word[0] - '0');
		value += 2;
	}
	if (*next >= POLICY_CALL_ARGUMENTS)
		return "A call has arguments 0 to 5.";
	if (act->given & 1U << *next)
		return "An argument is there twice.";
	r = call_value_read(value, call_argument_find(act->name, *next), &act->arguments[*next]);
	if (r == -ENOENT)
		return "There is no such constant for this argument.";
	if (r < 0)
		return "A value is a number of 64 bits or the name of a constant.";
	act->given |= (uint8_t)(1U << *next);
	++*next;
	return NULL;
}

const char *act_read_arguments(const char *text, struct policy_act *act)
{
	unsigned int next = 0;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		size_t length = strcspn(text, " ");
		const char *sentence = read_argument(text, length, &next, act);

		if (sentence)
			return sentence;
		text += length;
	}
	return NULL;
}

size_t act_format_arguments(const struct policy_act *act, char *text, size_t size)
{
	size_t used = 0;

	for (unsigned int i = 0; i < POLICY_CALL_ARGUMENTS && used < size; i++) {
		char value[CALL_VALUE_TEXT_SIZE];

		if (act->given & 1U << i)
			used += (size_t)snprintf(text + used, size - used, " %u=%s", i,
				call_value_format(call_argument_find(act->name, i),
					act->arguments[i], value));
	}
	return used;
}

void policy_act_keep_arguments(struct policy_act *act, const struct policy *policy)
{
	uint64_t masks[POLICY_CALL_ARGUMENTS] = {0};

	for (size_t i = 0; policy && i < policy->n_call_rules; i++) {
		const struct policy_call_rule *rule = &policy->call_rules[i];

		for (size_t j = 0; strcmp(rule->name, act->name) == 0 && j < rule->n_conditions;
			j++)
			masks[rule->conditions[j].index] =
				rule->conditions[j].is_wide ? UINT64_MAX : UINT32_MAX;
	}
	for (unsigned int i = 0; i < POLICY_CALL_ARGUMENTS; i++) {
		act->arguments[i] &= masks[i];
		if (!masks[i])
			act->given &= (uint8_t) ~(1U << i);
	}
}
