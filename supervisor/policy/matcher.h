/* The one matcher on the host: what the kernel's programs would decide by an image, decided by the
 * same bpf/lib/decide.h. Explaining, testing and replaying a policy all ask here. */
#pragma once

#include "bpf/lib/decide.h"
#include "supervisor/policy/policy.h"

struct policy_matcher;

/* Prepares `image` for lookups in O(log n): a copy, so `image` may go. Returns 0 or -ENOMEM. */
int policy_matcher_new(const struct policy_image *image, struct policy_matcher **ret_matcher);
/* Takes NULL, returns NULL. */
struct policy_matcher *policy_matcher_free(struct policy_matcher *matcher);

/* The image's rule for a destination, as judge_find_rule() in bpf/lib/judge.h finds it: the exact
 * rule, else the longest prefix's first range that fits. ABI_RULE_NONE without. */
uint16_t policy_matcher_find(const struct policy_matcher *matcher,
	const struct abi_address *address, uint16_t port, uint8_t protocol);

/* The ranges of the longest prefix that holds all of `key`; NULL without. Borrowed. */
const struct abi_cidr_value *policy_matcher_longest(
	const struct policy_matcher *matcher, const struct abi_cidr_key *key);

/* As judge_destination(): `facts->rule` is looked up and filled in. `matcher` NULL is an image
 * without rules. `ticket` is the one that is found under the address, NULL without. */
struct decide_verdict policy_judge(const struct policy_matcher *matcher,
	const struct abi_ticket *ticket, struct decide_facts *facts);
