/* What would be in force if a policy had another text. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/core/policies/file.h"
#include "supervisor/core/policies/set.h"
#include "supervisor/store/store.h"

#define MEETS_MAX                                                                                  \
	1024 /* that are remembered: a tenant's policy, a template's, the one asked for            \
	      */

/* Over the directory, or over what is in force. */
static int make_draft(const struct policies *policies, bool in_force,
	const struct policy_overlay *overlay, struct policies_draft **ret_draft,
	struct failure *why)
{
	struct policies_draft *draft = calloc(1, sizeof(*draft));
	int r;

	if (!draft)
		return failure_set(why, -ENOMEM, "policies", "There is no memory left.");
	if (overlay)
		snprintf(draft->name, sizeof(draft->name), "%s", overlay->name);
	r = in_force ? policy_load_over(policies->all, policies->n, &policies_known_calls, overlay,
			       &draft->all, &draft->n, why)
		     : policy_load_dir_with(policies->directory, &policies_known_calls, overlay,
			       &draft->all, &draft->n, why);
	if (r < 0) {
		free(draft);
		return r;
	}
	*ret_draft = draft;
	return 0;
}

int policies_draft(const struct policies *policies, const char *name, const char *text,
	size_t size_bytes, struct policies_draft **ret_draft, struct failure *why)
{
	const struct policy_overlay overlay = {name, text, size_bytes};

	return make_draft(policies, false, name ? &overlay : NULL, ret_draft, why);
}

int policies_draft_over(const struct policies *policies, const char *name, const char *text,
	size_t size_bytes, struct policies_draft **ret_draft, struct failure *why)
{
	const struct policy_overlay overlay = {name, text, size_bytes};

	return make_draft(policies, true, &overlay, ret_draft, why);
}

const struct policy *policies_draft_find(const struct policies_draft *draft, const char *name)
{
	return policies_find_in(draft->all, draft->n, name);
}

size_t policies_draft_count(const struct policies_draft *draft)
{
	return draft->n;
}

void policies_draft_compare(const struct policies *policies, const struct policies_draft *draft,
	policies_change_callback callback, void *userdata)
{
	for (size_t i = 0; i < draft->n; i++) {
		const struct policy *after = draft->all[i];
		const struct policy *before =
			policies_find_in(policies->all, policies->n, after->name);

		if (!before || strcmp(before->hash, after->hash) != 0 ||
			strcmp(before->file_hash, after->file_hash) != 0)
			callback(before, after, userdata);
	}
	for (size_t i = 0; i < policies->n; i++)
		if (!policies_draft_find(draft, policies->all[i]->name))
			callback(policies->all[i], NULL, userdata);
}

int policies_draft_write(
	const struct policies *policies, const struct policies_draft *draft, const char *name)
{
	const struct policy *policy = policies_draft_find(draft, name);

	return policy_file_write(policies->directory, name, policy->text, policy->text_size_bytes);
}

void policies_draft_enforce(struct policies *policies, struct policies_draft *draft)
{
	policies_put_in_force(policies, draft->all, draft->n);
	free(draft->meets);
	free(draft);
}

struct policies_draft *policies_draft_free(struct policies_draft *draft)
{
	if (!draft)
		return NULL;
	policies_free_all(draft->all, draft->n);
	free(draft->meets);
	free(draft);
	return NULL;
}

struct policies_draft *policies_draft_retire(
	struct policies *policies, struct policies_draft *draft)
{
	for (struct effective *each = policies->effectives; each; each = each->next)
		if (each->draft == draft) {
			each->current = false;
			each->draft = NULL;
		}
	return policies_draft_free(draft);
}

/* Whether a policy is another in the draft, is new there, or is gone. */
static bool differs(
	const struct policies *policies, const struct policies_draft *draft, const char *name)
{
	const struct policy *before = policies_find(policies, name);
	const struct policy *after = policies_draft_find(draft, name);

	if (!before || !after)
		return before || after;
	return strcmp(before->hash, after->hash) != 0;
}

static struct draft_meet *find_meet(
	const struct policies_draft *draft, const struct draft_meet *key)
{
	for (size_t i = 0; i < draft->n_meets; i++)
		if (strcmp(draft->meets[i].name, key->name) == 0 &&
			strcmp(draft->meets[i].bound, key->bound) == 0 &&
			strcmp(draft->meets[i].template, key->template) == 0)
			return &draft->meets[i];
	return NULL;
}

/* Not remembered, it is made again: that is no error. */
static void remember(struct policies_draft *draft, const struct draft_meet *meet)
{
	struct draft_meet *larger;

	if (draft->n_meets == MEETS_MAX)
		return;
	larger = reallocarray(draft->meets, draft->n_meets + 1, sizeof(*larger));
	if (!larger)
		return;
	draft->meets = larger;
	draft->meets[draft->n_meets++] = *meet;
}

int policies_draft_meet(const struct policies *policies, struct policies_draft *draft,
	const char *bound, const char *template, const char *name, char ret_hash[POLICY_HASH_SIZE])
{
	char template_name[POLICY_NAME_SIZE];
	struct draft_meet meet = {0};
	const struct draft_meet *found;
	struct policy *policy = NULL;
	struct refusal why;

	snprintf(template_name, sizeof(template_name), POLICY_OF_TEMPLATE "%s", template);
	if (!differs(policies, draft, name) && !differs(policies, draft, template_name) &&
		(strcmp(bound, STORE_TENANT_UNBOUND) == 0 || !differs(policies, draft, bound)))
		return 0;
	snprintf(meet.bound, sizeof(meet.bound), "%s", bound);
	snprintf(meet.template, sizeof(meet.template), "%s", template);
	snprintf(meet.name, sizeof(meet.name), "%s", name);
	found = find_meet(draft, &meet);
	if (!found) {
		if (policies_meet(policies, draft, bound, template, name, &policy, &why) == 0)
			memcpy(meet.hash, policy->hash, sizeof(meet.hash));
		policy_unref(policy);
		remember(draft, &meet);
		found = &meet;
	}
	memcpy(ret_hash, found->hash, POLICY_HASH_SIZE);
	return 1;
}
