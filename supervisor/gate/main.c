/* cloche-gate: started by cloched, as a user of its own; confined before it reads a byte. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/confine/process.h"
#include "supervisor/gate/serve.h"

/* Kept for standard streams, epoll, the supervisor's socket, the map, and descriptors that arrive
 * with messages: without room for those, the socket itself would break. */
#define FDS_RESERVED 64

static int parse_arguments(int argc, char **argv, int *ret_fd)
{
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		puts("cloche-gate " CLOCHE_VERSION);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "--supervisor-fd") == 0 && fd_parse(argv[2], ret_fd))
		return 1;
	fputs("usage: cloche-gate --supervisor-fd N (started by cloched)\n", stderr);
	return -EINVAL;
}

/* All that the hard limit grants. Returns how many descriptors the relay may use. */
static size_t raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur <= FDS_RESERVED)
		return 0;
	return (size_t)limit.rlim_cur - FDS_RESERVED;
}

static int run(int supervisor_fd)
{
	size_t n_fds_max = raise_fd_limit();
	struct serve *serve = NULL;
	struct loop *loop = NULL;
	struct failure why;
	int r;

	/* splice(2) into a socket that its peer closed raises it. */
	signal(SIGPIPE, SIG_IGN);
	r = loop_new(&loop);
	if (r == 0 && confine_process(CONFINE_GATE, &why) < 0) {
		log_failure("confinement", &why);
		return 1;
	}
	if (r == 0)
		r = serve_new(loop, supervisor_fd, n_fds_max, &serve);
	if (r < 0) {
		log_error("start: %s", strerror(-r));
		return 1;
	}
	r = loop_run(loop);
	serve_free(serve);
	loop_free(loop);
	if (r < 0)
		log_error("loop: %s", strerror(-r));
	return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	int supervisor_fd = -1, r = parse_arguments(argc, argv, &supervisor_fd);

	if (r <= 0)
		return r < 0 ? 2 : 0;
	log_open("cloche-gate", LOG_LEVEL_INFO);
	return run(supervisor_fd);
}
