/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's judgement, as connect and sendmsg ask for it, and the shadow's beside it, run on
 * acts out of an array: a cgroup hook of these kinds cannot be run by bpf(2), a classifier can. The
 * maps are the real ones. */
#include "tests/bpf/pairs.h"
#include "bpf/lib/judge.h"
#include "bpf/lib/shadow.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 sandbox_level = 0;

struct slots_map slots SEC(".maps");
struct exact_map exact SEC(".maps");
struct cidrs_map cidrs SEC(".maps");
struct tickets_map tickets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PAIRS_MAX);
	__type(key, __u32);
	__type(value, struct pair);
} pairs SEC(".maps");

MATCH_INLINE void ask_shadow(
	const struct sandbox *sandbox, const struct emit_network_facts *what, struct pair *pair)
{
	pair->shadow_rule = ABI_RULE_NONE;
	pair->shadow_outcome = ABI_SHADOW_AGREED;
	if (!sandbox->shadow || !shadow_has_opinion(what))
		return;
	pair->shadow_rule = shadow_find_rule(sandbox, &what->facts);
	pair->shadow_outcome = shadow_outcome(&what->verdict, pair->shadow_rule);
}

static long judge_one(__u32 index, void *unused)
{
	struct pair *pair = bpf_map_lookup_elem(&pairs, &index);
	struct emit_network_facts what = {.operation = ABI_OPERATION_CONNECT};
	struct sandbox sandbox = {};

	if (!pair)
		return 1;
	what.facts.address = pair->address;
	what.facts.port = pair->port;
	what.facts.protocol = pair->protocol;
	what.facts.spent = pair->spent;
	what.verdict =
		judge_destination(sandbox_from_slot(pair->slot, &sandbox), &sandbox, &what.facts);
	pair->verdict = what.verdict.verdict;
	pair->reason = what.verdict.reason;
	pair->rule = what.verdict.rule;
	ask_shadow(&sandbox, &what, pair);
	return 0;
}

SEC("tc")
int cloche_judge_pairs(struct __sk_buff *context)
{
	bpf_loop(PAIRS_MAX, judge_one, NULL, 0);
	return 0;
}
