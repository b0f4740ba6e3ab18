/* Which candidate a sandbox has, and who named it. */
#pragma once

#include "supervisor/core/policies/policies.h"

struct sandbox;

/* In the order of their precedence. */
enum candidate_source {
	CANDIDATE_NONE = 0,   /* nobody named one */
	CANDIDATE_OWN = 1,    /* the sandbox itself */
	CANDIDATE_STAGED = 2, /* what it would be judged by with a staged version */
	CANDIDATE_TEMPLATE = 3,
	CANDIDATE_TENANT = 4,
	CANDIDATE_LEARN = 5, /* its policy, which learns, as it is written */
};

/* "own", …; NULL for CANDIDATE_NONE. */
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
/* What `sandbox` would be judged by if it were under policy `name`; one in mode "learn" as it is
 * written. */
int candidate_get(const struct sandbox *sandbox, const char *name, struct effective **ret_effective,
	struct refusal *why);
