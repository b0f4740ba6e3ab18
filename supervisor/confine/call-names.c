/* Names and numbers of system calls: libseccomp's, and of those that the profiles open and an older
 * libseccomp has not heard of, our own. What is open without a name could be neither denied nor
 * recorded. */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/confine/sandbox-filter.h"

/* include/uapi/asm-generic/unistd.h; from 424 on the numbers are the same on every processor. */
static const struct {
	const char *name;
	unsigned int number;
} newer[] = {
	{"futex_waitv", 449},   /* Linux 5.16 */
	{"cachestat", 451},     /* 6.5 */
	{"fchmodat2", 452},     /* 6.6 */
	{"futex_wake", 454},    /* 6.7 */
	{"futex_wait", 455},    /* 6.7 */
	{"futex_requeue", 456}, /* 6.7 */
	{"mseal", 462},         /* 6.10 */
	{"setxattrat", 463},    /* 6.13 */
	{"getxattrat", 464},    /* 6.13 */
	{"listxattrat", 465},   /* 6.13 */
	{"removexattrat", 466}, /* 6.13 */
};

/* On other processors a call may have no number of its own; it counts as unknown. */
int confine_call_number(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	if (number >= 0 && number < CONFINE_NUMBERS_MAX)
		return number;
	for (size_t i = 0; i < ARRAY_SIZE(newer); i++)
		if (strcmp(newer[i].name, name) == 0)
			return (int)newer[i].number;
	return -ENOENT;
}

bool confine_call_name(unsigned int number, char ret_name[CONFINE_CALL_NAME_SIZE])
{
	char *name = number < CONFINE_NUMBERS_MAX
			     ? seccomp_syscall_resolve_num_arch(seccomp_arch_native(), (int)number)
			     : NULL;
	const char *found = name;
	bool fits;

	for (size_t i = 0; !found && i < ARRAY_SIZE(newer); i++)
		if (newer[i].number == number)
			found = newer[i].name;
	fits = found && strlen(found) < CONFINE_CALL_NAME_SIZE;
	if (fits)
		strcpy(ret_name, found);
	free(name);
	return fits;
}
