/* The second filter: closes what the first leaves open and a policy does not open: by numbers, and
 * before these by the arguments that the policy has rules for. Foreign ABIs need no look: the first
 * filter has killed them, and no answer is stricter. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>

#include "supervisor/confine/sandbox-filter.h"

#define STAGE "system call filter"
#define CLOSED(error) (SECCOMP_RET_ERRNO | (error))

static bool has_name(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static enum confine_level find_level(const char *name)
{
	if (has_name(confine_calls_strict, name) || has_name(confine_calls_judged, name) ||
		has_name(confine_calls_faked, name))
		return CONFINE_STRICT;
	if (has_name(confine_calls_default, name))
		return CONFINE_DEFAULT;
	if (has_name(confine_calls_debug, name))
		return CONFINE_DEBUG;
	return has_name(confine_calls_openable, name) ? CONFINE_OPENABLE : CONFINE_NEVER;
}

int confine_call_level(const char *name)
{
	int number = confine_call_number(name);

	return number < 0 ? number : (int)find_level(name);
}

static uint32_t closed_by_profile(const char *name)
{
	return CLOSED(has_name(confine_calls_absent, name) ? ENOSYS : EPERM);
}

static void close_names(struct confine_table *table, const char *const *names)
{
	for (; *names; names++) {
		int number = confine_call_number(*names);

		if (number >= 0)
			table->actions[number] = closed_by_profile(*names);
	}
}

static void close_profile(struct confine_table *table, enum confine_level profile)
{
	for (size_t number = 0; number < CONFINE_NUMBERS_MAX; number++)
		table->actions[number] = SECCOMP_RET_ALLOW;
	close_names(table, confine_calls_openable);
	if (profile < CONFINE_DEBUG)
		close_names(table, confine_calls_debug);
	if (profile < CONFINE_DEFAULT)
		close_names(table, confine_calls_default);
}

static int set_calls(struct confine_table *table, const char (*names)[CONFINE_CALL_NAME_SIZE],
	size_t n, uint32_t action, struct failure *why)
{
	for (size_t i = 0; i < n; i++) {
		int number = confine_call_number(names[i]);

		if (number < 0)
			return failure_set(why, -EINVAL, STAGE,
				"there is no system call \"%.31s\" on this machine", names[i]);
		if (action == SECCOMP_RET_ALLOW && find_level(names[i]) == CONFINE_NEVER)
			return failure_set(why, -EINVAL, STAGE,
				"\"%.31s\" is never allowed in a sandbox", names[i]);
		table->actions[number] = action;
	}
	return 0;
}

int confine_policy_filter(const struct confine_calls *calls, struct sock_filter **ret_filter,
	size_t *ret_n, struct failure *why)
{
	struct confine_code code = {.n = 1,
		.code[0] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	struct confine_table table;
	int r;

	close_profile(&table, calls->profile);
	r = set_calls(&table, calls->allowed, calls->n_allowed, SECCOMP_RET_ALLOW, why);
	if (r == 0)
		r = set_calls(&table, calls->denied, calls->n_denied, CLOSED(EPERM), why);
	if (r < 0)
		return r;
	r = confine_emit_rules(&code, &table, calls->rules, calls->n_rules);
	if (r == -EINVAL)
		return failure_set(why, r, STAGE,
			"there is no system call of one of the rules for arguments on this "
			"machine");
	if (r == 0)
		r = confine_emit_table(&code, &table);
	if (r < 0)
		return failure_set(why, r, STAGE,
			"a filter that denies %zu calls besides its profile, and by %zu rules for "
			"arguments, is too long",
			calls->n_denied, calls->n_rules);
	r = confine_code_copy(&code, ret_filter, ret_n);
	return r < 0 ? failure_set(why, r, STAGE, "out of memory") : 0;
}
