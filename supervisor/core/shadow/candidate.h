/* Which candidate a sandbox has, and who named it.
 *
 * All that only administrators can name goes before what a tenant's key named: an administrator who
 * decides by a candidate's sums must not have sandboxes missing in them because their tenant wanted
 * it so. */
#pragma once

#include "supervisor/core/policies/policies.h"

struct sandbox;

/* In the order of their precedence. */
enum candidate_source {
	CANDIDATE_NONE = 0,          /* nobody named one */
	CANDIDATE_ADMINISTRATOR = 1, /* an administrator's key, for this sandbox alone */
	CANDIDATE_STAGED = 2,        /* what it would be judged by with a staged version */
	CANDIDATE_TEMPLATE = 3,
	CANDIDATE_TENANT = 4,
	CANDIDATE_OWN = 5,   /* its tenant's key, for this sandbox alone */
	CANDIDATE_LEARN = 6, /* its policy, which learns, as it is written */
};

/* "administrator", …; NULL for CANDIDATE_NONE. */
const char *candidate_source_name(enum candidate_source source);

/* Instead of a name, for a single sandbox: none is to be asked, whatever others name. */
#define CANDIDATE_NEVER "-"

struct candidate {
	enum candidate_source source;
	char name[POLICY_NAME_SIZE];
	struct effective *effective; /* a reference; NULL: there is none */
};

/* The first source that has something to say decides. A refusal: its candidate, `ret_candidate`
 * without `effective`, cannot be made; nobody else is asked then. */
int candidate_find(
	const struct sandbox *sandbox, struct candidate *ret_candidate, struct refusal *why);
/* Whether what the sandbox's tenant names would decide. CONFLICT when an administrator's candidate
 * goes before it, with whose it is and how long. */
int candidate_check_own(const struct sandbox *sandbox, struct refusal *why);
/* What `sandbox` would be judged by if it were under policy `name`, which `source` named; one in
 * mode "learn" as it is written. What tenants name is refused (LIMIT) when it would take one of the
 * last images of the kernel: with candidates a tenant must not keep others' claims from starting.
 */
int candidate_get(const struct sandbox *sandbox, enum candidate_source source, const char *name,
	struct effective **ret_effective, struct refusal *why);
