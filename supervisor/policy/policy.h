/* From files to policies, to one effective policy, to the image that the kernel judges by.
 *
 * Pure: reads files that it is given, keeps no state, needs no privileges. The language, the
 * meaning of each rule and of the meet are in policies/README.md. */
#pragma once

#include "supervisor/base/failure.h"
#include "supervisor/policy/model.h"

#define POLICY_FILE_BYTES_MAX (8 * 1024 * 1024)
#define POLICY_FILES_MAX 1024

/* What is known about system calls. Asked by those who read policies, because the lists belong to
 * another room. */
struct policy_calls {
	/* enum policy_call_level, or -ENOENT when there is no such call. */
	int (*level)(const char *name);
	/* The name of the call with this number below 1024; false when there is none. */
	bool (*name_at)(unsigned int number, char ret_name[POLICY_CALL_NAME_SIZE]);
};

/* Gives the text of the policy `name`, which another one extends, and what its file is called in
 * messages; both on the heap. Returns 0, -ENOENT when there is none, other -errno with `why`. */
typedef int (*policy_read_base)(void *userdata, const char *name, char **ret_text,
	size_t *ret_size_bytes, char **ret_file, struct failure *why);

/* What a policy is read against. */
struct policy_context {
	const struct policy_calls *calls; /* NULL: names of calls are checked for form only */
	policy_read_base read_base;       /* NULL: there is nothing to extend */
	void *userdata;                   /* for it */
	const char *const *names;         /* of policies, to suggest; ends with NULL; may be NULL */
};

/* Parses and checks one policy; one that passes can also be compiled. `file` is for messages;
 * `context` may be NULL. On error `why` (may be NULL) holds a sentence, and in `location`
 * "file:line:column: /json/pointer". Returns 0, -EINVAL, -E2BIG, -ENOMEM, -EIO (libcrypto), or what
 * `read_base` returned. */
int policy_parse(const char *text, size_t size_bytes, const char *file,
	const struct policy_context *context, struct policy **ret_policy, struct failure *why);

/* The text of one policy that says what the file says with all that it extends put in; on the heap.
 * Only what policy_parse() takes has a meaning. Errors as there. */
int policy_put_together(const char *text, size_t size_bytes, const char *file,
	const struct policy_context *context, char **ret_text, struct failure *why);

/* True for the names of files that are policies in a directory of them. */
bool policy_is_file_name(const char *name);

/* Says of a policy's file, which fd_read_plain_at() could not read, why. Returns what a loader
 * does. */
int policy_fail_file(struct failure *why, int error);

/* All `*.json` (not `*.test.json`, not `*.schema.json`, no hidden files) of a directory, sorted by
 * name; the file name must be the policy's name. All or nothing. The array is the caller's to free,
 * with a reference to each. Errors as above; -ENOENT when "deny-all" is not among them; -errno when
 * the directory or a file cannot be read. */
int policy_load_dir(const char *directory, const struct policy_calls *calls,
	struct policy ***ret_policies, size_t *ret_n, struct failure *why);

/* A policy's text in place of what its file says, whether there is one or not. */
struct policy_overlay {
	const char *name, *text;
	size_t size_bytes;
};

/* The same as if `overlay` (NULL: none) were in the directory already: what others that extend it
 * become is checked too. -EINVAL also when its name is none. */
int policy_load_dir_with(const char *directory, const struct policy_calls *calls,
	const struct policy_overlay *overlay, struct policy ***ret_policies, size_t *ret_n,
	struct failure *why);

/* The same over policies that were loaded before, as their texts say, instead of a directory. */
int policy_load_over(struct policy *const *present, size_t n_present,
	const struct policy_calls *calls, const struct policy_overlay *overlay,
	struct policy ***ret_policies, size_t *ret_n, struct failure *why);

/* The meet: allowed is only what both allow; the smaller limit; either one's denied system calls.
 * Rules keep the `id` of `request`, so one id may stand on several rules. `bound` NULL: another
 * reference to `request` itself. The name is `request`'s; the hash is of the meet. Returns 0,
 * -E2BIG, -ENOMEM, -EINVAL when their budgets are for windows of different lengths. */
int policy_meet(const struct policy *bound, const struct policy *request,
	struct policy **ret_policy, struct failure *why);

/* What a sandbox is judged by whose request is in mode "learn": what it may do is what `bound`
 * allows, by the bound's rules and under its name; what it may use, how long it lives, the secrets
 * it wants and what is recorded are those of the meet of both. The result is in mode "learn".
 * Returns 0, or as policy_meet(); -EINVAL also when the bound itself learns. */
int policy_meet_learning(const struct policy *bound, const struct policy *request,
	struct policy **ret_policy, struct failure *why);

/* The policy that binds every tenant that has no other. */
#define POLICY_DENY_ALL "deny-all"
/* The policy that binds every sandbox of the template NAME, where there is one, has this name. */
#define POLICY_OF_TEMPLATE "template-"
/* True for these two: whatever they are asked for, they bind. */
bool policy_name_binds(const char *name);

/* True if a secret may have this name: that of a variable. */
bool policy_secret_valid(const char *name);

/* Calls that are recorded unless a policy says otherwise; NULL at the end. */
extern const char *const policy_audit_defaults[];

/* The kernel's form: rows for the hash of exact rules and for the LPM trie. */
struct policy_image {
	struct abi_exact_key *exact_keys; /* `image` is 0: enforce fills it in */
	uint32_t *exact_rules;
	size_t n_exact;
	struct abi_cidr_key *cidr_keys;
	struct abi_cidr_value *cidr_values;
	size_t n_cidr;
};

/* Lookup: `exact`, then the longest prefix, whose first range that fits decides. A record names the
 * exact rule, else the rule with the lowest id of those that allow.
 *
 * Whole addresses with single ports go to the hash, all else to the trie, closed so that the
 * longest prefix alone decides. Special ranges (loopback, link-local and metadata, private,
 * multicast, IPv4-in-IPv6 forms) are holes in any rule that is wider than they are: only a rule
 * inside such a range opens it. Returns 0, -E2BIG (`why` says which limit), -ENOMEM. */
int policy_compile(
	const struct policy *policy, struct policy_image **ret_image, struct failure *why);
struct policy_image *policy_image_free(struct policy_image *image);
