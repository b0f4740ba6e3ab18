/* What the kernel programs would decide, decided on the host: the same bpf/lib/decide.h over a
 * compiled image. For tests and for explaining a policy; needs no privileges. */
#pragma once

#include "bpf/lib/decide.h"
#include "supervisor/policy/policy.h"

/* `facts->rule` is looked up and filled in. Borrows `image`; NULL is an image without rules.
 * `ticket` is the one that is found under the address, NULL without. */
struct decide_verdict enforce_judge(const struct policy_image *image,
	const struct abi_ticket *ticket, struct decide_facts *facts);
