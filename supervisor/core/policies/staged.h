/* Staged versions: texts of policies that were checked and are kept, and are asked as candidates of
 * every sandbox that they would change something for, until they are put in force, or dropped.
 * Nothing of them is in the policy directory. */
#pragma once

#include "supervisor/core/policies/rollout.h"

#define STAGED_MAX 8 /* one for each policy: each is a draft of all policies, at each reload */

struct staged {
	struct staged *next; /* the newest first */
	struct store_version version;
	char *text;
	size_t text_size_bytes;
	/* What is in force with this text put in; NULL: it does not fit any more. */
	struct policies_draft *draft;
	char error[192]; /* why not */
};

/* Keeps `text` as the staged version of the policy, in place of an earlier one. Refusals: INVALID,
 * PRECONDITION, LIMIT, UNAVAILABLE; nothing was changed then. `*ret_before` is the hash in force.
 */
int staged_put(struct core *core, const struct rollout *rollout, const char *text,
	size_t size_bytes, char ret_before[POLICY_HASH_SIZE], struct refusal *why);
/* Puts the staged version in force, which must have this hash: as rollout_put() otherwise.
 * NOT_FOUND when none is staged, PRECONDITION when it is another one, CONFLICT when it would be
 * another with what the policy directory has now. */
int staged_enforce(struct core *core, const struct rollout *rollout, const char *hash,
	char ret_before[POLICY_HASH_SIZE], struct refusal *why);
/* Forgets it. `hash` empty: whatever it is. NOT_FOUND, PRECONDITION, UNAVAILABLE. */
int staged_drop(
	struct core *core, const struct rollout *rollout, const char *hash, struct refusal *why);

const struct staged *staged_find(const struct core *core, const char *name);
/* The policy as it would be; NULL when it does not fit any more. */
const struct policy *staged_policy(const struct staged *staged);

/* The name of the policy that a sandbox is judged by, as it would be judged with a staged version:
 * the newest that would change anything. 1, 0 for none, or a refusal. */
int staged_candidate(
	const struct sandbox *sandbox, struct effective **ret_effective, struct refusal *why);
/* Living sandboxes of `tenant` (NULL: of all) that it is asked for; and those that it would change
 * something for and is not asked for: another candidate goes before it, or the kernel is full. */
void staged_count(const struct core *core, const struct staged *staged, const struct tenant *tenant,
	uint32_t *ret_asked, uint32_t *ret_not_asked);

/* ---- for rollout.c and rebind.c */
/* Reads them from the store. 0 or -errno with `why`. */
int staged_start(struct core *core, struct failure *why);
/* After what is in force changed: what they would be now. */
void staged_remake(struct core *core);
/* It is in force, and not in the store any more. */
void staged_forget(struct core *core, const char *name);
void staged_free_all(struct core *core);
