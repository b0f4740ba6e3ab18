/* System calls without a libc. A call returns its result or a negative errno, as the kernel does.
 *
 * All that depends on the processor is in one file for each; a new one needs the same four things:
 * syscall6(), INIT_START, arch_clone_vfork() and nothing else. */
#pragma once

#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "supervisor/init/arch-x86-64.h"
#else
#error "cloche-init: write supervisor/init/arch-<processor>.h"
#endif

static inline long syscall4(long number, long a, long b, long c, long d)
{
	return syscall6(number, a, b, c, d, 0, 0);
}

static inline long syscall3(long number, long a, long b, long c)
{
	return syscall6(number, a, b, c, 0, 0, 0);
}

static inline long syscall2(long number, long a, long b)
{
	return syscall6(number, a, b, 0, 0, 0, 0);
}

static inline long syscall1(long number, long a)
{
	return syscall6(number, a, 0, 0, 0, 0, 0);
}

static inline void close_fd(int fd)
{
	if (fd >= 0)
		syscall1(__NR_close, fd);
}
