/* Puts the filter together: the checks of arguments, then a search tree over ranges of numbers.
 *
 * libseccomp gives the numbers. Its own tree has a leaf for each of 330 calls, 560 instructions in
 * all, and takes 200 to 300 µs to load into every sandbox; calls that are treated alike mostly have
 * neighbouring numbers, so a tree over ranges is a quarter of that, and its load too. */
#include "supervisor/confine/sandbox-filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define STAGE "system call filter"
#define NUMBERS_MAX 1024          /* system call numbers looked at */
#define DENY_INSTRUCTIONS_MAX 512 /* what PID 1 takes: WIRE_INIT_FILTER_MAX */

/* What happens to each call, by number; above the table: ENOSYS. */
struct table {
	uint32_t actions[NUMBERS_MAX];
};

static void set_names(struct table *table, const char *const *names, uint32_t action)
{
	for (; *names; names++) {
		int number = seccomp_syscall_resolve_name(*names);

		if (number >= 0 && number < NUMBERS_MAX)
			table->actions[number] = action;
	}
}

/* Every call that libseccomp knows and nobody allowed is refused as such; ENOSYS is for those that
 * nobody here has heard of. The calls of sandbox-arguments.c never come this far. */
static void fill_table(struct table *table)
{
	for (int number = 0; number < NUMBERS_MAX; number++) {
		char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);

		table->actions[number] = SECCOMP_RET_ERRNO | (name ? EPERM : ENOSYS);
		free(name);
	}
	set_names(table, confine_calls_allowed, SECCOMP_RET_ALLOW);
	set_names(table, confine_calls_absent, SECCOMP_RET_ERRNO | ENOSYS);
	set_names(table, confine_calls_faked, SECCOMP_RET_ERRNO | 0);
	for (const int *number = confine_numbers_allowed; *number >= 0; number++)
		table->actions[*number] = SECCOMP_RET_ALLOW;
}

/* Emits a search tree over `n` ranges that begin at `starts`, the number being in the accumulator.
 */
static int emit_tree(
	struct confine_code *code, const uint32_t *starts, const uint32_t *actions, size_t n)
{
	size_t half = n / 2, branch, distance;
	int r;

	if (code->n >= CONFINE_CODE_MAX)
		return -E2BIG;
	branch = code->n++;
	if (n == 1) {
		code->code[branch] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, actions[0]);
		return 0;
	}
	r = emit_tree(code, starts, actions, half);
	distance = code->n - branch - 1;
	if (r == 0)
		r = emit_tree(code, starts + half, actions + half, n - half);
	if (r < 0 || distance > UINT8_MAX)
		return r < 0 ? r : -E2BIG;
	code->code[branch] = (struct sock_filter)BPF_JUMP(
		BPF_JMP | BPF_JGE | BPF_K, starts[half], (uint8_t)distance, 0);
	return 0;
}

static int emit_table(struct confine_code *code, const struct table *table)
{
	uint32_t starts[NUMBERS_MAX], actions[NUMBERS_MAX];
	size_t n = 0;

	for (uint32_t number = 0; number < NUMBERS_MAX; number++) {
		if (n > 0 && actions[n - 1] == table->actions[number])
			continue;
		starts[n] = number;
		actions[n++] = table->actions[number];
	}
	return emit_tree(code, starts, actions, n);
}

int confine_sandbox_filter(struct sock_filter **ret_filter, size_t *ret_n, struct failure *why)
{
	struct confine_code code = {.n = 0};
	_cleanup_free_ struct sock_filter *copy = NULL;
	struct table table;
	int r;

	fill_table(&table);
	confine_emit_arguments(&code);
	r = emit_table(&code, &table);
	if (r < 0)
		return failure_set(why, r, STAGE, "the sandbox's filter has become too long");
	copy = calloc(code.n, sizeof(*copy));
	if (!copy)
		return failure_set(why, -ENOMEM, STAGE, "out of memory");
	memcpy(copy, code.code, code.n * sizeof(*copy));
	*ret_n = code.n;
	*ret_filter = steal_ptr(&copy);
	return 0;
}

static void context_release(scmp_filter_ctx *context)
{
	if (*context)
		seccomp_release(*context);
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
	code = calloc(DENY_INSTRUCTIONS_MAX + 1, sizeof(*code));
	if (!code)
		return -ENOMEM;
	size = pread(fd, code, (DENY_INSTRUCTIONS_MAX + 1) * sizeof(*code), 0);
	if (size <= 0 || (size_t)size % sizeof(*code) != 0)
		return -EIO;
	if ((size_t)size > DENY_INSTRUCTIONS_MAX * sizeof(*code))
		return -E2BIG;
	*ret_n = (size_t)size / sizeof(*code);
	*ret_code = steal_ptr(&code);
	return 0;
}

/* Everything is allowed unless named: the first filter has refused foreign ABIs already. */
static int context_new(scmp_filter_ctx *ret_context)
{
	_cleanup_(context_release) scmp_filter_ctx context = seccomp_init(SCMP_ACT_ALLOW);
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
	r = context_new(&context);
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
	if (r < 0)
		return failure_set(why, r, STAGE, "cannot build a filter of %zu denied calls: %s",
			n, strerror(-r));
	*ret_n = n_code;
	*ret_filter = steal_ptr(&code);
	return 0;
}

bool confine_knows_call(const char *name)
{
	_cleanup_free_ struct sock_filter *filter = NULL;
	char names[1][32];
	size_t n;

	if ((size_t)snprintf(names[0], sizeof(names[0]), "%s", name) >= sizeof(names[0]))
		return false;
	return confine_deny_filter((const char(*)[32])names, 1, &filter, &n, NULL) == 0;
}
