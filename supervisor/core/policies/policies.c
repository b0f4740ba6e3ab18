#include "supervisor/core/policies/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/core/policies/audit-set.h"
#include "supervisor/core/policies/set.h"
#include "supervisor/core/tenants.h"

void policies_free_all(struct policy **all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		policy_unref(all[i]);
	free(all);
}

/* Policies and filters count levels alike. */
_Static_assert((int)POLICY_CALL_STRICT == (int)CONFINE_STRICT &&
		       (int)POLICY_CALL_DEFAULT == (int)CONFINE_DEFAULT &&
		       (int)POLICY_CALL_DEBUG == (int)CONFINE_DEBUG &&
		       (int)POLICY_CALL_OPENABLE == (int)CONFINE_OPENABLE &&
		       (int)POLICY_CALL_NEVER == (int)CONFINE_NEVER,
	"levels of system calls");
_Static_assert(POLICY_CALL_NAME_SIZE == CONFINE_CALL_NAME_SIZE, "names of system calls");

const struct policy_calls policies_known_calls = {confine_call_level, confine_call_name};

void policies_put_in_force(struct policies *policies, struct policy **all, size_t n)
{
	policies_free_all(policies->all, policies->n);
	policies->all = all;
	policies->n = n;
	for (struct effective *each = policies->effectives; each; each = each->next)
		each->current = false;
}

int policies_reload(struct policies *policies, struct failure *why)
{
	struct policy **all = NULL;
	size_t n = 0;
	int r = policy_load_dir(policies->directory, &policies_known_calls, &all, &n, why);

	if (r == 0)
		policies_put_in_force(policies, all, n);
	return r;
}

