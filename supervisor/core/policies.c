#include "supervisor/core/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/core/audit-set.h"
#include "supervisor/core/policy-file.h"
#include "supervisor/core/tenants.h"

struct policies {
	struct enforce *enforce;
	const char *directory;
	struct policy **all;
	size_t n;
	struct effective *effectives;
};

static void free_all(struct policy **all, size_t n)
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

static const struct policy_calls known_calls = {confine_call_level, confine_call_name};

static void put_in_force(struct policies *policies, struct policy **all, size_t n)
{
	free_all(policies->all, policies->n);
	policies->all = all;
	policies->n = n;
	for (struct effective *each = policies->effectives; each; each = each->next)
		each->current = false;
}

int policies_reload(struct policies *policies, struct failure *why)
{
	struct policy **all = NULL;
	size_t n = 0;
	int r = policy_load_dir(policies->directory, &known_calls, &all, &n, why);

	if (r == 0)
		put_in_force(policies, all, n);
	return r;
}

struct policies_draft {
	struct policy **all;
	size_t n;
};

int policies_draft(const struct policies *policies, const char *name, const char *text,
	size_t size_bytes, struct policies_draft **ret_draft, struct failure *why)
{
	const struct policy_overlay overlay = {name, text, size_bytes};
	struct policies_draft *draft = calloc(1, sizeof(*draft));
	int r;

	if (!draft)
		return failure_set(why, -ENOMEM, "policies", "There is no memory left.");
	r = policy_load_dir_with(policies->directory, &known_calls, name ? &overlay : NULL,
		&draft->all, &draft->n, why);
	if (r < 0) {
		free(draft);
		return r;
	}
	*ret_draft = draft;
	return 0;
}

static const struct policy *find(struct policy *const *all, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

const struct policy *policies_draft_find(const struct policies_draft *draft, const char *name)
{
	return find(draft->all, draft->n, name);
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
		const struct policy *before = find(policies->all, policies->n, after->name);

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
	put_in_force(policies, draft->all, draft->n);
	free(draft);
}

struct policies_draft *policies_draft_free(struct policies_draft *draft)
{
	if (!draft)
		return NULL;
	free_all(draft->all, draft->n);
	free(draft);
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
	free_all(policies->all, policies->n);
	free(policies);
	return NULL;
}

const struct policy *policies_find(const struct policies *policies, const char *name)
{
	return find(policies->all, policies->n, name);
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

static int install(struct policies *policies, struct effective *effective, struct refusal *why)
{
	struct policy_image *image = NULL;
	struct failure failure = {0};
	struct abi_audit_set audited;
	int r = make_filter(effective, &failure);

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
	const char *bound_name, *template_name, *name;
	const struct policy *bound, *template, *wanted;
	bool learns;
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

static int make(struct policies *policies, const struct layers *layers,
	struct effective **ret_effective, struct refusal *why)
{
	struct effective *effective = calloc(1, sizeof(*effective));
	int r;

	if (!effective)
		return refuse(why, WIRE_CODE_INTERNAL, "Out of memory.");
	r = layers->learns ? meet_learning(layers, &effective->policy, why)
			   : meet_layers(layers, &effective->policy, why);
	if (r == 0)
		r = install(policies, effective, why);
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
	effective->next = policies->effectives;
	policies->effectives = effective;
	*ret_effective = effective;
	return 0;
}

static struct effective *find_current(const struct policies *policies, const struct layers *layers)
{
	const char *template = layers->template ? layers->template_name : "";

	for (struct effective *each = policies->effectives; each; each = each->next)
		if (each->current && each->learns == layers->learns &&
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

static int get(struct policies *policies, struct layers *layers, bool unbound,
	struct effective **ret_effective, struct refusal *why)
{
	struct effective *found = find_current(policies, layers);
	int r;

	if (found) {
		*ret_effective = effective_ref(found);
		return 0;
	}
	if (!layers->wanted)
		return refuse(why, WIRE_CODE_NOT_FOUND,
			"There is no policy \"%s\". GET /v1/policies lists those in force.",
			layers->name);
	layers->bound = unbound ? NULL : policies_find(policies, layers->bound_name);
	if (!unbound && !layers->bound)
		return refuse(why, WIRE_CODE_CONFLICT,
			"The tenant is bound by policy \"%s\", which is not loaded, so nothing may "
			"start. Ask the administrator to load it.",
			layers->bound_name);
	r = check_modes(layers, unbound, why);
	return r < 0 ? r : make(policies, layers, ret_effective, why);
}

static int get_in_mode(struct policies *policies, const char *bound, const char *template,
	const char *name, bool as_written, struct effective **ret_effective, struct refusal *why)
{
	bool unbound = strcmp(bound, STORE_TENANT_UNBOUND) == 0;
	char template_name[POLICY_NAME_SIZE];
	struct layers layers = {.bound_name = bound, .template_name = template_name, .name = name};

	if (!name[0])
		layers.name = unbound ? TENANT_POLICY_DEFAULT : bound;
	snprintf(template_name, sizeof(template_name), POLICY_OF_TEMPLATE "%s", template);
	layers.template = policies_find(policies, template_name);
	layers.wanted = policies_find(policies, layers.name);
	layers.learns = !as_written && is_learning(layers.wanted);
	return get(policies, &layers, unbound, ret_effective, why);
}

int effective_get(struct policies *policies, const char *bound, const char *template,
	const char *name, struct effective **ret_effective, struct refusal *why)
{
	return get_in_mode(policies, bound, template, name, false, ret_effective, why);
}

int effective_get_as_written(struct policies *policies, const char *bound, const char *template,
	const char *name, struct effective **ret_effective, struct refusal *why)
{
	return get_in_mode(policies, bound, template, name, true, ret_effective, why);
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
