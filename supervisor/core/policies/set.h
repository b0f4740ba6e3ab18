/* Inside core: what policies.c and policies/draft.c share. */
#pragma once

#include "supervisor/core/policies/policies.h"

struct policies {
	struct enforce *enforce;
	const char *directory;
	struct policy **all;
	size_t n;
	struct effective *effectives;
};

/* What would come of three names. */
struct draft_meet {
	char bound[POLICY_NAME_SIZE], template[POLICY_NAME_SIZE], name[POLICY_NAME_SIZE];
	char hash[POLICY_HASH_SIZE]; /* empty: they have no meet */
};

struct policies_draft {
	struct policy **all;
	size_t n;
	char name[POLICY_NAME_SIZE]; /* whose text was put in; empty: nobody's */
	struct draft_meet *meets;
	size_t n_meets;
};

extern const struct policy_calls policies_known_calls;

void policies_put_in_force(struct policies *policies, struct policy **all, size_t n);
void policies_free_all(struct policy **all, size_t n);
const struct policy *policies_find_in(struct policy *const *all, size_t n, const char *name);
/* The meet that effective_get_drafted() would put into the kernel. */
int policies_meet(const struct policies *policies, const struct policies_draft *draft,
	const char *bound, const char *template, const char *name, struct policy **ret_policy,
	struct refusal *why);
