/* The system calls of a sandbox: an allow-list for the native ABI, compiled once, loaded raw.
 *
 * Foreign ABIs (i386, x32) kill the process. What the list does not hold fails with EPERM where the
 * call is known and with ENOSYS where it is newer than the list, so that C libraries fall back. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "supervisor/base/failure.h"

/* The filter of every sandbox; inherited by all of its processes from PID 1. `*ret_filter` is a
 * heap array. Returns 0, -ENOMEM, or -errno with `why`. Compiling takes milliseconds: do it once.
 */
int confine_sandbox_filter(struct sock_filter **ret_filter, size_t *ret_n, struct failure *why);

/* A second filter for a policy that denies more: the `n` calls in `names` fail with EPERM, all
 * others are left to the first filter. Returns 0, -EINVAL (`why` names a call that this machine
 * does not know), -E2BIG (more than 512 instructions), -ENOMEM. With `n` 0 there is no filter:
 * NULL, 0. */
int confine_deny_filter(const char (*names)[32], size_t n, struct sock_filter **ret_filter,
	size_t *ret_n, struct failure *why);

/* True for a call that such a filter can be made for: a rule about another would be accepted and
 * ignored. */
bool confine_knows_call(const char *name);

/* ---- the parts of the first filter; shared by its files and their tests */

/* Names allowed whatever their arguments; NULL at the end. */
extern const char *const confine_calls_allowed[];
/* Numbers of calls newer than old C libraries know; the same on every processor. -1 at the end. */
extern const int confine_numbers_allowed[];
/* Known, but answered as if the kernel were older, so that callers fall back to another way. */
extern const char *const confine_calls_absent[];
/* Answered with success and not done: they would stall the host's disks. */
extern const char *const confine_calls_faked[];

#define CONFINE_CODE_MAX 512

struct confine_code {
	size_t n;
	struct sock_filter code[CONFINE_CODE_MAX];
};

/* Emits what comes before the list: the ABI check and the calls that depend on their arguments.
 * Falls through with the call's number in the accumulator for every other call. */
void confine_emit_arguments(struct confine_code *code);
