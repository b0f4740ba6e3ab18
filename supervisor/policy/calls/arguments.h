/* Inside the policy room: which arguments of system calls a filter can judge, and how they are
 * written.
 *
 * A filter sees six numbers of 64 bits. It can judge those that the kernel takes by value, by the
 * bits that the kernel reads of them; not what a pointer leads to, not what a descriptor stands
 * for, not a number whose meaning another argument decides. */
#pragma once

#include "supervisor/policy/model.h"

struct call_constant {
	const char *name; /* NULL at the end of a list */
	uint64_t value;
};

struct call_argument {
	const char *call;
	uint8_t index;
	uint8_t bits; /* that count, the lowest ones: 16, 32 or 64 */
	bool is_signed;
	/* Bits that each mean something, or parts that do; what the kernel does not know of them it
	 * may pass over, so the whole of it must not be compared. */
	bool is_flags;
	const char *word;                      /* the kernel's name for it */
	const struct call_constant *constants; /* NULL: none is known */
	const char *twin; /* a call that takes the same from memory; NULL: there is none */
};

/* All of them, sorted by call and index; NULL at the end. */
const struct call_argument *call_argument_at(size_t i);
/* NULL: no filter can judge it. */
const struct call_argument *call_argument_find(const char *call, unsigned int index);
/* The words of all that can be judged of the call: "1 (cmd)", "0 (family), 1 (type)". Empty: none.
 */
#define CALL_ARGUMENTS_TEXT_SIZE 96
const char *call_arguments_list(const char *call, char ret_text[CALL_ARGUMENTS_TEXT_SIZE]);

/* Reads "40", "0x28", "0o50", "-1", "AF_VSOCK", "O_CREAT|O_EXCL". `argument` may be NULL: numbers
 * only. Returns 0, -EINVAL (no number), -ENOENT (no such constant), -ERANGE (more than 64 bits). */
int call_value_read(const char *text, const struct call_argument *argument, uint64_t *ret_value);
/* The name of a constant, or a number; `argument` may be NULL. */
#define CALL_VALUE_TEXT_SIZE 48
const char *call_value_format(
	const struct call_argument *argument, uint64_t value, char ret_text[CALL_VALUE_TEXT_SIZE]);

/* Lists of constants, in calls/constants.c. */
extern const struct call_constant call_families[], call_socket_types[], call_protocols[],
	call_ioctls[], call_prctls[], call_arch_prctls[], call_signals[], call_open_flags[],
	call_modes[], call_clone_flags[], call_protections[], call_mappings[], call_fcntls[],
	call_levels[], call_futexes[], call_messages[], call_advices[], call_traces[],
	call_resources[], call_seccomps[], call_at_flags[], call_rename_flags[], call_memfd_flags[],
	call_schedulers[], call_fallocations[];
