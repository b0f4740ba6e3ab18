/* What a policy says to an act: compiled once, asked often. */
#pragma once

#include "bpf/lib/decide.h"
#include "supervisor/policy/acts/act.h"

/* Who decides: where a denial is seen. */
enum policy_layer {
	POLICY_LAYER_KERNEL,   /* eBPF at connect(2), sendmsg(2) */
	POLICY_LAYER_RESOLVER, /* the sandbox's name server */
	POLICY_LAYER_PREVIEW,  /* the API's way in */
	POLICY_LAYER_SECCOMP,
	POLICY_LAYER_MOUNTS,  /* of "files", "devices" and "executables" (there Landlock, too);
				 beside  paths owner and mode decide */
	POLICY_LAYER_LIMITS,  /* cgroups, rlimits, budgets, timers */
	POLICY_LAYER_REQUEST, /* what a request for a sandbox must have */
};

struct policy_opinion {
	bool allowed;
	enum policy_layer layer;
	uint16_t rule;  /* ABI_RULE_NONE: the default, or no rule is asked */
	uint8_t reason; /* enum abi_reason, from the kernel's layer; else 0 */
	bool has_terms; /* allowed to a name: `tls` and `is_private` hold */
	enum policy_tls tls;
	bool is_private;
};

/* What happens to a sandbox under the policy, of all that is not decided where it connects or sends
 * to: for that (POLICY_ACT_CONNECT, POLICY_ACT_SEND: denied here) it must be compiled. */
struct policy_opinion policy_ask(const struct policy *policy, const struct policy_act *act);

/* A policy, compiled to be asked. Borrows `policy`. Returns 0, or as policy_compile(). */
struct policy_trial;
int policy_trial_new(
	const struct policy *policy, struct policy_trial **ret_trial, struct failure *why);
/* Takes NULL, returns NULL. */
struct policy_trial *policy_trial_free(struct policy_trial *trial);

/* The same of all acts, with gate and resolver up and no budget spent. */
struct policy_opinion policy_trial_judge(
	const struct policy_trial *trial, const struct policy_act *act);
