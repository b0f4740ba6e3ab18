/* What a loaded set of programs and maps says of itself, so that a later process can take it over.
 */
#pragma once

#include "bpf/abi/types.h"

/* The one value of the array `meta`, written by user space. */
struct abi_meta {
	__u32 version;  /* ABI_VERSION */
	__u32 complete; /* 1 once everything is attached and pinned */
	__u64 digest;   /* of the object file that the programs come from */
	__u64 cgroup;   /* id of the parent cgroup */
	__u32 level;    /* depth of a sandbox's cgroup below the root of the hierarchy */
	__u32 reserved;
};

_Static_assert(sizeof(struct abi_meta) == 32, "read by later versions");

/* Value of the array `images`, by image: which policy lies in it. Written by user space only: the
 * programs judge by the rules and never look here. */
struct abi_image_row {
	char hash[64];  /* no NUL: hex SHA-256 of the policy fills it */
	__u32 complete; /* 1 once all rules are in; 0: unused, or not to be trusted */
	__u32 reserved;
};

_Static_assert(sizeof(struct abi_image_row) == 72, "read by later versions");