const struct policy *policies_find_in(struct policy *const *all, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

int policies_open(const char *directory, struct policies **ret_policies, struct failure *why)
{
	struct policies *policies = calloc(1, sizeof(*policies));
	int r;

	if (!policies)
		return failure_set(why, -ENOMEM, "policies", "out of memory");
	policies->directory = directory;
	r = policies_reload(policies, why);
	if (r < 0) {
		free(policies);
		return r;
	}
	*ret_policies = policies;
	return 0;
}

void policies_set_enforce(struct policies *policies, struct enforce *enforce)
{
	policies->enforce = enforce;
}

struct policies *policies_free(struct policies *policies)
{
	if (!policies)
		return NULL;
	policies_free_all(policies->all, policies->n);
	free(policies);
	return NULL;
}

const struct policy *policies_find(const struct policies *policies, const char *name)
{
	return policies_find_in(policies->all, policies->n, name);
}

size_t policies_count(const struct policies *policies)
{
	return policies->n;
}

const struct policy *policies_at(const struct policies *policies, size_t index)
{
	return policies->all[index];
}

struct effective *effective_ref(struct effective *effective)
{
	effective->n_references++;
	return effective;
}

struct effective *effective_unref(struct effective *effective)
{
	struct effective **link;

	if (!effective || --effective->n_references > 0)
		return NULL;
	for (link = &effective->owner->effectives; *link != effective; link = &(*link)->next)
		;
	*link = effective->next;
	enforce_image_release(effective->owner->enforce, effective->image);
	policy_unref(effective->policy);
	free(effective->filter);
	free(effective);
	return NULL;
}

/* Those of the list, and what would make a program of memory. Returns how many. */
static size_t list_denied(const struct policy *policy, char (*ret_denied)[CONFINE_CALL_NAME_SIZE])
{
	size_t n = policy->n_syscalls_denied;

	if (n > 0)
		memcpy(ret_denied, policy->syscalls_denied, n * sizeof(*ret_denied));
	if (policy->executables.limited)
		strcpy(ret_denied[n++], POLICY_CALL_MEMORY_FILE);
	return n;
}

/* A few microseconds, once for each effective policy. */
static int make_filter(struct effective *effective, struct failure *why)
{
	const struct policy *policy = effective->policy;
	_cleanup_free_ char(*denied)[CONFINE_CALL_NAME_SIZE] =
		calloc(policy->n_syscalls_denied + 1, sizeof(*denied));
	_cleanup_free_ char(*allowed)[CONFINE_CALL_NAME_SIZE] =
		calloc(policy->n_syscalls_allowed + 1, sizeof(*allowed));
	struct confine_calls calls = {.profile = (enum confine_level)policy->profile,
		.allowed = (const char(*)[CONFINE_CALL_NAME_SIZE])allowed,
		.n_allowed = policy->n_syscalls_allowed,
		.denied = (const char(*)[CONFINE_CALL_NAME_SIZE])denied,
		.rules = policy->call_rules,
		.n_rules = policy->n_call_rules};

	if (!allowed || !denied)
		return failure_set(why, -ENOMEM, "system call filter", "out of memory");
	for (size_t i = 0; i < policy->n_syscalls_allowed; i++)
		memcpy(allowed[i], policy->syscalls_allowed[i].name, sizeof(allowed[i]));
	calls.n_denied = list_denied(policy, denied);
	return confine_policy_filter(&calls, &effective->filter, &effective->n_filter, why);
}

/* `n_left`: so many images are not for this one. */
static int install(struct policies *policies, struct effective *effective, uint32_t n_left,
	struct refusal *why)
{
	struct policy_image *image = NULL;
	struct failure failure = {0};
	struct abi_audit_set audited;
	int r;

	if (n_left && !enforce_image_leaves(policies->enforce, effective->policy->hash, n_left))
		return refuse(why, WIRE_CODE_LIMIT,
			"Of the %d different policies that the kernel has room for, the last %u "
			"are not for candidates that tenants name, and \"%s\" would be one of "
			"them.",
			ABI_IMAGES_MAX - 1, n_left, effective->policy->name);
	r = make_filter(effective, &failure);
	if (r == 0)
		r = policy_compile(effective->policy, &image, &failure);
	if (r < 0)
		return refuse(why, WIRE_CODE_UNAVAILABLE, "Policy \"%s\" cannot be enforced: %s",
			effective->policy->name, failure.sentence);
	r = enforce_image_take(
		policies->enforce, effective->policy->hash, image, &effective->image);
	policy_image_free(image);
	if (r < 0)
		return refuse(why, WIRE_CODE_LIMIT,
			"The kernel has no room for policy \"%s\" (%s): %d different policies may "
			"be in "
			"force at once.",
			effective->policy->name, strerror(-r), ABI_IMAGES_MAX - 1);
	audit_set_make(effective->policy, effective->filter, effective->n_filter, &audited);
	r = enforce_image_set_audit(policies->enforce, effective->image, &audited);
	if (r < 0) {
		enforce_image_release(policies->enforce, effective->image);
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"The audit of policy \"%s\" cannot be set up: %s.", effective->policy->name,
			strerror(-r));
	}
	return 0;
}

/* The names that an effective policy is found by, and what they stand for; NULL: no such layer. */
struct layers {
	const char *bound_name, *name;
	char template_name[POLICY_NAME_SIZE];
	const struct policy *bound, *template, *wanted;
	bool learns;
	uint32_t n_left;
};

/* The bound under the template's policy, keeping the numbers of the bound's rules, around what
 * learns. */
static int meet_learning(
	const struct layers *layers, struct policy **ret_policy, struct refusal *why)
{
	const struct policy *template = layers->template == layers->bound ? NULL : layers->template;
	struct policy *outer = NULL;
	struct failure failure = {0};
	int r = policy_meet(template, layers->bound, &outer, &failure);

	if (r < 0)
		return refuse(why, WIRE_CODE_INVALID,
			"The tenant's policy \"%s\" under the template's \"%s\": %s",
			layers->bound_name, layers->template_name, failure.sentence);
	r = policy_meet_learning(outer, layers->wanted, ret_policy, &failure);
	policy_unref(outer);
	if (r < 0)
		return refuse(why, WIRE_CODE_INVALID, "Policy \"%s\" under the tenant's \"%s\": %s",
			layers->name, layers->bound_name, failure.sentence);
	return 0;
}

