/* Puts the filter together: our own instructions first, then libseccomp's search tree. */
#include "supervisor/confine/sandbox-filter.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define STAGE "system call filter"
#define NUMBERS_MAX 1024	 /* system call numbers looked at */
#define DENY_INSTRUCTIONS_MAX 512 /* what PID 1 takes: WIRE_INIT_FILTER_MAX */
#define PROGRAM_MAX 4096	 /* instructions, BPF_MAXINSNS */

static void context_release(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
}

/* A context for the native ABI only, with a tree instead of a row of comparisons: a call in the
 * middle costs 9 steps instead of 200, and so does each of the kernel's own 900 trial runs of the
 * program when it is loaded (seccomp_cache_prepare, Linux 5.11), which otherwise cost most. */
static int context_new(uint32_t default_action, scmp_filter_ctx *ret_context)
{
	_cleanup_(context_release) scmp_filter_ctx context = seccomp_init(default_action);
	int r;

	if (!context)
		return -ENOMEM;
	r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r < 0)
		return r;
	*ret_context = context;
	context = NULL;
	return 0;
}

/* libseccomp writes a program only to a descriptor. */
static int export_program(scmp_filter_ctx context, struct sock_filter **ret_code, size_t *ret_n)
{
	_cleanup_close_ int fd = memfd_create("filter", MFD_CLOEXEC);
	_cleanup_free_ struct sock_filter *code = NULL;
	ssize_t size;
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(context, fd);
	if (r < 0)
		return r;
	code = calloc(PROGRAM_MAX, sizeof(*code));
	if (!code)
		return -ENOMEM;
	size = pread(fd, code, PROGRAM_MAX * sizeof(*code), 0);
	if (size <= 0 || (size_t)size % sizeof(*code) != 0)
		return -EIO;
	*ret_n = (size_t)size / sizeof(*code);
	*ret_code = steal_ptr(&code);
	return 0;
}

static int add_names(scmp_filter_ctx context, uint32_t action, const char *const *names,
	bool taken[NUMBERS_MAX])
{
	for (; *names; names++) {
		int number = seccomp_syscall_resolve_name(*names), r;

		if (number < 0 || number >= NUMBERS_MAX)
			continue;
		taken[number] = true;
		r = seccomp_rule_add_exact(context, action, number, 0);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

/* Every other call that libseccomp knows is refused as such; the default, ENOSYS, is for those that
 * nobody here has heard of. The calls of sandbox-arguments.c never come this far. */
static int add_known(scmp_filter_ctx context, const bool taken[NUMBERS_MAX])
{
	for (int number = 0; number < NUMBERS_MAX; number++) {
		char *name;
		int r;

		if (taken[number])
			continue;
		name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);
		if (!name)
			continue;
		free(name);
		r = seccomp_rule_add_exact(context, SCMP_ACT_ERRNO(EPERM), number, 0);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

static int add_lists(scmp_filter_ctx context)
{
	bool taken[NUMBERS_MAX] = {false};
	int r = add_names(context, SCMP_ACT_ALLOW, confine_calls_allowed, taken);

	if (r == 0)
		r = add_names(context, SCMP_ACT_ERRNO(0), confine_calls_faked, taken);
	for (const int *number = confine_numbers_allowed; r == 0 && *number >= 0; number++) {
		if (taken[*number])
			continue;
		taken[*number] = true;
		r = seccomp_rule_add_exact(context, SCMP_ACT_ALLOW, *number, 0);
	}
	/* The same action as the default cannot be added: only mark them. */
	for (const char *const *name = confine_calls_absent; *name; name++) {
		int number = seccomp_syscall_resolve_name(*name);

		if (number >= 0 && number < NUMBERS_MAX)
			taken[number] = true;
	}
	return r < 0 ? r : add_known(context, taken);
}

int confine_sandbox_filter(struct sock_filter **ret_filter, size_t *ret_n, struct failure *why)
{
	_cleanup_(context_release) scmp_filter_ctx context = NULL;
	_cleanup_free_ struct sock_filter *tree = NULL, *whole = NULL;
	struct confine_code arguments = {.n = 0};
	size_t n_tree = 0;
	int r = context_new(SCMP_ACT_ERRNO(ENOSYS), &context);

	if (r == 0)
		r = add_lists(context);
	if (r == 0)
		r = export_program(context, &tree, &n_tree);
	if (r < 0)
		return failure_set(why, r, STAGE,
			"libseccomp cannot build the sandbox's filter: %s", strerror(-r));
	confine_emit_arguments(&arguments);
	whole = calloc(arguments.n + n_tree, sizeof(*whole));
	if (!whole)
		return failure_set(why, -ENOMEM, STAGE, "out of memory");
	memcpy(whole, arguments.code, arguments.n * sizeof(*whole));
	memcpy(whole + arguments.n, tree, n_tree * sizeof(*whole));
	*ret_n = arguments.n + n_tree;
	*ret_filter = steal_ptr(&whole);
	return 0;
}

int confine_deny_filter(const char (*names)[32], size_t n, struct sock_filter **ret_filter,
	size_t *ret_n, struct failure *why)
{
	_cleanup_(context_release) scmp_filter_ctx context = NULL;
	_cleanup_free_ struct sock_filter *code = NULL;
	size_t n_code = 0;
	int r;

	if (n == 0) {
		*ret_filter = NULL;
		*ret_n = 0;
		return 0;
	}
	r = context_new(SCMP_ACT_ALLOW, &context);
	for (size_t i = 0; r == 0 && i < n; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);

		if (number < 0)
			return failure_set(why, -EINVAL, STAGE,
				"there is no system call \"%.31s\" on this machine", names[i]);
		r = seccomp_rule_add_exact(context, SCMP_ACT_ERRNO(EPERM), number, 0);
		if (r == -EEXIST)
			r = 0;
	}
	if (r == 0)
		r = export_program(context, &code, &n_code);
	if (r == 0 && n_code > DENY_INSTRUCTIONS_MAX)
		r = -E2BIG;
	if (r < 0)
		return failure_set(why, r, STAGE, "cannot build a filter of %zu denied calls: %s", n,
			strerror(-r));
	*ret_n = n_code;
	*ret_filter = steal_ptr(&code);
	return 0;
}
