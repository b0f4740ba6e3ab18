/* Changing a policy by the API: checked as the loader does, written where the directory is, in
 * force at once, kept as a version, and in the log with who did it. */
#pragma once

#include "supervisor/core/core.h"
#include "supervisor/wire/policies.h"

/* Who changes something, for the record. Texts are borrowed. */
struct rollout_actor {
	const struct tenant *tenant; /* whose key it is */
	const char *key_id, *remote;
};

struct rollout {
	const char *name;
	struct rollout_actor actor;
	const struct wire_policy_condition *condition;
};

/* Puts `text` in force as the policy. Refusals: INVALID (what is wrong with the text, or with a
 * policy that extends it), PRECONDITION, CONFLICT (the directory cannot be written), UNAVAILABLE;
 * nothing was changed then. `*ret_before` is the hash that was in force, "" for none. */
int rollout_put(struct core *core, const struct rollout *rollout, const char *text,
	size_t size_bytes, char ret_before[POLICY_HASH_SIZE], struct refusal *why);
/* Puts the version with this hash in force again. NOT_FOUND when none of the last
 * STORE_VERSIONS_MAX has it; CONFLICT when it would mean something else now, because what it
 * extends has changed. Otherwise as above. */
int rollout_back(struct core *core, const struct rollout *rollout, const char *hash,
	char ret_before[POLICY_HASH_SIZE], struct refusal *why);

/* Puts a staged version in force. CONFLICT when it would not have its hash; otherwise as above. */
struct staged;
int rollout_promote(struct core *core, const struct rollout *rollout, const struct staged *staged,
	char ret_before[POLICY_HASH_SIZE], struct refusal *why);

/* ---- for staged.c */
int rollout_check(const struct rollout *rollout, const struct policy *present, struct refusal *why);
int rollout_refuse_text(const struct failure *failure, struct refusal *why);
/* With who did it. */
struct store_version rollout_version(const struct rollout *rollout, const struct policy *policy);

/* Keeps what is in force as versions, as far as they are not the newest: after the start, and after
 * each load. */
void rollout_keep_versions(struct core *core);
