/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts against a sandbox's budgets, and against its tenant's. Any number of CPUs count at once:
 * whoever adds what crosses the limit is refused, so no more than the limit passes.
 *
 * What is taken is taken from both or from neither: what the tenant refuses is given back to the
 * sandbox. Between the two steps another CPU may find the sandbox's budget used up that is not, by
 * one packet for each CPU; and a window that ends just then begins with so much more. The tenant's
 * is never exceeded, and never pays for what the sandbox's refused. */
#pragma once

#include "bpf/lib/maps.h"
#include "bpf/lib/match.h"
#include "bpf/lib/sandbox.h"

/* User space writes limits and windows through an mmap. */
#define BUDGET_READ(word) (*(const volatile __u64 *)&(word))

MATCH_INLINE bool budget_row_spent(const struct abi_budget_row *row)
{
	__u64 limit = BUDGET_READ(row->limit);

	return limit && (__s64)(BUDGET_READ(row->used) - BUDGET_READ(row->base)) >= (__s64)limit;
}

/* Begins the next window if this one is over. One CPU does it; the others go by the old one until
 * it has, which refuses a moment too long but never too little. */
MATCH_INLINE void budget_roll(struct abi_budget *budget)
{
	__u64 window = BUDGET_READ(budget->window_ns), start = BUDGET_READ(budget->start_ns);
	__u64 now;

	if (!window)
		return;
	now = bpf_ktime_get_boot_ns();
	if ((__s64)(now - start) < (__s64)window ||
		__sync_val_compare_and_swap(&budget->start_ns, start, now) != start)
		return;
	for (int i = 0; i < ABI_BUDGET_COUNTERS; i++)
		budget->rows[i].base = BUDGET_READ(budget->rows[i].used);
}

MATCH_INLINE struct abi_budget *budget_of_sandbox(const struct sandbox *sandbox)
{
	__u32 slot = sandbox->slot;

	return bpf_map_lookup_elem(&budgets, &slot);
}

/* NULL: the tenant has none. */
MATCH_INLINE struct abi_budget *budget_of_tenant(const struct sandbox *sandbox)
{
	__u32 row = sandbox->tenant_budget;

	return row ? bpf_map_lookup_elem(&tenant_budgets, &row) : NULL;
}

MATCH_INLINE __u8 budget_spent_of(struct abi_budget *budget)
{
	__u8 spent = 0;

	if (!budget)
		return 0;
	budget_roll(budget);
	for (int i = 0; i < ABI_BUDGET_COUNTERS; i++)
		if (budget_row_spent(&budget->rows[i]))
			spent |= ABI_BUDGET_BIT(i);
	return spent;
}

/* The bits of the budgets that are used up, of both. */
MATCH_INLINE __u8 budget_spent(const struct sandbox *sandbox)
{
	return budget_spent_of(budget_of_sandbox(sandbox)) |
	       budget_spent_of(budget_of_tenant(sandbox)) << ABI_BUDGET_TENANT_SHIFT;
}

/* Takes `n`, or nothing when that is more than is left. What crosses the limit uses it up. */
MATCH_INLINE bool budget_take_of(struct abi_budget *budget, __u32 counter, __u64 n)
{
	struct abi_budget_row *row;
	__u64 limit, before;

	if (!budget || counter >= ABI_BUDGET_COUNTERS)
		return true;
	row = &budget->rows[counter];
	limit = BUDGET_READ(row->limit);
	if (!limit)
		return true;
	budget_roll(budget);
	if (budget_row_spent(row))
		return false;
	before = __sync_fetch_and_add(&row->used, n);
	return (__s64)(before + n - BUDGET_READ(row->base)) <= (__s64)limit;
}

/* Without a limit nothing was counted. */
MATCH_INLINE void budget_give_back(struct abi_budget *budget, __u32 counter, __u64 n)
{
	if (budget && counter < ABI_BUDGET_COUNTERS && BUDGET_READ(budget->rows[counter].limit))
		__sync_fetch_and_add(&budget->rows[counter].used, -n);
}

/* Takes `n` from both. 0, or the bit of the one that has not so much. */
MATCH_INLINE __u8 budget_take(const struct sandbox *sandbox, __u32 counter, __u64 n)
{
	struct abi_budget *own = budget_of_sandbox(sandbox), *shared = budget_of_tenant(sandbox);

	if (counter >= ABI_BUDGET_COUNTERS)
		return 0;
	/* Looked at first, so that giving back is rare. */
	if (shared) {
		budget_roll(shared);
		if (budget_row_spent(&shared->rows[counter]))
			return ABI_BUDGET_TENANT_BIT(counter);
	}
	if (!budget_take_of(own, counter, n))
		return ABI_BUDGET_BIT(counter);
	if (budget_take_of(shared, counter, n))
		return 0;
	budget_give_back(own, counter, n);
	return ABI_BUDGET_TENANT_BIT(counter);
}

/* True once in each window of the budget whose bit `spent` is: packets are refused by the thousand.
 */
MATCH_INLINE bool budget_report(const struct sandbox *sandbox, __u32 counter, __u8 spent)
{
	struct abi_budget *budget = spent & ABI_BUDGET_TENANT_BIT(counter & 3)
					    ? budget_of_tenant(sandbox)
					    : budget_of_sandbox(sandbox);
	__u64 start, before;

	if (!budget || counter >= ABI_BUDGET_COUNTERS)
		return false;
	start = BUDGET_READ(budget->start_ns);
	before = BUDGET_READ(budget->rows[counter].reported);
	return before != start && __sync_val_compare_and_swap(
					  &budget->rows[counter].reported, before, start) == before;
}
