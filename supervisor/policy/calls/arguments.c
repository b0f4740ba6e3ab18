/* The table of arguments, and how their values are read and written. */
#include "supervisor/policy/calls/arguments.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/cleanup.h"

#define NUMBER 32, false, false
#define SIGNED 32, true, false
#define FLAGS 32, false, true
#define MODE 16, false, true

/* From the kernel's SYSCALL_DEFINE of each (Linux 5.15 to 6.18); tests/system/test-call-arguments
 * holds it against the kernel that runs. umode_t has 16 bits. Of what is declared as long and holds
 * flags all known bits are in the lower half; of clone's the kernel reads no others (kernel/fork.c,
 * lower_32_bits). What the vDSO answers (clock_gettime) never reaches a filter, so it is not here.
 */
static const struct call_argument arguments[] = {
	{"arch_prctl", 0, SIGNED, "option", call_arch_prctls, NULL},
	{"chmod", 1, MODE, "mode", call_modes, NULL},
	{"clone", 0, FLAGS, "flags", call_clone_flags, "clone3"},
	{"creat", 1, MODE, "mode", call_modes, "openat2"},
	{"execveat", 4, FLAGS, "flags", call_at_flags, NULL},
	{"fallocate", 1, FLAGS, "mode", call_fallocations, NULL},
	{"fchmod", 1, MODE, "mode", call_modes, NULL},
	{"fchmodat", 2, MODE, "mode", call_modes, NULL},
	{"fchmodat2", 2, MODE, "mode", call_modes, NULL},
	{"fcntl", 1, NUMBER, "cmd", call_fcntls, NULL},
	{"futex", 1, FLAGS, "op", call_futexes, NULL},
	{"getsockopt", 1, SIGNED, "level", call_levels, NULL},
	{"getsockopt", 2, SIGNED, "optname", NULL, NULL},
	{"ioctl", 1, NUMBER, "cmd", call_ioctls, NULL},
	{"kill", 0, SIGNED, "pid", NULL, NULL},
	{"kill", 1, SIGNED, "sig", call_signals, NULL},
	{"linkat", 4, FLAGS, "flags", call_at_flags, NULL},
	{"madvise", 2, SIGNED, "behavior", call_advices, NULL},
	{"membarrier", 0, SIGNED, "cmd", NULL, NULL},
	{"memfd_create", 1, FLAGS, "flags", call_memfd_flags, NULL},
	{"mkdir", 1, MODE, "mode", call_modes, NULL},
	{"mkdirat", 2, MODE, "mode", call_modes, NULL},
	{"mknod", 1, MODE, "mode", call_modes, NULL},
	{"mknodat", 2, MODE, "mode", call_modes, NULL},
	{"mmap", 1, 64, false, false, "len", NULL, NULL},
	{"mmap", 2, FLAGS, "prot", call_protections, NULL},
	{"mmap", 3, FLAGS, "flags", call_mappings, NULL},
	{"mprotect", 2, FLAGS, "prot", call_protections, NULL},
	{"mq_open", 1, FLAGS, "oflag", call_open_flags, NULL},
	{"mq_open", 2, MODE, "mode", call_modes, NULL},
	{"mremap", 2, 64, false, false, "new_len", NULL, NULL},
	{"open", 1, FLAGS, "flags", call_open_flags, "openat2"},
	{"open", 2, MODE, "mode", call_modes, "openat2"},
	{"openat", 2, FLAGS, "flags", call_open_flags, "openat2"},
	{"openat", 3, MODE, "mode", call_modes, "openat2"},
	{"pidfd_send_signal", 1, SIGNED, "sig", call_signals, NULL},
	{"pipe2", 1, FLAGS, "flags", call_open_flags, NULL},
	{"pkey_mprotect", 2, FLAGS, "prot", call_protections, NULL},
	{"prctl", 0, SIGNED, "option", call_prctls, NULL},
	{"prlimit64", 1, NUMBER, "resource", call_resources, NULL},
	{"process_madvise", 3, SIGNED, "behavior", call_advices, NULL},
	{"ptrace", 0, 64, true, false, "request", call_traces, NULL},
	{"recvfrom", 3, FLAGS, "flags", call_messages, NULL},
	{"recvmmsg", 3, FLAGS, "flags", call_messages, NULL},
	{"recvmsg", 2, FLAGS, "flags", call_messages, NULL},
	{"renameat2", 4, FLAGS, "flags", call_rename_flags, NULL},
	{"rt_sigqueueinfo", 1, SIGNED, "sig", call_signals, NULL},
	{"rt_tgsigqueueinfo", 2, SIGNED, "sig", call_signals, NULL},
	{"sched_setscheduler", 1, FLAGS, "policy", call_schedulers, "sched_setattr"},
	{"seccomp", 0, NUMBER, "op", call_seccomps, NULL},
	{"sendmmsg", 3, FLAGS, "flags", call_messages, NULL},
	{"sendmsg", 2, FLAGS, "flags", call_messages, NULL},
	{"sendto", 3, FLAGS, "flags", call_messages, NULL},
	{"setgid", 0, NUMBER, "gid", NULL, NULL},
	{"setrlimit", 0, NUMBER, "resource", call_resources, NULL},
	{"setsockopt", 1, SIGNED, "level", call_levels, NULL},
	{"setsockopt", 2, SIGNED, "optname", NULL, NULL},
	{"setuid", 0, NUMBER, "uid", NULL, NULL},
	{"socket", 0, SIGNED, "family", call_families, NULL},
	{"socket", 1, FLAGS, "type", call_socket_types, NULL},
	{"socket", 2, SIGNED, "protocol", call_protocols, NULL},
	{"socketpair", 0, SIGNED, "family", call_families, NULL},
	{"socketpair", 1, FLAGS, "type", call_socket_types, NULL},
	{"socketpair", 2, SIGNED, "protocol", call_protocols, NULL},
	{"tgkill", 2, SIGNED, "sig", call_signals, NULL},
	{"tkill", 1, SIGNED, "sig", call_signals, NULL},
	{"unlinkat", 2, FLAGS, "flag", call_at_flags, NULL},
};

