/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's judgement, as connect and sendmsg ask for it, run on acts out of an array: a cgroup
 * hook of these kinds cannot be run by bpf(2), a classifier can. The maps are the real ones. */
#include "tests/bpf/pairs.h"
#include "bpf/lib/judge.h"

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

static long judge_one(__u32 index, void *unused)
{
	struct pair *pair = bpf_map_lookup_elem(&pairs, &index);
	struct decide_facts facts = {};
	struct sandbox sandbox = {};
	struct decide_verdict verdict;

	if (!pair)
		return 1;
	facts.address = pair->address;
	facts.port = pair->port;
	facts.protocol = pair->protocol;
	facts.spent = pair->spent;
	verdict = judge_destination(sandbox_from_slot(pair->slot, &sandbox), &sandbox, &facts);
	pair->verdict = verdict.verdict;
	pair->reason = verdict.reason;
	pair->rule = verdict.rule;
	return 0;
}

SEC("tc")
int cloche_judge_pairs(struct __sk_buff *context)
{
	bpf_loop(PAIRS_MAX, judge_one, NULL, 0);
	return 0;
}
