/* Inside the policy room: compiling, with the rule that went too far. */
#pragma once

#include "supervisor/policy/policy.h"

/* As policy_compile(). On -E2BIG `*ret_rule` is the id of the rule at which a limit was passed, and
 * the sentence is in `why`, without a location. */
int compile_image(const struct policy *policy, struct policy_image **ret_image, uint16_t *ret_rule,
	struct failure *why);
