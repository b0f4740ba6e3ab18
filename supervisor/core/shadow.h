/* Candidates: policies that are asked beside the one in force, and the sums of what they said. */
#pragma once

#include "supervisor/core/core.h"

struct shadow_sums;

/* Has policy `name` (empty: none) asked of what the sandbox does from now on; within its tenant's
 * bound, as the policy in force. It changes no verdict. Refusals as of effective_get(), LIMIT when
 * the kernel has no room, CONFLICT when the sandbox is ending; then all is as it was. */
int sandbox_set_shadow(struct sandbox *sandbox, const char *name, struct refusal *why);
/* After the policy in force, or the candidate, became another: counts begin anew. A candidate that
 * is not there any more is asked no more. */
void shadow_renew(struct sandbox *sandbox);
/* True when the loaded candidate is not the one that is asked. */
bool shadow_is_stale(const struct sandbox *sandbox);
/* After a restart: what the store says. */
void shadow_restore(struct sandbox *sandbox);
/* The sandbox ends: its counts are added to the sums. */
void shadow_end(struct sandbox *sandbox);

/* A record of the kernel with another opinion: an example of its row. `host` NULL: by address. */
void shadow_note_event(struct core *core, const struct abi_network_event *event, const char *host);
/* What the candidate says of a name that was asked for: {"policy": …, "verdict": …}, NULL when it
 * agrees or there is none. */
json_t *shadow_note_name(struct sandbox *sandbox, const char *name);

#define SHADOW_EXAMPLE_SIZE 320

struct shadow_sum {
	enum abi_shadow_outcome outcome;
	char policy[POLICY_NAME_SIZE]; /* whose rule it is */
	uint16_t rule;                 /* ABI_RULE_NONE: none's, or there were too many */
	uint64_t n;
	char example[SHADOW_EXAMPLE_SIZE]; /* "connect pypi.org:443", as explain takes it; or "" */
	uint64_t example_sandbox, example_ns;
};

/* Calls back for each row of the candidate as it is loaded now, of `tenant`'s sandboxes (NULL: of
 * all), living or not, since this process started. Returns 0 or -errno. */
int shadow_sums_each(struct core *core, const struct tenant *tenant, const struct policy *candidate,
	void (*callback)(const struct shadow_sum *sum, void *userdata), void *userdata);
struct shadow_sums *shadow_sums_free(struct shadow_sums *sums);
