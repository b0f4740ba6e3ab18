/* Policy files as they lie in a directory under version control: read and checked without a daemon.
 */
#pragma once

#include <stddef.h>

#include "supervisor/policy/policy.h"

/* Reads and checks one file, "-" for standard input, as cloched would. Returns 0, or -errno with
 * `why`. */
int policy_file_read(const char *path, struct policy **ret_policy, struct failure *why);
/* The same, and the text. */
int policy_file_read_text(const char *path, char **ret_text, size_t *ret_size, struct failure *why);
int policy_file_parse(const char *path, const char *text, size_t size, struct policy **ret_policy,
	struct failure *why);

/* The text with all that it extends put in; on the heap. */
int policy_file_put_together(
	const char *path, const char *text, size_t size, char **ret_text, struct failure *why);

/* The same of a file that was found in a directory or is named by another one, whoever put it
 * there: it must be a plain one of that directory, as for cloched. */
int policy_file_read_found(
	const char *path, char **ret_text, size_t *ret_size, struct failure *why);

/* The policy files that `path` stands for: itself, or those in it if it is a directory, sorted.
 * Calls `each` for each path, with how it is read; stops when it returns something else than 0 and
 * returns that. */
typedef int (*policy_file_reader)(
	const char *path, char **ret_text, size_t *ret_size, struct failure *why);
typedef int (*policy_file_callback)(const char *path, policy_file_reader read, void *userdata);
int policy_file_each(
	const char *path, policy_file_callback each, void *userdata, struct failure *why);

/* Says on standard error what is wrong, with its place or, if it has none, `place`; what strangers
 * wrote is in both. `kind` is put before the sentence. */
void policy_file_complain(const char *place, const char *kind, const struct failure *why);

/* Says on standard error of a policy that learns that it is judged as it is written. */
void policy_file_note_mode(const struct policy *policy);

/* The system calls that filters can be made for. */
extern const struct policy_calls policy_file_calls;

static inline void policy_file_release(struct policy **policy)
{
	policy_unref(*policy);
}
#define _cleanup_policy_ _cleanup_(policy_file_release)
