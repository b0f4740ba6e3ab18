/* The part of the filter that looks at arguments, written instruction by instruction.
 *
 * libseccomp compares all 64 bits of an argument, while the kernel takes a request code, a family
 * or clone's flags from the lower 32 only: set a high bit and an exact comparison no longer matches
 * what the kernel then does (CVE-2019-10063 in Flatpak). Here only the lower half is looked at. */
#include "supervisor/confine/sandbox-filter.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "name this processor's AUDIT_ARCH"
#endif

#define FOREIGN_TABLE_BIT 0x40000000u /* x32, asm/unistd.h: __X32_SYSCALL_BIT */
#define DENY(error) (SECCOMP_RET_ERRNO | (error))

static void emit(
	struct confine_code *code, uint16_t operation, uint8_t yes, uint8_t no, uint32_t value)
{
	assert(code->n < CONFINE_CODE_MAX);
	code->code[code->n++] =
		(struct sock_filter){.code = operation, .jt = yes, .jf = no, .k = value};
}

static void answer(struct confine_code *code, uint32_t action)
{
	emit(code, BPF_RET | BPF_K, 0, 0, action);
}

static void answer_if_equal(struct confine_code *code, uint32_t value, uint32_t action)
{
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
	answer(code, action);
}

static void load_argument(struct confine_code *code, int index)
{
	uint32_t offset =
		(uint32_t)(offsetof(struct seccomp_data, args) + (size_t)index * sizeof(uint64_t));

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	offset += 4;
#endif
	emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

/* Opens the block for one call: it must end with an answer, so that whoever skips it still has the
 * call's number in the accumulator. */
static size_t begin_call(struct confine_code *code, uint32_t number)
{
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, number);
	return code->n - 1;
}

static void end_call(struct confine_code *code, size_t begin)
{
	size_t distance = code->n - begin - 1;

	assert(distance <= UINT8_MAX);
	code->code[begin].jf = (uint8_t)distance;
}

static void emit_abi(struct confine_code *code)
{
	emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, NATIVE_ARCH);
	answer(code, SECCOMP_RET_KILL_PROCESS);
	emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit(code, BPF_JMP | BPF_JGE | BPF_K, 0, 1, FOREIGN_TABLE_BIT);
	answer(code, SECCOMP_RET_KILL_PROCESS);
}

static void emit_clone(struct confine_code *code)
{
	size_t begin = begin_call(code, SYS_clone);

	load_argument(code, 0);
	emit(code, BPF_JMP | BPF_JSET | BPF_K, 0, 1,
		CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
			CLONE_NEWPID | CLONE_NEWNET);
	answer(code, DENY(EPERM));
	answer(code, SECCOMP_RET_ALLOW);
	end_call(code, begin);
}

/* Pushing input into a terminal, pasting on consoles, taking a console's output, and exchanging a
 * terminal's line discipline (which loads modules): CVE-2017-5226, CVE-2023-28100, CVE-2023-6546.
 */
static void emit_ioctl(struct confine_code *code)
{
	static const uint32_t denied[] = {TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD};
	size_t begin = begin_call(code, SYS_ioctl);

	load_argument(code, 1);
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		answer_if_equal(code, denied[i], DENY(EPERM));
	answer(code, SECCOMP_RET_ALLOW);
	end_call(code, begin);
}

/* The rest of a block for internet sockets: no raw type, and only protocols that need no module. */
static void emit_internet(struct confine_code *code)
{
	static const uint32_t protocols[] = {
		0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};

	load_argument(code, 1);
	emit(code, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf); /* SOCK_TYPE_MASK */
	answer_if_equal(code, SOCK_RAW, DENY(EPERM));
	answer_if_equal(code, SOCK_PACKET, DENY(EPERM));
	load_argument(code, 2);
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		answer_if_equal(code, protocols[i], SECCOMP_RET_ALLOW);
	answer(code, DENY(EPROTONOSUPPORT));
}

static void emit_socket(struct confine_code *code)
{
	size_t begin = begin_call(code, SYS_socket), netlink, internet;

	load_argument(code, 0);
	answer_if_equal(code, AF_UNIX, SECCOMP_RET_ALLOW);
	netlink = begin_call(code, AF_NETLINK);
	load_argument(code, 2); /* NETLINK_ROUTE is 0: getaddrinfo(3) and if_nameindex(3) ask it */
	answer_if_equal(code, 0, SECCOMP_RET_ALLOW);
	answer(code, DENY(EPERM));
	end_call(code, netlink);
	emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AF_INET);
	internet = begin_call(code, AF_INET6);
	emit_internet(code);
	end_call(code, internet);
	answer(code, DENY(EPERM));
	end_call(code, begin);

	begin = begin_call(code, SYS_socketpair);
	load_argument(code, 0);
	answer_if_equal(code, AF_UNIX, SECCOMP_RET_ALLOW);
	answer(code, DENY(EPERM));
	end_call(code, begin);
}

static void emit_personality(struct confine_code *code)
{
	size_t begin = begin_call(code, SYS_personality);

	load_argument(code, 0);
	answer_if_equal(code, PER_LINUX, SECCOMP_RET_ALLOW);
	answer_if_equal(code, 0xffffffffu, SECCOMP_RET_ALLOW); /* only asks */
	answer(code, DENY(EPERM));
	end_call(code, begin);
}

static void emit_mknod(struct confine_code *code, uint32_t number, int mode_index)
{
	size_t begin = begin_call(code, number);

	load_argument(code, mode_index);
	emit(code, BPF_ALU | BPF_AND | BPF_K, 0, 0, S_IFMT);
	answer_if_equal(code, 0, SECCOMP_RET_ALLOW); /* a regular file, too */
	answer_if_equal(code, S_IFREG, SECCOMP_RET_ALLOW);
	answer_if_equal(code, S_IFIFO, SECCOMP_RET_ALLOW);
	answer_if_equal(code, S_IFSOCK, SECCOMP_RET_ALLOW);
	answer(code, DENY(EPERM));
	end_call(code, begin);
}

void confine_emit_arguments(struct confine_code *code)
{
	emit_abi(code);
	emit_clone(code);
	emit_ioctl(code);
	emit_socket(code);
	emit_personality(code);
#ifdef SYS_mknod
	emit_mknod(code, SYS_mknod, 1);
#endif
	emit_mknod(code, SYS_mknodat, 2);
}
