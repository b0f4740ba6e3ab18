/* Inside the policy room: rules that deny a system call by its arguments. */
#pragma once

#include "supervisor/policy/read/reader.h"

/* Reads one object of the list "deny". */
int call_rule_read(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *object, struct policy_call_rule *rule);
/* What holds between the rules, in the order of the list `place`, and the calls that are denied or
 * allowed whole. Sorts them. */
int call_rules_check(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *list, struct policy *policy);
/* The rule as JSON, with the description of `object`, its element of "deny" (may be NULL). NULL
 * when there is no memory. */
json_t *call_rule_write(const struct policy_call_rule *rule, const json_t *object);

/* True if `outer` denies all that `inner` denies: it is of the same call, and has no condition that
 * `inner` has not. */
bool call_rule_covers(const struct policy_call_rule *outer, const struct policy_call_rule *inner);
/* True if one of the policy's rules does, or the call is denied with any arguments. */
bool call_rule_is_covered(const struct policy *policy, const struct policy_call_rule *rule);
/* For qsort(3). */
int call_rule_compare(const void *a, const void *b);

/* In calls/condition.c: one of the list "args", and what is wrong with two that are about the same
 * argument, as the rest of a sentence, or NULL. */
int call_condition_read(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *object, const char *call, struct policy_condition *condition);
const char *call_condition_fault(
	const struct policy_condition *a, const struct policy_condition *b);
int call_condition_compare(const void *a, const void *b);
json_t *call_condition_write(const struct policy_condition *condition);
