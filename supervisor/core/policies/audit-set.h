/* Which system calls a policy has recorded, in the kernel's form. */
#pragma once

#include "bpf/abi/audit.h"
#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/policy/model.h"

/* Every call that seccomp refuses is recorded if any is looked at; of a policy that wants none
 * recorded, the set is empty. `filter` is the policy's. */
void audit_set_make(const struct policy *policy, const struct sock_filter *filter, size_t n_filter,
	struct abi_audit_set *ret_set);

struct audit_names {
	char names[ABI_SYSCALLS_MAX][CONFINE_CALL_NAME_SIZE]; /* "" without */
	uint8_t levels[ABI_SYSCALLS_MAX]; /* enum policy_call_level, of those that have one */
};
void audit_names_fill(struct audit_names *ret_names);
