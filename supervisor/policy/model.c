#include "supervisor/policy/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct policy *policy_ref(struct policy *policy)
{
	assert(policy->n_references > 0);
	policy->n_references++;
	return policy;
}

static void free_acts(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		free(policy->rules[i].name);
	free(policy->rules);
	free(policy->syscalls_denied);
	free(policy->call_rules);
	free(policy->syscalls_allowed);
	free(policy->paths);
	free(policy->executables.programs);
	free(policy->executables.libraries);
}

struct policy *policy_unref(struct policy *policy)
{
	if (!policy)
		return NULL;
	assert(policy->n_references > 0);
	if (--policy->n_references > 0)
		return NULL;
	if (policy->acts_of)
		policy_unref(policy->acts_of);
	else
		free_acts(policy);
	free(policy->canonical);
	free(policy->text);
	free(policy->secrets);
	free(policy->audit.calls);
	free(policy);
	return NULL;
}

static int compare_call(const void *name, const void *call)
{
	return strcmp(name, ((const struct policy_call *)call)->name);
}

static int compare_name(const void *name, const void *other)
{
	return strcmp(name, other);
}

/* bsearch(3) of an empty list takes no NULL. */
bool policy_allows_call(const struct policy *policy, const char *name, enum policy_call_level level)
{
	if (policy->n_syscalls_denied > 0 &&
		bsearch(name, policy->syscalls_denied, policy->n_syscalls_denied,
			sizeof(*policy->syscalls_denied), compare_name))
		return false;
	if (policy->executables.limited && strcmp(name, POLICY_CALL_MEMORY_FILE) == 0)
		return false;
	return level <= policy->profile ||
	       (policy->n_syscalls_allowed > 0 &&
		       bsearch(name, policy->syscalls_allowed, policy->n_syscalls_allowed,
			       sizeof(*policy->syscalls_allowed), compare_call));
}
