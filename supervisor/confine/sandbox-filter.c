/* Puts the first filter together: the checks of arguments, then a search tree over ranges of
 * numbers.
 *
 * libseccomp gives the numbers. Its own tree has a leaf for each of 330 calls, 560 instructions in
 * all, and takes 200 to 300 µs to load into every sandbox; calls that are treated alike mostly have
 * neighbouring numbers, so a tree over ranges is a quarter of that, and its load too. */
#include "supervisor/confine/sandbox-filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STAGE "system call filter"

static void set_names(struct confine_table *table, const char *const *names, uint32_t action)
{
	for (; *names; names++) {
		int number = confine_call_number(*names);

		if (number >= 0)
			table->actions[number] = action;
	}
}

/* Every call that has a name and nobody allowed is refused as such; ENOSYS is for those that
 * nobody here has heard of. The calls of sandbox-arguments.c never come this far. */
static void fill_table(struct confine_table *table)
{
	char name[CONFINE_CALL_NAME_SIZE];

	for (unsigned int number = 0; number < CONFINE_NUMBERS_MAX; number++)
		table->actions[number] =
			SECCOMP_RET_ERRNO | (confine_call_name(number, name) ? EPERM : ENOSYS);
	set_names(table, confine_calls_absent, SECCOMP_RET_ERRNO | ENOSYS);
	set_names(table, confine_calls_strict, SECCOMP_RET_ALLOW);
	set_names(table, confine_calls_default, SECCOMP_RET_ALLOW);
	set_names(table, confine_calls_debug, SECCOMP_RET_ALLOW);
	set_names(table, confine_calls_openable, SECCOMP_RET_ALLOW);
	set_names(table, confine_calls_faked, SECCOMP_RET_ERRNO | 0);
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

int confine_emit_table(struct confine_code *code, const struct confine_table *table)
{
	uint32_t starts[CONFINE_NUMBERS_MAX], actions[CONFINE_NUMBERS_MAX];
	size_t n = 0;

	for (uint32_t number = 0; number < CONFINE_NUMBERS_MAX; number++) {
		if (n > 0 && actions[n - 1] == table->actions[number])
			continue;
		starts[n] = number;
		actions[n++] = table->actions[number];
	}
	return emit_tree(code, starts, actions, n);
}

int confine_code_copy(
	const struct confine_code *code, struct sock_filter **ret_filter, size_t *ret_n)
{
	struct sock_filter *copy = calloc(code->n, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, code->code, code->n * sizeof(*copy));
	*ret_n = code->n;
	*ret_filter = copy;
	return 0;
}

int confine_find_layer(struct failure *why)
{
	static const uint32_t answers[] = {
		SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &answers[i]) < 0)
			return failure_set(why, -EOPNOTSUPP, STAGE,
				"this kernel has no filters of system calls "
				"(CONFIG_SECCOMP_FILTER): "
				"nothing of \"syscalls\" could be enforced, so no sandbox is made");
	return 0;
}

int confine_sandbox_filter(struct sock_filter **ret_filter, size_t *ret_n, struct failure *why)
{
	struct confine_code code = {.n = 0};
	struct confine_table table;
	int r;

	fill_table(&table);
	confine_emit_arguments(&code);
	r = confine_emit_table(&code, &table);
	if (r < 0)
		return failure_set(why, r, STAGE, "the sandbox's filter has become too long");
	r = confine_code_copy(&code, ret_filter, ret_n);
	return r < 0 ? failure_set(why, r, STAGE, "out of memory") : 0;
}
