/* What a sandbox, or all of a tenant's together, may use in all, or in each window of time: counted
 * and kept by the kernel. */
#pragma once

#include "bpf/abi/types.h"

/* Stable numbers: they are bits in records. */
enum abi_budget_counter {
	ABI_BUDGET_BYTES_OUT = 0, /* IP bytes of relayed connections, as in struct abi_counters */
	ABI_BUDGET_BYTES_IN = 1,
	ABI_BUDGET_CONNECTIONS = 2, /* relayed ones that were allowed */
	ABI_BUDGET_DNS_QUERIES = 3, /* to the sandbox's resolver, answered or not */
	ABI_BUDGET_COUNTERS = 4,
};

#define ABI_BUDGET_BIT(counter) (1u << (counter))
/* The tenant's budgets are bits above the sandbox's. */
#define ABI_BUDGET_TENANT_BIT(counter) (16u << (counter))
#define ABI_BUDGET_TENANT_SHIFT 4

#define ABI_TENANT_BUDGETS_MAX 4097 /* rows; 0 is nobody's */

/* `used` only grows, in the programs; what counts is how far it is above `base`, which a new window
 * moves up. So nothing that is counted while a window ends is ever lost. */
struct abi_budget_row {
	__u64 limit; /* 0: none, and nothing is counted; written by user space */
	__u64 used;
	__u64 base;
	__u64 reported; /* `start_ns` of the window in which a refused packet was reported */
};

/* Value of the mmapable arrays `budgets`, by slot, and `tenant_budgets`, by the row that the slot
 * names. A policy's swap leaves `used` as it is. */
struct abi_budget {
	__u64 owner; /* of a tenant's row: its id, 0 when the row is free; written by user space */
	__u64 window_ns; /* 0: one window, as long as the owner lives; written by user space */
	__u64 start_ns;  /* boot time; the first use after a window's end starts the next */
	struct abi_budget_row rows[ABI_BUDGET_COUNTERS];
};

_Static_assert(sizeof(struct abi_budget) == 24 + 32 * ABI_BUDGET_COUNTERS, "read by user space");
