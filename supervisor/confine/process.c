#include "supervisor/confine/process.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* struct landlock_ruleset_attr as of ABI 6 (include/uapi/linux/landlock.h, Linux 6.12); headers of
 * older systems lack its tail, and an older kernel takes it as long as what it does not know is 0.
 */
struct landlock_rights {
	uint64_t fs, net, scoped;
};

#define LANDLOCK_VERSION_QUERY 1u
#define LANDLOCK_NET_BIND_TCP (1ULL << 0)
#define LANDLOCK_NET_CONNECT_TCP (1ULL << 1)
#define LANDLOCK_SCOPED_UNIX_AND_SIGNALS (3ULL << 0)

/* File system rights that exist in each ABI, from 0 on: 13 in the first, then refer (2), truncate
 * (3) and ioctl on devices (5). */
static const uint8_t n_landlock_fs_rights[] = {0, 13, 14, 15, 15, 16};

static int limit_resources(struct failure *why)
{
	static const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NPROC, &none) < 0)
		return failure_set(why, -errno, "limit resources", "setrlimit was refused");
	return 0;
}

/* The bounding set can only be cut with CAP_SETPCAP. Without it, it grants nothing: no_new_privs
 * keeps every later exec from adding capabilities, and the filter refuses exec anyway. */
static int cut_bounding_set(cap_t current)
{
	cap_flag_value_t may_cut = CAP_CLEAR;

	if (cap_get_flag(current, CAP_SETPCAP, CAP_EFFECTIVE, &may_cut) < 0)
		return -errno;
	if (may_cut != CAP_SET)
		return 0;
	for (cap_value_t capability = 0; capability < cap_max_bits(); capability++)
		if (cap_get_bound(capability) == 1 && cap_drop_bound(capability) < 0)
			return -errno;
	return 0;
}

static int drop_capabilities(struct failure *why)
{
	cap_t current = cap_get_proc(), none = cap_init();
	int r = -ENOMEM;

	if (current && none) {
		r = cut_bounding_set(current);
		if (r == 0 && (cap_reset_ambient() < 0 || cap_set_proc(none) < 0))
			r = -errno;
	}
	cap_free(current);
	cap_free(none);
	if (r < 0)
		return failure_set(why, r, "drop capabilities", "the capability sets stay full");
	return 0;
}

static int forbid_gaining(struct failure *why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return failure_set(why, -errno, "forbid gaining privileges", "prctl was refused");
	return 0;
}

/* A ruleset that handles everything and allows nothing. */
static int close_file_system(enum confine_kind kind, struct failure *why)
{
	struct landlock_rights rights = {0};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_QUERY);
	size_t known = abi < 5 ? (size_t)abi : 5;
	int r = 0, ruleset;

	if (abi <= 0)
		return 0;
	rights.fs = (1ULL << n_landlock_fs_rights[known]) - 1;
	if (abi >= 4)
		rights.net = kind == CONFINE_API ? LANDLOCK_NET_BIND_TCP | LANDLOCK_NET_CONNECT_TCP
						 : LANDLOCK_NET_BIND_TCP;
	if (abi >= 6)
		rights.scoped = LANDLOCK_SCOPED_UNIX_AND_SIGNALS;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof(rights), 0);
	if (ruleset < 0)
		return failure_set(why, -errno, "landlock", "the kernel refused the ruleset");
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = failure_set(why, -errno, "landlock", "the kernel refused to restrict us");
	close(ruleset);
	return r;
}

static const int calls_of_all[] = {
	/* descriptors that are there already */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
	SCMP_SYS(close_range), SCMP_SYS(fstat), SCMP_SYS(fcntl), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_create1), SCMP_SYS(eventfd2),
	/* sockets that are there already */
	SCMP_SYS(accept4), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(sendto),
	SCMP_SYS(sendmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* memory, and what the C library does on its own */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(getrandom), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
	/* clocks and signals */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	/* itself */
	SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
	SCMP_SYS(getegid), SCMP_SYS(exit), SCMP_SYS(exit_group)};

static const int calls_of_gate[] = {SCMP_SYS(pipe2), SCMP_SYS(splice)};

static const int calls_that_kill[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev)};

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t n_calls)
{
	for (size_t i = 0; i < n_calls; i++) {
		int r = seccomp_rule_add(filter, action, calls[i], 0);

		if (r < 0)
			return r;
	}
	return 0;
}

static struct scmp_arg_cmp argument_is(unsigned int argument, uint64_t value)
{
	return (struct scmp_arg_cmp){.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value};
}

static struct scmp_arg_cmp bits_are(unsigned int argument, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){
		.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

/* Memory that may be executed is never made again. abort(3) signals itself, and nobody else. */
static int allow_by_argument(scmp_filter_ctx filter)
{
	static const int mapping[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(mapping); i++) {
		r = seccomp_rule_add(
			filter, SCMP_ACT_ALLOW, mapping[i], 1, bits_are(2, PROT_EXEC, 0));
		if (r < 0)
			return r;
	}
	return seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, argument_is(0, (uint64_t)getpid()));
}

/* TCP, and UDP for the questions to the host's resolvers: protocol 0 of these types; MPTCP, SCTP
 * and UDP-Lite have numbers. bind(2) is not there, so nothing can be listened on. */
static int allow_dialling(scmp_filter_ctx filter)
{
	static const int families[] = {AF_INET, AF_INET6}, types[] = {SOCK_STREAM, SOCK_DGRAM};
	const uint64_t type_mask = UINT32_MAX & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);

	for (size_t i = 0; i < ARRAY_SIZE(families) * ARRAY_SIZE(types) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
			argument_is(0, (uint64_t)families[i % 2]),
			bits_are(1, type_mask, (uint64_t)types[i / 2]), argument_is(2, 0));
	return r;
}

/* Of bpf(2), what can be read through a map that the supervisor sent. */
static int allow_gate(scmp_filter_ctx filter)
{
	int r = add_all(filter, SCMP_ACT_ALLOW, calls_of_gate, ARRAY_SIZE(calls_of_gate));

	if (r < 0)
		return r;
	return seccomp_rule_add(
		filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1, argument_is(0, BPF_MAP_LOOKUP_ELEM));
}

static int build_filter(scmp_filter_ctx filter, enum confine_kind kind)
{
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (r == 0)
		r = add_all(filter, SCMP_ACT_ALLOW, calls_of_all, ARRAY_SIZE(calls_of_all));
	if (r == 0)
		r = add_all(filter, SCMP_ACT_KILL_PROCESS, calls_that_kill,
			ARRAY_SIZE(calls_that_kill));
	if (r == 0)
		r = allow_by_argument(filter);
	if (r == 0 && kind != CONFINE_API)
		r = allow_dialling(filter);
	if (r == 0 && kind == CONFINE_GATE)
		r = allow_gate(filter);
	return r;
}

static int filter_calls(enum confine_kind kind, struct failure *why)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? build_filter(filter, kind) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return failure_set(why, r, "seccomp", "the system call filter could not be loaded");
	return 0;
}

int confine_process(enum confine_kind kind, struct failure *why)
{
	int r = drop_capabilities(why);

	if (r == 0)
		r = forbid_gaining(why);
	if (r == 0)
		r = limit_resources(why);
	if (r == 0)
		r = close_file_system(kind, why);
	if (r == 0)
		r = filter_calls(kind, why);
	return r;
}
