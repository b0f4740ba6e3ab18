/* Policies made at random, the same in each run, so that a failure can be looked at again; and what
 * a candidate of them is to say beside a verdict. */
#pragma once

#include <stdint.h>

#include "bpf/abi/shadow.h"
#include "supervisor/policy/matcher.h"
#include "supervisor/policy/policy.h"

struct draw {
	uint64_t state; /* any number but 0 */
};

#define DRAW_SEED 0x9e3779b97f4a7c15ull

/* From 0 to `below` - 1. */
uint32_t draw(struct draw *from, uint32_t below);
/* With up to 40 rules for addresses, many of them special, some inside others. The caller's. */
struct policy *draw_policy(struct draw *from);

/* What the kernel must say of `candidate` (enum abi_shadow_outcome), beside `enforced`, which is
 * the verdict on `facts`; told by judging the act anew, not by the kernel's short cut. `ticket` is
 * the candidate's. `ret_rule` is the candidate's that allows it, or ABI_RULE_NONE. */
uint8_t draw_shadow_expected(const struct policy_matcher *candidate,
	const struct abi_ticket *ticket, const struct decide_facts *facts,
	struct decide_verdict enforced, uint16_t *ret_rule);
