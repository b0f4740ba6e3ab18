#include "supervisor/policy/model.h"

#include <assert.h>
#include <stdlib.h>

struct policy *policy_ref(struct policy *policy)
{
	assert(policy->n_references > 0);
	policy->n_references++;
	return policy;
}

struct policy *policy_unref(struct policy *policy)
{
	if (!policy)
		return NULL;
	assert(policy->n_references > 0);
	if (--policy->n_references > 0)
		return NULL;
	for (size_t i = 0; i < policy->n_rules; i++)
		free(policy->rules[i].name);
	free(policy->canonical);
	free(policy->rules);
	free(policy->syscalls_denied);
	free(policy);
	return NULL;
}