static int meet_layers(const struct layers *layers, struct policy **ret_policy, struct refusal *why)
{
	struct policy *inner = NULL;
	struct failure failure = {0};
	/* A layer needs no meet with itself. */
	const struct policy *template =
		layers->template == layers->wanted ? NULL : layers->template;
	const struct policy *bound = layers->bound == layers->wanted ? NULL : layers->bound;
	int r = policy_meet(template, layers->wanted, &inner, &failure);

	if (r < 0)
		return refuse(why, WIRE_CODE_INVALID,
			"Policy \"%s\" under the template's \"%s\": %s", layers->name,
			layers->template_name, failure.sentence);
	r = policy_meet(bound, inner, ret_policy, &failure);
	policy_unref(inner);
	if (r < 0)
		return refuse(why, WIRE_CODE_INVALID, "Policy \"%s\" under the tenant's \"%s\": %s",
			layers->name, layers->bound_name, failure.sentence);
	return 0;
}

static int meet(const struct layers *layers, struct policy **ret_policy, struct refusal *why)
{
	return layers->learns ? meet_learning(layers, ret_policy, why)
			      : meet_layers(layers, ret_policy, why);
}

static int make(struct policies *policies, const struct policies_draft *draft,
	const struct layers *layers, struct effective **ret_effective, struct refusal *why)
{
	struct effective *effective = calloc(1, sizeof(*effective));
	int r;

	if (!effective)
		return refuse(why, WIRE_CODE_INTERNAL, "Out of memory.");
	r = meet(layers, &effective->policy, why);
	if (r == 0)
		r = install(policies, effective, layers->n_left, why);
	if (r < 0) {
		policy_unref(effective->policy);
		free(effective->filter);
		free(effective);
		return r;
	}
	effective->owner = policies;
	effective->n_references = 1;
	effective->current = true;
	effective->learns = layers->learns;
	snprintf(effective->name, sizeof(effective->name), "%s", layers->wanted->name);
	snprintf(effective->hash_asked, sizeof(effective->hash_asked), "%s", layers->wanted->hash);
	snprintf(effective->bound, sizeof(effective->bound), "%s", layers->bound_name);
	if (layers->template)
		snprintf(effective->template, sizeof(effective->template), "%s",
			layers->template_name);
	effective->draft = draft;
	if (draft) {
		const struct policy *staged = policies_draft_find(draft, draft->name);

		snprintf(effective->staged, sizeof(effective->staged), "%s", draft->name);
		snprintf(
			effective->staged_hash, sizeof(effective->staged_hash), "%s", staged->hash);
	}
	effective->next = policies->effectives;
	policies->effectives = effective;
	*ret_effective = effective;
	return 0;
}

static struct effective *find_current(const struct policies *policies,
	const struct policies_draft *draft, const struct layers *layers)
{
	const char *template = layers->template ? layers->template_name : "";

	for (struct effective *each = policies->effectives; each; each = each->next)
		if (each->current && each->draft == draft && each->learns == layers->learns &&
			strcmp(each->bound, layers->bound_name) == 0 &&
			strcmp(each->template, template) == 0 &&
			strcmp(each->name, layers->name) == 0)
			return each;
	return NULL;
}

static bool is_learning(const struct policy *policy)
{
	return policy && policy->mode == POLICY_MODE_LEARN;
}

/* What binds holds, or nothing does. */
static int check_modes(const struct layers *layers, bool unbound, struct refusal *why)
{
	if (is_learning(layers->bound) || is_learning(layers->template))
		return refuse(why, WIRE_CODE_CONFLICT,
			"The sandbox would be bound by policy \"%s\", which is in mode \"learn\" "
			"and "
			"bounds nothing, so nothing may start. Ask the administrator to enforce "
			"it.",
			is_learning(layers->bound) ? layers->bound_name : layers->template_name);
	if (layers->learns && unbound)
		return refuse(why, WIRE_CODE_CONFLICT,
			"Policy \"%s\" is in mode \"learn\", in which all passes that the tenant's "
			"policy allows, and this tenant is not bound by any. Use a tenant that is.",
			layers->name);
	return 0;
}

static const struct policy *find(
	const struct policies *policies, const struct policies_draft *draft, const char *name)
{
	return draft ? policies_draft_find(draft, name) : policies_find(policies, name);
}

