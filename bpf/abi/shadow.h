/* What a candidate policy would have said, beside the policy in force. */
#pragma once

#include "bpf/abi/types.h"

#define ABI_SHADOWS_MAX 65536 /* rows of all slots together */

/* Generations of candidates have this bit, so that their tickets are never those of a policy in
 * force. */
#define ABI_SHADOW_GENERATION 0x80000000u

enum abi_shadow_outcome {
	ABI_SHADOW_AGREED = 1,
	ABI_SHADOW_WOULD_DENY = 2,
	ABI_SHADOW_WOULD_ALLOW = 3,
};

/* Key of the hash `shadows`. Value: __u64, how many decisions. */
struct abi_shadow_key {
	__u32 slot;
	__u32 generation; /* of the slot's word `shadow` */
	/* Of what allows: the candidate's rule, or the enforced policy's with WOULD_DENY.
	 * ABI_RULE_NONE: nothing does, or there was no room for a row of its own. */
	__u16 rule;
	__u8 outcome; /* enum abi_shadow_outcome */
	__u8 reserved;
};

_Static_assert(sizeof(struct abi_shadow_key) == 12, "no holes: hashed as bytes");
