/* For fuzzers of acts: a policy that has an opinion on each. */
#pragma once

#include <string.h>

#include "supervisor/policy/acts/trial.h"
#include "tests/fuzz/fuzz.h"

/* By the policy in `document`, which is read once. */
static inline struct policy_opinion opinion_of(const char *document, const struct policy_act *act)
{
	static struct policy_trial *trial;
	static struct policy *policy;

	if (!trial) {
		BROKEN_IF(policy_parse(document, strlen(document), "x", NULL, &policy, NULL) < 0);
		BROKEN_IF(policy_trial_new(policy, &trial, NULL) < 0);
	}
	return policy_trial_judge(trial, act);
}