/* The names, and of the policies all but the bound. */
static void name_layers(const struct policies *policies, const struct policies_draft *draft,
	const char *bound, const char *template, const char *name, struct layers *ret_layers)
{
	struct layers layers = {.bound_name = bound, .name = name};

	if (!name[0])
		layers.name =
			strcmp(bound, STORE_TENANT_UNBOUND) == 0 ? TENANT_POLICY_DEFAULT : bound;
	snprintf(layers.template_name, sizeof(layers.template_name), POLICY_OF_TEMPLATE "%s",
		template);
	layers.template = find(policies, draft, layers.template_name);
	layers.wanted = find(policies, draft, layers.name);
	layers.learns = is_learning(layers.wanted);
	*ret_layers = layers;
}

static int find_bound(const struct policies *policies, const struct policies_draft *draft,
	struct layers *layers, struct refusal *why)
{
	bool unbound = strcmp(layers->bound_name, STORE_TENANT_UNBOUND) == 0;

	if (!layers->wanted)
		return refuse(why, WIRE_CODE_NOT_FOUND,
			"There is no policy \"%s\". GET /v1/policies lists those in force.",
			layers->name);
	layers->bound = unbound ? NULL : find(policies, draft, layers->bound_name);
	if (!unbound && !layers->bound)
		return refuse(why, WIRE_CODE_CONFLICT,
			"The tenant is bound by policy \"%s\", which is not loaded, so nothing may "
			"start. Ask the administrator to load it.",
			layers->bound_name);
	return check_modes(layers, unbound, why);
}

int policies_meet(const struct policies *policies, const struct policies_draft *draft,
	const char *bound, const char *template, const char *name, struct policy **ret_policy,
	struct refusal *why)
{
	struct layers layers;
	int r;

	name_layers(policies, draft, bound, template, name, &layers);
	r = find_bound(policies, draft, &layers, why);
	return r < 0 ? r : meet(&layers, ret_policy, why);
}

static int get(struct policies *policies, const struct policies_draft *draft, struct layers *layers,
	struct effective **ret_effective, struct refusal *why)
{
	struct effective *found = find_current(policies, draft, layers);
	int r;

	if (found) {
		*ret_effective = effective_ref(found);
		return 0;
	}
	r = find_bound(policies, draft, layers, why);
	return r < 0 ? r : make(policies, draft, layers, ret_effective, why);
}

int effective_get_drafted(struct policies *policies, const struct policies_draft *draft,
	const char *bound, const char *template, const char *name, struct effective **ret_effective,
	struct refusal *why)
{
	struct layers layers;

	name_layers(policies, draft, bound, template, name, &layers);
	return get(policies, draft, &layers, ret_effective, why);
}

int effective_get(struct policies *policies, const char *bound, const char *template,
	const char *name, struct effective **ret_effective, struct refusal *why)
{
	return effective_get_drafted(policies, NULL, bound, template, name, ret_effective, why);
}

int effective_get_as_written(struct policies *policies, uint32_t n_left, const char *bound,
	const char *template, const char *name, struct effective **ret_effective,
	struct refusal *why)
{
	struct layers layers;

	name_layers(policies, NULL, bound, template, name, &layers);
	layers.learns = false;
	layers.n_left = n_left;
	return get(policies, NULL, &layers, ret_effective, why);
}

const char *effective_find_layer(
	const struct effective *effective, policy_amount amount, char ret_text[POLICY_LAYER_SIZE])
{
	const struct {
		const char *words, *name;
	} layers[] = {{"the tenant's policy", effective->bound},
		{"the template's policy", effective->template}};

	snprintf(ret_text, POLICY_LAYER_SIZE, "policy \"%s\"", effective->name);
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
		const struct policy *policy = policies_find(effective->owner, layers[i].name);

		if (!policy || strcmp(policy->name, effective->name) == 0 ||
			amount(policy) > amount(effective->policy))
			continue;
		snprintf(ret_text, POLICY_LAYER_SIZE, "%s \"%s\"", layers[i].words, policy->name);
		break;
	}
	return ret_text;
}
