/* The policies in force and the effective ones made from them.
 *
 * An effective policy is the meet of a tenant's bound, the template's policy and what was asked
 * for; its image is in the kernel once, however many sandboxes use it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/failure.h"
#include "supervisor/core/refusal.h"
#include "supervisor/enforce/enforce.h"
#include "supervisor/policy/policy.h"

struct sock_filter;
struct policies;
struct policies_draft;

struct effective {
	struct policy *policy;       /* judges; of its name its rules are */
	char name[POLICY_NAME_SIZE]; /* of what was asked for: the policy's own unless it learns */
	bool learns;                 /* what was asked for is in mode "learn": the bound judges */
	uint32_t image;
	struct sock_filter *filter; /* of its system calls; every command gets it */
	size_t n_filter;
	unsigned int n_references;
	struct effective *next;
	struct policies *owner;
	/* The key together with `name` and `learns`. */
	char bound[POLICY_NAME_SIZE],
		template[POLICY_NAME_SIZE]; /* empty: no policy of the template */
	char hash_asked[POLICY_HASH_SIZE];  /* of what was asked for, before the meet */
	bool current;                       /* made from the policies now in force */
	const struct policies_draft *draft; /* or from what would be with this one; NULL */
	char staged[POLICY_NAME_SIZE], staged_hash[POLICY_HASH_SIZE]; /* whose text that has */
};

/* Reads the directory; touches nothing else. */
int policies_open(const char *directory, struct policies **ret_policies, struct failure *why);
/* Where effective policies are installed: before the first effective_get(). */
void policies_set_enforce(struct policies *policies, struct enforce *enforce);
struct policies *policies_free(struct policies *policies);

/* All or nothing. Effective policies in use stay as they are until effective_get() is asked again.
 */
int policies_reload(struct policies *policies, struct failure *why);

/* The directory as it is, or as it would be with `text` in the file of policy `name` (NULL: as it
 * is). Nothing is in force, and nothing is written. Returns 0 or -errno with `why` when one of its
 * policies is bad. */
int policies_draft(const struct policies *policies, const char *name, const char *text,
	size_t size_bytes, struct policies_draft **ret_draft, struct failure *why);
/* The same over what is in force, whatever the directory has by now. */
int policies_draft_over(const struct policies *policies, const char *name, const char *text,
	size_t size_bytes, struct policies_draft **ret_draft, struct failure *why);
const struct policy *policies_draft_find(const struct policies_draft *draft, const char *name);
size_t policies_draft_count(const struct policies_draft *draft);
/* Calls back for each policy that would be new (`before` NULL), gone (`after` NULL), or another:
 * its hash or its file's. */
typedef void (*policies_change_callback)(
	const struct policy *before, const struct policy *after, void *userdata);
void policies_draft_compare(const struct policies *policies, const struct policies_draft *draft,
	policies_change_callback callback, void *userdata);
/* Writes the file, whole or not at all. -EROFS, -EACCES, -EPERM: the directory is not ours to
 * change; other -errno. */
int policies_draft_write(
	const struct policies *policies, const struct policies_draft *draft, const char *name);
/* From here on it is in force, as after policies_reload(). Frees the draft. */
void policies_draft_enforce(struct policies *policies, struct policies_draft *draft);
struct policies_draft *policies_draft_free(struct policies_draft *draft);
/* Frees one that effective policies were made from. They stay; nobody else gets them. */
struct policies_draft *policies_draft_retire(
	struct policies *policies, struct policies_draft *draft);
/* The hash of what effective_get_drafted() would make, which is remembered. Returns 1 with it
 * (empty when there is no such meet), 0 when the draft changes none of the three policies. */
int policies_draft_meet(const struct policies *policies, struct policies_draft *draft,
	const char *bound, const char *template, const char *name, char ret_hash[POLICY_HASH_SIZE]);

const struct policy *policies_find(const struct policies *policies, const char *name);
size_t policies_count(const struct policies *policies);
const struct policy *policies_at(const struct policies *policies, size_t index);

/* Something that a policy sets an upper bound to. */
typedef uint64_t (*policy_amount)(const struct policy *policy);

#define POLICY_LAYER_SIZE (POLICY_NAME_SIZE + 32)

/* In words, the layer that bounds `amount`: "the tenant's policy \"x\"", "the template's policy
 * \"template-x\"", or "policy \"x\"", which was asked for. */
const char *effective_find_layer(
	const struct effective *effective, policy_amount amount, char ret_text[POLICY_LAYER_SIZE]);

/* `bound`: a policy's name or STORE_TENANT_UNBOUND; `name` empty: the bound itself (deny-all when
 * not bound). Of a policy in mode "learn" what it bounds by amounts holds, for the rest the layers
 * around it. Returns a new reference; a refusal when a name is unknown, what binds is in mode
 * "learn", what learns is not bound by a tenant's policy, or the kernel is full. */
int effective_get(struct policies *policies, const char *bound, const char *template,
	const char *name, struct effective **ret_effective, struct refusal *why);
/* The same as it would be with `draft` in force, which its caller retires. */
int effective_get_drafted(struct policies *policies, const struct policies_draft *draft,
	const char *bound, const char *template, const char *name, struct effective **ret_effective,
	struct refusal *why);
/* The same, but what is in mode "learn" is taken as it is written: what a candidate says. Refused
 * (LIMIT), too, when the kernel would have less than `n_left` images free with another one. */
int effective_get_as_written(struct policies *policies, uint32_t n_left, const char *bound,
	const char *template, const char *name, struct effective **ret_effective,
	struct refusal *why);
/* "learn" if it does, as records have it; else NULL. */
static inline const char *effective_mode(const struct effective *effective)
{
	return effective->learns ? policy_mode_names[POLICY_MODE_LEARN] : NULL;
}

struct effective *effective_ref(struct effective *effective);
struct effective *effective_unref(struct effective *effective);
