/* Makes one system call of a foreign ABI and prints what came back: "i386-getpid", "i386-vsock"
 * (socketcall(2) through int $0x80, which a filter for the native ABI alone never sees),
 * "x32-getpid", "native-getpid" as the twin. A filter that does its work kills the process before
 * it prints. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__

#define I386_GETPID 20
#define I386_SOCKETCALL 102
#define SOCKETCALL_SOCKET 1
#define AF_VSOCK_NUMBER 40
#define SOCK_STREAM_NUMBER 1
#define X32_BIT 0x40000000L

static long call_i386(long number, long first, long second)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second)
			 : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static long open_vsock(void)
{
	unsigned int *arguments = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (arguments == MAP_FAILED)
		return -1;
	arguments[0] = AF_VSOCK_NUMBER;
	arguments[1] = SOCK_STREAM_NUMBER;
	arguments[2] = 0;
	return call_i386(I386_SOCKETCALL, SOCKETCALL_SOCKET, (long)arguments);
}

static int run(const char *what, long *ret_result)
{
	if (strcmp(what, "i386-getpid") == 0)
		*ret_result = call_i386(I386_GETPID, 0, 0);
	else if (strcmp(what, "i386-vsock") == 0)
		*ret_result = open_vsock();
	else if (strcmp(what, "x32-getpid") == 0)
		*ret_result = syscall(X32_BIT | SYS_getpid);
	else if (strcmp(what, "native-getpid") == 0)
		*ret_result = syscall(SYS_getpid);
	else
		return -1;
	return 0;
}

#else

static int run(const char *what, long *ret_result)
{
	(void)what;
	*ret_result = 0;
	return -1;
}

#endif

int main(int argc, char **argv)
{
	long result;

	if (argc != 2 || run(argv[1], &result) < 0) {
		fprintf(stderr,
			"usage: foreign-abi i386-getpid|i386-vsock|x32-getpid|native-getpid\n");
		return 2;
	}
	printf("%s %s\n", argv[1], result >= 0 ? "ok" : "refused");
	return 0;
}
