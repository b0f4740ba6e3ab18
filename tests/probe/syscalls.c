/* Makes each system call once, with null arguments, in a child of its own, and prints what came
 * back: "NUMBER ok RESULT", "NUMBER ERRNO-NAME", "NUMBER killed SIGSYS", "NUMBER blocks".
 *
 * syscalls [FIRST LAST]…: numbers, 0x allowed. Meant for the inside of a sandbox; with null
 * arguments hardly a call can do anything, but run it elsewhere only for calls that you know. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS_AFTER_US 100000

struct result {
	volatile int done;
	volatile long value;
	volatile int error;
};

static void call(unsigned long number, struct result *result)
{
	const struct itimerval limit = {.it_value = {.tv_usec = BLOCKS_AFTER_US}};

	setitimer(ITIMER_REAL, &limit, NULL);
	errno = 0;
	result->value = syscall((long)number, 0L, 0L, 0L, 0L, 0L, 0L);
	result->error = errno;
	result->done = 1;
	_exit(0);
}

static void tell(unsigned long number, int status, const struct result *result)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("%lu blocks\n", number);
	else if (WIFSIGNALED(status))
		printf("%lu killed SIG%s\n", number, sigabbrev_np(WTERMSIG(status)));
	else if (!result->done)
		printf("%lu ended\n", number); /* exit(2) and its kin */
	else if (result->value == -1 && result->error)
		printf("%lu %s\n", number,
			strerrorname_np(result->error) ? strerrorname_np(result->error) : "?");
	else
		printf("%lu ok %ld\n", number, result->value);
}

static void probe(unsigned long number, struct result *result)
{
	pid_t child;
	int status;

	result->done = 0;
	fflush(stdout);
	child = fork();
	if (child == 0)
		call(number, result);
	if (child < 0 || waitpid(child, &status, 0) != child) {
		perror("syscalls: fork");
		exit(1);
	}
	tell(number, status, result);
}

int main(int argc, char **argv)
{
	struct result *result = mmap(
		NULL, sizeof(*result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (result == MAP_FAILED || argc % 2 == 0) {
		fprintf(stderr, "usage: syscalls [FIRST LAST]...\n");
		return 2;
	}
	for (int i = 1; i + 1 < argc; i += 2) {
		unsigned long last = strtoul(argv[i + 1], NULL, 0);

		for (unsigned long number = strtoul(argv[i], NULL, 0); number <= last; number++)
			probe(number, result);
	}
	return 0;
}
