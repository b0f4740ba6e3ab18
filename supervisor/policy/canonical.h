/* Inside the policy room: the one text that stands for a policy, and its hash. */
#pragma once

#include <jansson.h>

#include "supervisor/base/failure.h"
#include "supervisor/policy/model.h"

/* Gives `object` the description of `section`, where that has one. 0, or -1 without memory. */
int policy_write_description(json_t *object, const json_t *section);
/* The budgets as JSON, with the description of `section`, owned by the caller; NULL when there is
 * no memory. */
json_t *policy_write_budgets(const struct policy_budgets *budgets, const json_t *section);

/* These likewise, without a description. */
json_t *policy_write_lifecycle(const struct policy_lifecycle *lifecycle);
json_t *policy_write_files(const struct policy *policy);
/* With the descriptions of `section`. */
json_t *policy_write_executables(
	const struct policy_executables *executables, const json_t *section);
json_t *policy_write_devices(const struct policy *policy);
json_t *policy_write_secrets(const struct policy *policy);
/* With the descriptions of the rules in `section`. */
json_t *policy_write_syscalls(const struct policy *policy, const json_t *section);
/* What is recorded, the same; NULL and `*ret_usual` when it is what a policy that says nothing has.
 */
json_t *policy_write_audit(
	const struct policy_audit *audit, const json_t *section, bool *ret_usual);

/* Sets `canonical` and `hash` from the rest of `policy`. `document`, what the policy was read from,
 * gives the descriptions. NULL: a meet, whose rules are not at the place that their id says, so
 * each is written with its "rule" instead. Returns 0, -ENOMEM, or -EIO when libcrypto fails, with
 * `why`. */
int policy_canonicalize(struct policy *policy, const json_t *document, struct failure *why);