const struct call_argument *call_argument_at(size_t i)
{
	return i < ARRAY_SIZE(arguments) ? &arguments[i] : NULL;
}

const struct call_argument *call_argument_find(const char *call, unsigned int index)
{
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		if (arguments[i].index == index && strcmp(arguments[i].call, call) == 0)
			return &arguments[i];
	return NULL;
}

const char *call_arguments_list(const char *call, char ret_text[CALL_ARGUMENTS_TEXT_SIZE])
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(arguments) && used < CALL_ARGUMENTS_TEXT_SIZE; i++)
		if (strcmp(arguments[i].call, call) == 0)
			used += (size_t)snprintf(ret_text + used, CALL_ARGUMENTS_TEXT_SIZE - used,
				"%s%u (%s)", used ? ", " : "", arguments[i].index,
				arguments[i].word);
	return ret_text;
}

/* strtoull(3) takes white space and signs, too. */
static int read_number(const char *text, uint64_t *ret_value)
{
	bool is_negative = text[0] == '-';
	const char *digits = text + is_negative;
	int base = 10;
	char *end;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
		base = digits[1] == 'x' ? 16 : 8;
		digits += 2;
	} else if (digits[0] == '0' && digits[1]) {
		return -EINVAL; /* octal to some, decimal to others */
	}
	if (!isxdigit((unsigned char)digits[0]))
		return -EINVAL;
	errno = 0;
	*ret_value = strtoull(digits, &end, base);
	if (*end || (is_negative && base != 10))
		return -EINVAL;
	if (errno == ERANGE || (is_negative && *ret_value > (uint64_t)1 << 63))
		return -ERANGE;
	if (is_negative)
		*ret_value = -*ret_value;
	return 0;
}

static int read_constant(
	const char *name, const struct call_argument *argument, uint64_t *ret_value)
{
	const struct call_constant *constant = argument ? argument->constants : NULL;

	for (; constant && constant->name; constant++)
		if (strcmp(constant->name, name) == 0) {
			*ret_value = constant->value;
			return 0;
		}
	return -ENOENT;
}

int call_value_read(const char *text, const struct call_argument *argument, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (;;) {
		size_t length = strcspn(text, "|");
		bool is_name = isalpha((unsigned char)text[0]);
		uint64_t part;
		char word[40];
		int r;

		if (length == 0 || length >= sizeof(word))
			return -EINVAL;
		memcpy(word, text, length);
		word[length] = '\0';
		r = is_name ? read_constant(word, argument, &part) : read_number(word, &part);
		if (r < 0)
			return r;
		value |= part;
		if (text[length] == '\0')
			break;
		text += length + 1;
	}
	*ret_value = value;
	return 0;
}

/* "O_CREAT|O_EXCL"; false when bits are left or there is no room. */
static bool join_flags(
	const struct call_constant *constant, uint64_t value, char text[CALL_VALUE_TEXT_SIZE])
{
	size_t used = 0;

	for (; value && constant && constant->name && used < CALL_VALUE_TEXT_SIZE; constant++) {
		if (constant->value == 0 || (constant->value & ~value))
			continue;
		used += (size_t)snprintf(text + used, CALL_VALUE_TEXT_SIZE - used, "%s%s",
			used ? "|" : "", constant->name);
		value &= ~constant->value;
	}
	return value == 0 && used > 0 && used < CALL_VALUE_TEXT_SIZE;
}

const char *call_value_format(
	const struct call_argument *argument, uint64_t value, char ret_text[CALL_VALUE_TEXT_SIZE])
{
	const struct call_constant *constant = argument ? argument->constants : NULL;

	for (; constant && constant->name; constant++)
		if (constant->value == value) {
			snprintf(ret_text, CALL_VALUE_TEXT_SIZE, "%s", constant->name);
			return ret_text;
		}
	if (argument && argument->is_flags && join_flags(argument->constants, value, ret_text))
		return ret_text;
	if (value < 4096)
		snprintf(ret_text, CALL_VALUE_TEXT_SIZE, "%llu", (unsigned long long)value);
	else if (argument && argument->is_signed && -value < 4096)
		snprintf(ret_text, CALL_VALUE_TEXT_SIZE, "-%llu", (unsigned long long)-value);
	else
		snprintf(ret_text, CALL_VALUE_TEXT_SIZE, "0x%llx", (unsigned long long)value);
	return ret_text;
}
