/* x86-64: the system call instruction, the program's entry and vfork on a stack of its own. */
#pragma once

static inline long syscall6(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* The entry point: an aligned stack, then init_main(). */
#define INIT_START                                                                                 \
	".text\n.globl _start\n.type _start,@function\n_start:\n\t"                                \
	"xor %ebp, %ebp\n\tand $-16, %rsp\n\tcall init_main\n\thlt\n"

/* clone(2) with CLONE_VM|CLONE_VFORK: the child runs function(argument) on the given stack and ends
 * with its result; the caller sleeps until the child has executed a program or ended. The child
 * must not return into the caller's frames, hence the stack of its own. */
static inline long arch_clone_vfork(
	unsigned long flags, void *stack_top, int (*function)(void *), void *argument)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	register int (*child)(void *) __asm__("r12") = function;
	register void *given __asm__("r13") = argument;
	long result;

	__asm__ volatile("syscall\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "mov %%r13, %%rdi\n\t"
			 "call *%%r12\n\t"
			 "mov %%eax, %%edi\n\t"
			 "mov %[exit], %%eax\n\t"
			 "syscall\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(result)
			 : "a"((long)__NR_clone), "D"(flags), "S"(stack_top), "d"(0L), "r"(r10),
			 "r"(r8), "r"(child), "r"(given), [exit] "i"(__NR_exit)
			 : "rcx", "r11", "memory", "cc");
	return result;
}
