/* Makes system calls of known kinds and numbers.
 *
 * calls fixed DIR: always the same ones, with files in DIR, which must exist.
 * calls loop N: getppid(2) N times; prints how many nanoseconds each took. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int loop(long n)
{
	struct timespec start, end;
	double ns;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ns = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
	printf("%.2f\n", ns / (double)n);
	return 0;
}

static int fixed(const char *directory)
{
	if (chdir(directory) < 0)
		return 1;
	for (int i = 0; i < 123; i++)
		syscall(SYS_getppid);
	for (int i = 0; i < 31; i++)
		close(open("/dev/null", O_RDONLY));
	for (int i = 0; i < 17; i++)
		if (open("/nowhere/file", O_RDONLY) >= 0)
			return 1;
	for (int i = 0; i < 7; i++) {
		close(open("one", O_WRONLY | O_CREAT | O_EXCL, 0600));
		if (chmod("one", 0640) < 0 || rename("one", "two") < 0 || unlink("two") < 0)
			return 1;
	}
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();

		if (child == 0) {
			syscall(SYS_getppid);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "fixed") == 0)
		return fixed(argv[2]);
	if (argc == 3 && strcmp(argv[1], "loop") == 0)
		return loop(atol(argv[2]));
	fprintf(stderr, "usage: calls fixed DIR | calls loop N\n");
	return 2;
}
