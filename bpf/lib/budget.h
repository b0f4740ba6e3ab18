/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts against a sandbox's budgets. Any number of CPUs count at once: whoever adds what crosses
 * the limit is refused, so no more than the limit passes. */
#pragma once

#include "bpf/lib/maps.h"
#include "bpf/lib/match.h"

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

/* The bits of the budgets that are used up. */
MATCH_INLINE __u8 budget_spent(__u32 slot)
{
	struct abi_budget *budget = bpf_map_lookup_elem(&budgets, &slot);
	__u8 spent = 0;

	if (!budget)
		return 0;
	budget_roll(budget);
	for (int i = 0; i < ABI_BUDGET_COUNTERS; i++)
		if (budget_row_spent(&budget->rows[i]))
			spent |= ABI_BUDGET_BIT(i);
	return spent;
}

/* Takes `n`, or nothing when that is more than is left. What crosses the limit uses it up. */
MATCH_INLINE bool budget_take(__u32 slot, __u32 counter, __u64 n)
{
	struct abi_budget *budget = bpf_map_lookup_elem(&budgets, &slot);
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

/* True once in each window: packets are refused by the thousand. */
MATCH_INLINE bool budget_report(__u32 slot, __u32 counter)
{
	struct abi_budget *budget = bpf_map_lookup_elem(&budgets, &slot);
	__u64 start, before;

	if (!budget || counter >= ABI_BUDGET_COUNTERS)
		return false;
	start = BUDGET_READ(budget->start_ns);
	before = BUDGET_READ(budget->rows[counter].reported);
	return before != start && __sync_val_compare_and_swap(
					  &budget->rows[counter].reported, before, start) == before;
}
