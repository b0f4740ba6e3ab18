#include "supervisor/core/policies/audit-set.h"

#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/policy.h"

#define TEXT ABI_AUDIT_TEXT_AT
#define FIRST ABI_AUDIT_FIRST
#define OPEN (ABI_AUDIT_OPENS | ABI_AUDIT_CHANGES)

/* What is to be known of a call: which arguments are names of files, from which on its usual record
 * is for some of its outcomes only, and which records are of the security class. */
static const struct {
	const char *name;
	uint16_t word;
} facts[] = {
	{"open", OPEN | TEXT(0, 0)},
	{"creat", OPEN | TEXT(0, 0)},
	{"openat", OPEN | TEXT(0, 1)},
	{"openat2", OPEN | TEXT(0, 1)},
	{"execve", ABI_AUDIT_FAILURES | TEXT(0, 0)},
	{"execveat", ABI_AUDIT_FAILURES | TEXT(0, 1)},
	{"kill", ABI_AUDIT_OTHERS},
	{"tgkill", ABI_AUDIT_OTHERS},
	{"rt_sigqueueinfo", ABI_AUDIT_OTHERS},
	{"rt_tgsigqueueinfo", ABI_AUDIT_OTHERS},
	{"connect", ABI_AUDIT_SOCKADDR},
	{"bind", ABI_AUDIT_SOCKADDR},
	{"unlink", TEXT(0, 0)},
	{"unlinkat", TEXT(0, 1)},
	{"rmdir", TEXT(0, 0)},
	{"mkdir", TEXT(0, 0)},
	{"mkdirat", TEXT(0, 1)},
	{"mknod", TEXT(0, 0)},
	{"mknodat", TEXT(0, 1)},
	{"rename", TEXT(0, 0) | TEXT(1, 1)},
	{"renameat", TEXT(0, 1) | TEXT(1, 3)},
	{"renameat2", TEXT(0, 1) | TEXT(1, 3)},
	{"link", TEXT(0, 0) | TEXT(1, 1)},
	{"linkat", TEXT(0, 1) | TEXT(1, 3)},
	{"symlink", FIRST(ABI_AUDIT_WORD) | TEXT(1, 1)},
	{"symlinkat", FIRST(ABI_AUDIT_WORD) | TEXT(1, 2)},
	{"chmod", TEXT(0, 0)},
	{"fchmodat", TEXT(0, 1)},
	{"fchmodat2", TEXT(0, 1)},
	{"chown", TEXT(0, 0)},
	{"lchown", TEXT(0, 0)},
	{"fchownat", TEXT(0, 1)},
	{"truncate", TEXT(0, 0)},
	{"stat", TEXT(0, 0)},
	{"lstat", TEXT(0, 0)},
	{"newfstatat", TEXT(0, 1)},
	{"statx", TEXT(0, 1)},
	{"access", TEXT(0, 0)},
	{"faccessat", TEXT(0, 1)},
	{"faccessat2", TEXT(0, 1)},
	{"readlink", TEXT(0, 0)},
	{"readlinkat", TEXT(0, 1)},
	{"chdir", FIRST(ABI_AUDIT_GOES)},
	{"chroot", ABI_AUDIT_SECURITY | TEXT(0, 0)},
	{"pivot_root", ABI_AUDIT_SECURITY | TEXT(0, 0) | TEXT(1, 1)},
	{"mount", ABI_AUDIT_SECURITY | FIRST(ABI_AUDIT_WORD) | TEXT(1, 1)},
	{"umount2", ABI_AUDIT_SECURITY | TEXT(0, 0)},
	{"move_mount", ABI_AUDIT_SECURITY | TEXT(0, 1) | TEXT(1, 3)},
	{"open_tree", ABI_AUDIT_SECURITY | TEXT(0, 1)},
	{"fsopen", ABI_AUDIT_SECURITY | FIRST(ABI_AUDIT_WORD)},
	{"fsconfig", ABI_AUDIT_SECURITY},
	{"fsmount", ABI_AUDIT_SECURITY},
	{"mount_setattr", ABI_AUDIT_SECURITY | TEXT(0, 1)},
	{"setns", ABI_AUDIT_SECURITY},
	{"unshare", ABI_AUDIT_SECURITY},
	{"ptrace", ABI_AUDIT_SECURITY},
	{"process_vm_readv", ABI_AUDIT_SECURITY},
	{"process_vm_writev", ABI_AUDIT_SECURITY},
	{"pidfd_getfd", ABI_AUDIT_SECURITY},
	{"bpf", ABI_AUDIT_SECURITY},
	{"perf_event_open", ABI_AUDIT_SECURITY},
	{"userfaultfd", ABI_AUDIT_SECURITY},
	{"io_uring_setup", ABI_AUDIT_SECURITY},
	{"io_uring_enter", ABI_AUDIT_SECURITY},
	{"io_uring_register", ABI_AUDIT_SECURITY},
	{"add_key", ABI_AUDIT_SECURITY},
	{"request_key", ABI_AUDIT_SECURITY},
	{"keyctl", ABI_AUDIT_SECURITY},
	{"init_module", ABI_AUDIT_SECURITY},
	{"finit_module", ABI_AUDIT_SECURITY},
	{"delete_module", ABI_AUDIT_SECURITY},
	{"kexec_load", ABI_AUDIT_SECURITY},
	{"kexec_file_load", ABI_AUDIT_SECURITY},
};

