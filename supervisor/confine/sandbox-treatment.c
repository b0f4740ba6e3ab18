/* What the two filters together do with each call, for those who explain it. */
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "supervisor/confine/sandbox-filter.h"

/* Those of sandbox-arguments.c. */
static const unsigned int by_arguments[] = {SYS_clone, SYS_ioctl, SYS_socket, SYS_socketpair,
	SYS_personality,
#ifdef SYS_mknod
	SYS_mknod,
#endif
	SYS_mknodat};

/* What a policy's filter does: it asks for one number after the other, where there are rules for
 * arguments, and goes on with a search tree over numbers. Who gets to see an argument has rules. */
static enum confine_treatment treatment_of(
	const struct sock_filter *filter, size_t n, unsigned int number)
{
	size_t at = 0;

	while (at < n) {
		const struct sock_filter *step = &filter[at++];

		if (step->code == (BPF_RET | BPF_K))
			return step->k == SECCOMP_RET_ALLOW ? CONFINE_ALLOWED : CONFINE_REFUSED;
		if (step->code == (BPF_LD | BPF_W | BPF_ABS) &&
			step->k >= offsetof(struct seccomp_data, args))
			return CONFINE_BY_ARGUMENTS;
		if (step->code == (BPF_JMP | BPF_JGE | BPF_K))
			at += number >= step->k ? step->jt : step->jf;
		else if (step->code == (BPF_JMP | BPF_JEQ | BPF_K))
			at += number == step->k ? step->jt : step->jf;
		else if (step->code == (BPF_JMP | BPF_JA))
			at += step->k;
	}
	return CONFINE_ALLOWED;
}

static bool is_open(unsigned int number)
{
	char name[CONFINE_CALL_NAME_SIZE];

	return confine_call_name(number, name) && confine_call_level(name) != CONFINE_NEVER;
}

static bool is_judged(unsigned int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_arguments); i++)
		if (by_arguments[i] == number)
			return true;
	return false;
}

void confine_treat_calls(const struct sock_filter *filter, size_t n_filter,
	enum confine_treatment *ret_table, size_t n)
{
	for (unsigned int number = 0; number < n; number++) {
		enum confine_treatment treatment = treatment_of(filter, n_filter, number);

		if (treatment == CONFINE_ALLOWED && is_judged(number))
			treatment = CONFINE_BY_ARGUMENTS;
		else if (treatment != CONFINE_REFUSED && !is_open(number))
			treatment = CONFINE_REFUSED;
		ret_table[number] = treatment;
	}
}
