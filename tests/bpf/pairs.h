/* What the test of pairs and its kernel program hand each other. */
#pragma once

#include "bpf/abi/types.h"

#define PAIRS_MAX 4096 /* of one run */

/* An act towards a destination, and how it was judged; an element of the mmapable array `pairs`. */
struct pair {
	struct abi_address address;
	__u32 slot;
	__u16 port; /* host order */
	__u8 protocol, spent;
	__u8 verdict, reason; /* written by the program */
	__u16 rule;
	__u16 shadow_rule;   /* the candidate's that allows it, or ABI_RULE_NONE */
	__u8 shadow_outcome; /* enum abi_shadow_outcome, AGREED where it has no opinion */
	__u8 reserved;
};

_Static_assert(sizeof(struct pair) == 32, "shared with the program");
