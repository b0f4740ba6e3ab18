/* Fixed-width types and limits shared by the kernel programs and user space. */
#pragma once

#ifdef __BPF__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

#define ABI_VERSION 9

#define ABI_SLOTS_MAX 16384        /* sandboxes alive at once, warm ones included */
#define ABI_IMAGES_MAX 128         /* different effective policies in force at once */
#define ABI_EXACT_RULES_MAX 262144 /* exact rules of all images together */
#define ABI_CIDR_RULES_MAX 16384   /* prefixes of one image */
#define ABI_PORT_RANGES_MAX 16     /* port ranges that apply to one prefix */
#define ABI_FLOWS_MAX 65536        /* relayed connections open at once */

#define ABI_IMAGE_NONE 0 /* image 0 is never filled: it denies all */

/* Addresses are 16 bytes in network order; IPv4 is ::ffff:a.b.c.d, so that a mapped address and the
 * IPv4 address are one and the same. */
struct abi_address {
	__u8 bytes[16];
};
