/* A policy allows the calls of its profile and those of `allow`, less those of `deny`. So a call
 * that two policies allow and the narrower profile has not is in `allow` of the one with that
 * profile: the two lists hold all candidates. A rule for arguments denies in the meet what it
 * denies in either. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/calls/rules.h"
#include "supervisor/policy/meet/meet.h"

#define STAGE "meet of policies"

/* The order of two sorted lists that are walked together; one of the two may be at its end. */
static int compare_next(const char *a, const char *b)
{
	return !a ? 1 : !b ? -1 : strcmp(a, b);
}

static int meet_denied(struct meeting *meeting)
{
	const struct policy *a = meeting->bound, *b = meeting->request;
	size_t i = 0, j = 0, n = 0, n_max = a->n_syscalls_denied + b->n_syscalls_denied;
	char(*names)[POLICY_CALL_NAME_SIZE] = calloc(n_max + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	while (i < a->n_syscalls_denied || j < b->n_syscalls_denied) {
		int order = compare_next(i < a->n_syscalls_denied ? a->syscalls_denied[i] : NULL,
			j < b->n_syscalls_denied ? b->syscalls_denied[j] : NULL);

		memcpy(names[n++], order <= 0 ? a->syscalls_denied[i] : b->syscalls_denied[j],
			sizeof(*names));
		i += order <= 0;
		j += order >= 0;
	}
	meeting->policy->syscalls_denied = names;
	meeting->policy->n_syscalls_denied = n;
	if (n > POLICY_SYSCALLS_MAX)
		return failure_set(meeting->why, -E2BIG, STAGE,
			"\"%s\" and \"%s\" deny more than %d system calls together.", a->name,
			b->name, POLICY_SYSCALLS_MAX);
	return 0;
}

static void add_allowed(struct meeting *meeting, const struct policy_call *call)
{
	struct policy *both = meeting->policy;
	enum policy_call_level level = (enum policy_call_level)call->level;

	if (level > both->profile && policy_allows_call(meeting->bound, call->name, level) &&
		policy_allows_call(meeting->request, call->name, level))
		both->syscalls_allowed[both->n_syscalls_allowed++] = *call;
}

static int meet_allowed(struct meeting *meeting)
{
	const struct policy *a = meeting->bound, *b = meeting->request;
	size_t i = 0, j = 0, n_max = a->n_syscalls_allowed + b->n_syscalls_allowed;

	meeting->policy->syscalls_allowed =
		calloc(n_max + 1, sizeof(*meeting->policy->syscalls_allowed));
	if (!meeting->policy->syscalls_allowed)
		return -ENOMEM;
	while (i < a->n_syscalls_allowed || j < b->n_syscalls_allowed) {
		int order =
			compare_next(i < a->n_syscalls_allowed ? a->syscalls_allowed[i].name : NULL,
				j < b->n_syscalls_allowed ? b->syscalls_allowed[j].name : NULL);

		add_allowed(
			meeting, order <= 0 ? &a->syscalls_allowed[i] : &b->syscalls_allowed[j]);
		i += order <= 0;
		j += order >= 0;
	}
	return 0;
}

/* True if a rule of the policy denies more than this one: it has fewer conditions. */
static bool is_wider(const struct policy *policy, const struct policy_call_rule *rule)
{
	for (size_t i = 0; i < policy->n_call_rules; i++)
		if (call_rule_covers(&policy->call_rules[i], rule) &&
			policy->call_rules[i].n_conditions < rule->n_conditions)
			return true;
	return false;
}

/* Those of `from` that `beside`, the other policy, does not deny anyway. Of two equal ones the
 * first policy's is kept. */
static void add_rules(
	struct meeting *meeting, const struct policy *from, const struct policy *beside)
{
	struct policy *both = meeting->policy;

	for (size_t i = 0; i < from->n_call_rules; i++) {
		const struct policy_call_rule *rule = &from->call_rules[i];

		if (!call_rule_is_covered(both, rule) && !is_wider(beside, rule))
			both->call_rules[both->n_call_rules++] = *rule;
	}
}

/* After the calls that are denied whole. */
static int meet_rules(struct meeting *meeting)
{
	const struct policy *a = meeting->bound, *b = meeting->request;
	struct policy *both = meeting->policy;

	both->call_rules = calloc(a->n_call_rules + b->n_call_rules + 1, sizeof(*both->call_rules));
	if (!both->call_rules)
		return -ENOMEM;
	add_rules(meeting, a, b);
	add_rules(meeting, b, a);
	qsort(both->call_rules, both->n_call_rules, sizeof(*both->call_rules), call_rule_compare);
	if (both->n_call_rules > 2 * POLICY_CALL_RULES_MAX)
		return failure_set(meeting->why, -E2BIG, STAGE,
			"\"%s\" and \"%s\" have more than %d rules for arguments of system calls "
			"together.",
			a->name, b->name, 2 * POLICY_CALL_RULES_MAX);
	return 0;
}

int meet_calls(struct meeting *meeting)
{
	const struct policy *a = meeting->bound, *b = meeting->request;
	int r = meet_denied(meeting);

	meeting->policy->profile = a->profile < b->profile ? a->profile : b->profile;
	if (r == 0)
		r = meet_rules(meeting);
	return r < 0 ? r : meet_allowed(meeting);
}
