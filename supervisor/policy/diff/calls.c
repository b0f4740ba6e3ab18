/* System calls: the profile, those that are denied and allowed by name, and rules for arguments. */
#include <string.h>

#include "supervisor/policy/calls/rules.h"
#include "supervisor/policy/diff/differ.h"

static bool denies(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_syscalls_denied; i++)
		if (strcmp(policy->syscalls_denied[i], name) == 0)
			return true;
	return false;
}

/* Calls that `a` allows by name and `b` does not allow. */
static void compare_allowed(const struct differ *differ, const struct policy *a,
	const struct policy *b, enum policy_change_kind kind)
{
	for (size_t i = 0; i < a->n_syscalls_allowed; i++) {
		const struct policy_call *call = &a->syscalls_allowed[i];

		if (!denies(b, call->name) &&
			!policy_allows_call(b, call->name, (enum policy_call_level)call->level))
			differ_report(differ, kind, "syscalls", "%s", call->name);
	}
}

static bool has_rule(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n_call_rules; i++)
		if (strcmp(policy->call_rules[i].name, name) == 0)
			return true;
	return false;
}

/* Calls that `a` denies with any arguments and `b` does not. */
static void compare_denied(const struct differ *differ, const struct policy *a,
	const struct policy *b, enum policy_change_kind kind)
{
	for (size_t i = 0; i < a->n_syscalls_denied; i++) {
		const char *name = a->syscalls_denied[i], *rest = "";

		if (has_rule(b, name))
			rest = kind == POLICY_CHANGE_ALLOWED
				       ? ", but for what rules for its arguments deny"
				       : ", with any arguments";
		if (!denies(b, name))
			differ_report(differ, kind, "syscalls", "%s%s", name, rest);
	}
}

/* Rules of `a` that deny what `b` does not. */
static void compare_rules(const struct differ *differ, const struct policy *a,
	const struct policy *b, enum policy_change_kind kind)
{
	for (size_t i = 0; i < a->n_call_rules; i++) {
		const struct policy_call_rule *rule = &a->call_rules[i];
		char text[POLICY_CALL_RULE_TEXT_SIZE];

		if (!call_rule_is_covered(b, rule))
			differ_report(differ, kind, "syscalls", "%s",
				policy_call_rule_format(rule, text));
	}
}

void diff_calls(const struct differ *differ)
{
	static const char *const profiles[] = {"strict", "default", "debug"};
	const struct policy *a = differ->before, *b = differ->after;

	if (a->profile != b->profile)
		differ_report(differ,
			a->profile < b->profile ? POLICY_CHANGE_ALLOWED : POLICY_CHANGE_DENIED,
			"syscalls", "those of profile %s instead of %s", profiles[b->profile],
			profiles[a->profile]);
	compare_denied(differ, a, b, POLICY_CHANGE_ALLOWED);
	compare_allowed(differ, b, a, POLICY_CHANGE_ALLOWED);
	compare_rules(differ, a, b, POLICY_CHANGE_ALLOWED);
	compare_denied(differ, b, a, POLICY_CHANGE_DENIED);
	compare_allowed(differ, a, b, POLICY_CHANGE_DENIED);
	compare_rules(differ, b, a, POLICY_CHANGE_DENIED);
}
