/* Inside the policy room: two policies on their way to be one. */
#pragma once

#include "supervisor/policy/policy.h"

#define MEET_PAIRS_MAX (1 << 18) /* of rules that are compared: the daemon waits for it */

struct meeting {
	const struct policy *bound, *request;
	struct policy *policy; /* what both allow, so far */
	size_t room, n_pairs;
	struct failure *why;
};

/* Refuses more pairs than MEET_PAIRS_MAX. Returns 0 or -E2BIG. */
int meet_count(struct meeting *meeting, size_t n_pairs);
/* Adds `rule` with the ports that both `a` and `b` have, if there are any; copies its name. Returns
 * 0, -E2BIG, -ENOMEM. */
int meet_add(struct meeting *meeting, const struct policy_rule *a, const struct policy_rule *b,
	struct policy_rule *rule);
/* Adds a copy of `rule`. Returns 0, -E2BIG, -ENOMEM. */
int meet_append(struct meeting *meeting, const struct policy_rule *rule);
/* The smaller of each budget. Refuses windows of different lengths: neither bounds the other.
 * Returns 0 or -EINVAL. */
int meet_budgets(struct meeting *meeting);
/* All that either records, and the harder of what follows from a loss. Returns 0, -E2BIG, -ENOMEM.
 */
int meet_audit(struct meeting *meeting);
/* Adds what both allow of names, behind what is there. Returns 0, -E2BIG, -ENOMEM. */
int meet_names(struct meeting *meeting);
/* The same for records of names: those of a name that both have. */
int meet_records(struct meeting *meeting);
/* The shorter of each time. */
void meet_lifecycle(struct meeting *meeting);
/* At each path the narrower. Returns 0, -E2BIG, -ENOMEM. */
int meet_paths(struct meeting *meeting);
/* What both let be executed, and mapped. Returns 0, -E2BIG, -ENOMEM. */
int meet_executables(struct meeting *meeting);
/* Puts both lists of them into the order of their paths, which readers and meets leave them in. */
void executables_sort(struct policy_executables *executables);
/* What either wants. Returns 0, -E2BIG, -ENOMEM. */
int meet_secrets(struct meeting *meeting);
/* The narrower profile, what either denies, and what both allow beyond that profile. Returns 0,
 * -E2BIG, -ENOMEM. */
int meet_calls(struct meeting *meeting);
