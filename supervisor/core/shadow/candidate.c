#include "supervisor/core/shadow/candidate.h"

#include <stdio.h>
#include <string.h>

#include "supervisor/core/policies/staged.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"

#define IMAGES_LEFT 64 /* of ABI_IMAGES_MAX: these are not for candidates that tenants name */

const char *candidate_source_name(enum candidate_source source)
{
	switch (source) {
	case CANDIDATE_NONE:
		return NULL;
	case CANDIDATE_ADMINISTRATOR:
		return "administrator";
	case CANDIDATE_STAGED:
		return "staged";
	case CANDIDATE_TEMPLATE:
		return "template";
	case CANDIDATE_TENANT:
		return "tenant";
	case CANDIDATE_OWN:
		return "own";
	case CANDIDATE_LEARN:
		return "learn";
	}
	return NULL;
}

int candidate_get(const struct sandbox *sandbox, enum candidate_source source, const char *name,
	struct effective **ret_effective, struct refusal *why)
{
	return effective_get_as_written(sandbox->core->policies,
		source == CANDIDATE_OWN ? IMAGES_LEFT : 0, sandbox->tenant->row.policy,
		sandbox->template, name, ret_effective, why);
}

static int get_named(const struct sandbox *sandbox, enum candidate_source source, const char *name,
	struct candidate *ret_candidate, struct refusal *why)
{
	int r;

	if (!name[0])
		return 0;
	snprintf(ret_candidate->name, sizeof(ret_candidate->name), "%s", name);
	r = candidate_get(sandbox, source, name, &ret_candidate->effective, why);
	return r < 0 ? r : 1;
}

/* For a single sandbox. */
static int get_single(const struct sandbox *sandbox, enum candidate_source source, const char *name,
	struct candidate *ret_candidate, struct refusal *why)
{
	if (strcmp(name, CANDIDATE_NEVER) == 0)
		return 1;
	return get_named(sandbox, source, name, ret_candidate, why);
}

static int get_of_administrator(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why)
{
	return get_single(sandbox, CANDIDATE_ADMINISTRATOR, sandbox->shadow_administrators,
		ret_candidate, why);
}

static int get_own(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why)
{
	return get_single(sandbox, CANDIDATE_OWN, sandbox->shadow_own, ret_candidate, why);
}

static int get_staged(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why)
{
	int r = staged_candidate(sandbox, &ret_candidate->effective, why);

	if (r != 0)
		snprintf(ret_candidate->name, sizeof(ret_candidate->name), "%s",
			sandbox->effective->name);
	return r;
}

static int get_of_template(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why)
{
	return get_named(sandbox, CANDIDATE_TEMPLATE,
		template_shadow(sandbox->core, sandbox->template), ret_candidate, why);
}

static int get_of_tenant(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why)
{
	return get_named(sandbox, CANDIDATE_TENANT, sandbox->tenant->shadow, ret_candidate, why);
}

/* Last of all: the record says what the policy lacks unless somebody wants to know something else.
 */
static int get_learning(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why)
{
	if (!sandbox->effective->learns)
		return 0;
	return get_named(sandbox, CANDIDATE_LEARN, sandbox->effective->name, ret_candidate, why);
}

/* 1: it has decided; 0: it has nothing to say; a refusal, with the candidate's name. */
typedef int (*source_get)(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why);

static const struct {
	enum candidate_source source;
	source_get get;
} sources[] = {
	{CANDIDATE_ADMINISTRATOR, get_of_administrator},
	{CANDIDATE_STAGED, get_staged},
	{CANDIDATE_TEMPLATE, get_of_template},
	{CANDIDATE_TENANT, get_of_tenant},
	{CANDIDATE_OWN, get_own},
	{CANDIDATE_LEARN, get_learning},
};

int candidate_find(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why)
{
	*ret_candidate = (struct candidate){.source = CANDIDATE_NONE};
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		int r = sources[i].get(sandbox, ret_candidate, why);

		if (r == 0)
			continue;
		ret_candidate->source = sources[i].source;
		return r < 0 ? r : 0;
	}
	return 0;
}

int candidate_check_own(const struct sandbox *sandbox, struct refusal *why)
{
	static const struct {
		const char *whose, *until;
	} words[] = {
		[CANDIDATE_ADMINISTRATOR] = {"of this sandbox", "an administrator takes it away"},
		[CANDIDATE_STAGED] = {"of a staged version", "that is put in force or dropped"},
		[CANDIDATE_TEMPLATE] = {"of this template", "an administrator takes it away"},
		[CANDIDATE_TENANT] = {"of this tenant", "an administrator takes it away"},
	};
	enum candidate_source source = sandbox->shadow_source;

	if (source == CANDIDATE_NONE || source >= CANDIDATE_OWN)
		return 0;
	if (!sandbox->shadow_name[0])
		return refuse(why, WIRE_CODE_CONFLICT,
			"An administrator has said that no candidate is asked for this sandbox. "
			"That goes before its own until an administrator takes it back.");
	return refuse(why, WIRE_CODE_CONFLICT,
		"The administrator's candidate \"%s\" %s goes before a sandbox's own until %s.",
		sandbox->shadow_name, words[source].whose, words[source].until);
}