/* Its facts without the word for when. */
static uint16_t facts_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (strcmp(facts[i].name, name) == 0)
			return facts[i].word;
	return 0;
}

static void set_when(struct abi_audit_set *set, const char *name, uint16_t when)
{
	int number = confine_call_number(name);

	if (number >= 0 && number < ABI_SYSCALL_OTHER)
		set->calls[number] = (uint16_t)((set->calls[number] & ~7u) | when);
}

static void set_facts(struct abi_audit_set *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		int number = confine_call_number(facts[i].name);

		if (number >= 0 && number < ABI_SYSCALL_OTHER)
			set->calls[number] |= (uint16_t)(facts[i].word & ~7u);
	}
}

static void set_treatment(
	struct abi_audit_set *set, const struct sock_filter *filter, size_t n_filter)
{
	enum confine_treatment treatment[ABI_SYSCALLS_MAX];

	confine_treat_calls(filter, n_filter, treatment, ABI_SYSCALLS_MAX);
	for (size_t i = 0; i < ABI_SYSCALLS_MAX; i++) {
		if (treatment[i] == CONFINE_REFUSED)
			set->calls[i] |= ABI_AUDIT_REFUSED;
		else if (treatment[i] == CONFINE_BY_ARGUMENTS)
			set->calls[i] |= ABI_AUDIT_BY_ARGUMENTS;
	}
}

/* Where a policy limits executables, one that it refused is a denial, and so is code. */
static void set_executes(struct abi_audit_set *set)
{
	static const struct {
		const char *name;
		uint16_t word;
	} calls[] = {{"execve", ABI_AUDIT_EXECUTES}, {"execveat", ABI_AUDIT_EXECUTES},
		{"mmap", ABI_AUDIT_MAPS}};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int number = confine_call_number(calls[i].name);

		if (number >= 0 && number < ABI_SYSCALL_OTHER)
			set->calls[number] |= calls[i].word;
	}
}

void audit_set_make(const struct policy *policy, const struct sock_filter *filter, size_t n_filter,
	struct abi_audit_set *ret_set)
{
	const struct policy_audit *audit = &policy->audit;

	memset(ret_set, 0, sizeof(*ret_set));
	if (!policy_audits_calls(policy))
		return;
	set_facts(ret_set);
	set_treatment(ret_set, filter, n_filter);
	if (policy->executables.limited)
		set_executes(ret_set);
	for (size_t i = 0; audit->defaults && policy_audit_defaults[i]; i++) {
		uint16_t when = facts_of(policy_audit_defaults[i]) & 7;

		set_when(ret_set, policy_audit_defaults[i], when ? when : ABI_AUDIT_ALWAYS);
	}
	for (size_t i = 0; i < audit->n_calls; i++)
		set_when(ret_set, audit->calls[i].name, ABI_AUDIT_ALWAYS);
}

void audit_names_fill(struct audit_names *ret_names)
{
	for (unsigned int i = 0; i < ABI_SYSCALLS_MAX; i++)
		if (confine_call_name(i, ret_names->names[i]))
			ret_names->levels[i] = (uint8_t)confine_call_level(ret_names->names[i]);
		else
			ret_names->names[i][0] = '\0';
}
