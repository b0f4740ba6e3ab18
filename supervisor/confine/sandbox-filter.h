/* The system calls of a sandbox: allow-lists for the native ABI, compiled once, loaded raw.
 *
 * Two filters lie over each other, and of two answers the kernel takes the stricter. The first
 * holds for PID 1 and all of a sandbox from the start: foreign ABIs (i386, x32) kill the process;
 * what no policy can open fails with EPERM where the call is known and with ENOSYS where it is
 * newer than the list, so that C libraries fall back; all that some policy may open is open. The
 * second is a policy's: every command gets one before it runs, and it closes what the policy does
 * not open. So a sandbox can be made before anybody knows whose it will be. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/failure.h"
#include "supervisor/policy/model.h"

#define CONFINE_CALL_NAME_SIZE 32

/* Profiles contain one another, so for each call one profile is the first to have it. */
enum confine_level {
	CONFINE_STRICT,
	CONFINE_DEFAULT,
	CONFINE_DEBUG,
	CONFINE_OPENABLE, /* in no profile; a policy may allow it */
	CONFINE_NEVER,
};

/* What a policy says about system calls. Names are NUL-terminated. */
struct confine_calls {
	enum confine_level profile; /* strict, default or debug */
	const char (*allowed)[CONFINE_CALL_NAME_SIZE];
	size_t n_allowed;
	const char (*denied)[CONFINE_CALL_NAME_SIZE]; /* counts before `allowed` */
	size_t n_denied;
	const struct policy_call_rule *rules; /* deny by arguments; those of one call together */
	size_t n_rules;
};

/* The first filter. `*ret_filter` is a heap array. Returns 0, -ENOMEM, or -errno with `why`. */
int confine_sandbox_filter(struct sock_filter **ret_filter, size_t *ret_n, struct failure *why);

/* A policy's filter; never empty. Returns 0, -EINVAL (`why` names a call that this machine does not
 * know, or one that nothing opens), -E2BIG (more than 512 instructions, which only hundreds of
 * denied calls or scores of rules make), -ENOMEM. */
int confine_policy_filter(const struct confine_calls *calls, struct sock_filter **ret_filter,
	size_t *ret_n, struct failure *why);

/* Whether the kernel has filters, and the answers that ours give. Returns 0, or -EOPNOTSUPP with
 * `why`. */
int confine_find_layer(struct failure *why);

/* The level of a call (enum confine_level), or -ENOENT when nobody here knows such a call. */
int confine_call_level(const char *name);
/* The name of the call with this number; false when there is none. Numbers end at 1024. */
bool confine_call_name(unsigned int number, char ret_name[CONFINE_CALL_NAME_SIZE]);

/* The number of a name, -ENOENT when this machine has no such call. */
int confine_call_number(const char *name);

/* What the two filters together do with a call, for those who explain it. */
enum confine_treatment {
	CONFINE_ALLOWED, /* or answered with success */
	CONFINE_REFUSED, /* whatever its arguments, with EPERM or ENOSYS */
	CONFINE_BY_ARGUMENTS,
};
/* Of the numbers below `n` of the native table, under a policy's filter. */
void confine_treat_calls(const struct sock_filter *filter, size_t n_filter,
	enum confine_treatment *ret_table, size_t n);

/* ---- the parts of the filters; shared by their files and their tests */

/* Names by the first profile that has them; NULL at the end. */
extern const char *const confine_calls_strict[],
	*const confine_calls_default[], *const confine_calls_debug[],
						*const confine_calls_openable[],
							*const confine_calls_judged[];
/* Where closed, answered as if the kernel were older, so that callers fall back to another way. */
extern const char *const confine_calls_absent[];
/* Answered with success and not done: they would stall the host's disks. */
extern const char *const confine_calls_faked[];

#define CONFINE_NUMBERS_MAX 1024 /* system call numbers looked at */

/* What happens to each call, by number. */
struct confine_table {
	uint32_t actions[CONFINE_NUMBERS_MAX];
};

#define CONFINE_CODE_MAX 512

struct confine_code {
	size_t n;
	struct sock_filter code[CONFINE_CODE_MAX];
};

/* Emits what comes before the list: the ABI check and the calls that depend on their arguments.
 * Falls through with the call's number in the accumulator for every other call. */
void confine_emit_arguments(struct confine_code *code);
/* Emits the rest, which ends with an answer. What is above the table is treated as its last row.
 * Returns 0 or -E2BIG. */
int confine_emit_table(struct confine_code *code, const struct confine_table *table);
/* Emits what a policy's rules deny, of the calls that its table opens. Begins and falls through
 * with the call's number in the accumulator. Returns 0, -EINVAL (no such call here), -E2BIG. */
int confine_emit_rules(struct confine_code *code, const struct confine_table *table,
	const struct policy_call_rule *rules, size_t n);
/* Copies the code to a heap array. Returns 0 or -ENOMEM. */
int confine_code_copy(
	const struct confine_code *code, struct sock_filter **ret_filter, size_t *ret_n);
