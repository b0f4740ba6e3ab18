/* The audit of system calls: which of them become events, and how many there were. */
#pragma once

#include "bpf/abi/types.h"

/* Numbers of the native table that are counted one by one: more than any kernel has. All others
 * share the last place. */
#define ABI_SYSCALLS_MAX 480
#define ABI_SYSCALL_OTHER (ABI_SYSCALLS_MAX - 1)

/* When a call becomes an event, whatever its result. What seccomp refused always does. */
enum abi_audit_when {
	ABI_AUDIT_NEVER = 0,
	ABI_AUDIT_ALWAYS = 1,
	ABI_AUDIT_CHANGES = 2, /* an open that failed, can write, or made the file */
	ABI_AUDIT_FAILURES = 3,
	ABI_AUDIT_OTHERS = 4, /* a signal to another process; the first argument names it */
};

/* One word for each number: when, what seccomp does, and which arguments point to text. */
#define ABI_AUDIT_WHEN(word) ((word)&7)
#define ABI_AUDIT_REFUSED (1u << 3)      /* seccomp refuses it, whatever its arguments */
#define ABI_AUDIT_BY_ARGUMENTS (1u << 4) /* seccomp refuses it for some arguments */
#define ABI_AUDIT_SECURITY (1u << 5)     /* its event is of the security class */
#define ABI_AUDIT_SOCKADDR (1u << 6)     /* the second argument is an address, the third its size */
#define ABI_AUDIT_OPENS (1u << 7)        /* its result is a descriptor of what it opened */
#define ABI_AUDIT_TEXT(word, n)                                                                    \
	(((word) >> (8 + 4 * (n))) & 7) /* number of an argument, from 1                           \
					 */
#define ABI_AUDIT_TEXT_AT(n, argument) ((unsigned int)((argument) + 1) << (8 + 4 * (n)))
/* A text is a path. If it is relative, then to the directory whose descriptor is the argument in
 * front of it; where there is none, or that is a text, too, to the current directory. Instead of
 * the number of a first text: */
#define ABI_AUDIT_WORD 6 /* the first argument, and not looked up as a path */
#define ABI_AUDIT_GOES 7 /* the first argument; if the call succeeds the current directory */
#define ABI_AUDIT_FIRST(kind) ((unsigned int)(kind) << 8)
/* Under a policy that limits executables: EACCES is for want of its leave, or the mode's. */
#define ABI_AUDIT_EXECUTES (1u << 11)
/* Likewise EPERM, where the third argument asks for code of the file that is the fifth. */
#define ABI_AUDIT_MAPS (1u << 15)
/* Any of it makes a call worth a second look. */
#define ABI_AUDIT_LOOK                                                                             \
	(7u | ABI_AUDIT_REFUSED | ABI_AUDIT_BY_ARGUMENTS | ABI_AUDIT_EXECUTES | ABI_AUDIT_MAPS)

/* Value of the array `audit_sets`, by image. Written before the image is bound to any slot. */
struct abi_audit_set {
	__u16 calls[ABI_SYSCALLS_MAX];
};

/* Value of the hash `audited`, by id of the sandbox's cgroup: an entry makes it audited. */
struct abi_audited {
	__u32 slot;
	__u32 reserved;
	__u64 foreign; /* calls of another ABI than the native one, by whatever number */
	__u64 calls[ABI_SYSCALLS_MAX];
	__u64 refused[ABI_SYSCALLS_MAX]; /* by seccomp, with an errno or by a signal */
};

/* An allocation of 8 KiB, with what the kernel's hash adds. */
_Static_assert(sizeof(struct abi_audited) == 7696, "read by user space");
