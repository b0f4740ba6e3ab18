/* A policy in mode "learn" says what it would allow, and takes nothing of what its bound allows:
 * who runs under it is judged by the bound, and the record shows what the policy lacks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "meet of policies"

const char *const policy_mode_names[] = {
	[POLICY_MODE_ENFORCE] = "enforce", [POLICY_MODE_LEARN] = "learn", NULL};

bool policy_name_binds(const char *name)
{
	return strcmp(name, POLICY_DENY_ALL) == 0 ||
	       strncmp(name, POLICY_OF_TEMPLATE, strlen(POLICY_OF_TEMPLATE)) == 0;
}

static int refuse_word(
	const struct policy_reader *reader, const struct policy_place *place, const char *word)
{
	const char *nearest = word ? policy_nearest(word, policy_mode_names) : NULL;

	if (word && strcmp(word, "shadow") == 0)
		return policy_fail(reader, place, -EINVAL,
			"A mode is \"enforce\" (also when it is left out) or \"learn\". A policy "
			"is a shadow of another one by the request that names it so.");
	if (nearest)
		return policy_fail(reader, place, -EINVAL,
			"There is no such mode; did you mean \"%s\"?", nearest);
	return policy_fail(reader, place, -EINVAL,
		"A mode is \"enforce\" (also when it is left out) or \"learn\".");
}

int policy_read_mode(const struct policy_reader *reader, const struct policy_place *root,
	const json_t *value, struct policy *policy)
{
	const struct policy_place place = {root, "mode", 0};
	const char *word = json_string_value(value);

	if (!value || (word && strcmp(word, policy_mode_names[POLICY_MODE_ENFORCE]) == 0))
		return 0;
	if (!word || strcmp(word, policy_mode_names[POLICY_MODE_LEARN]) != 0)
		return refuse_word(reader, &place, word);
	if (policy_name_binds(policy->name))
		return policy_fail(reader, &place, -EINVAL,
			"A policy of this name binds others, and what binds cannot learn: nothing "
			"would hold. Let a policy learn that requests name.");
	policy->mode = POLICY_MODE_LEARN;
	return 0;
}

/* `both` has nobody else: its lists are taken over. All that is not named here is the bound's, and
 * so is what is added to the language later, until it is. */
static struct policy *put_together(const struct policy *bound, struct policy *both)
{
	struct policy *policy = malloc(sizeof(*policy));

	if (!policy)
		return NULL;
	*policy = *bound;
	policy->n_references = 1;
	policy->acts_of = policy_ref((struct policy *)bound);
	policy->mode = POLICY_MODE_LEARN;
	policy->canonical = NULL;
	policy->text = NULL;
	policy->text_size_bytes = 0;
	policy->file_hash[0] = '\0';
	policy->limits = both->limits;
	policy->budgets = both->budgets;
	policy->lifecycle = both->lifecycle;
	policy->secrets = steal_ptr(&both->secrets);
	policy->n_secrets = both->n_secrets;
	policy->audit = both->audit;
	both->audit.calls = NULL;
	return policy;
}

int policy_meet_learning(const struct policy *bound, const struct policy *request,
	struct policy **ret_policy, struct failure *why)
{
	struct policy *both = NULL, *policy;
	int r;

	if (bound->mode != POLICY_MODE_ENFORCE)
		return failure_set(why, -EINVAL, STAGE,
			"\"%s\" is in mode \"learn\" itself, so it bounds nothing.", bound->name);
	r = policy_meet(bound, request, &both, why);
	if (r < 0)
		return r;
	policy = put_together(bound, both);
	policy_unref(both);
	if (!policy)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	r = policy_canonicalize(policy, NULL, why);
	if (r < 0) {
		policy_unref(policy);
		return r;
	}
	*ret_policy = policy;
	return 0;
}
