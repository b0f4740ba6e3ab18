/* cloche-api: the process that parses what strangers send. It holds two or three sockets and
 * nothing else, and ends when cloched does. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "api/calls/calls.h"
#include "api/http/server.h"
#include "api/v1/routes.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/confine/process.h"

#define LISTEN_FDS_MAX 4

struct options {
	int supervisor_fd;
	int listen_fds[LISTEN_FDS_MAX];
	size_t n_listen_fds;
};

static int usage(void)
{
	fprintf(stderr, "usage: cloche-api --supervisor-fd N --listen-fd N [--listen-fd N]\n"
			"cloched starts it; it is of no use by hand.\n");
	return EXIT_FAILURE;
}

static bool read_options(int argc, char **argv, struct options *options)
{
	*options = (struct options){.supervisor_fd = -1};
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--supervisor-fd") == 0) {
			if (!fd_parse(value, &options->supervisor_fd))
				return false;
		} else if (strcmp(argv[i], "--listen-fd") == 0 &&
			   options->n_listen_fds < LISTEN_FDS_MAX) {
			if (!fd_parse(value, &options->listen_fds[options->n_listen_fds++]))
				return false;
		} else {
			return false;
		}
	}
	return options->supervisor_fd >= 0 && options->n_listen_fds > 0;
}

/* Each command takes three descriptors, each client one. Returns how many may be open. */
static uint64_t raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 256;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 && getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 256;
	return limit.rlim_cur;
}

static void on_closed(int reason, void *userdata)
{
	if (reason)
		log_error("the supervisor's socket: %s", strerror(-reason));
	loop_stop(userdata, reason ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int start(struct loop *loop, const struct options *options, struct failure *why)
{
	struct server_config config = {.loop = loop,
		.routes = v1_routes(),
		.limits = server_default_limits(raise_file_limit())};
	struct server *server;
	int r = calls_new(loop, options->supervisor_fd, on_closed, loop, &config.calls);

	if (r < 0)
		return failure_set(
			why, r, "start", "descriptor %d is no socket", options->supervisor_fd);
	fd_set_cloexec(options->supervisor_fd, true);
	r = server_new(&config, &server);
	if (r < 0)
		return failure_set(why, r, "start", "cannot make the server");
	for (size_t i = 0; i < options->n_listen_fds; i++) {
		fd_set_cloexec(options->listen_fds[i], true);
		r = server_listen(server, options->listen_fds[i], why);
		if (r < 0)
			return r;
	}
	return confine_process(CONFINE_API, why);
}

/* Everything that was made is given back by the end of the process: clients and cloched see their
 * sockets close, and cloched starts the next one. */
int main(int argc, char **argv)
{
	struct options options;
	struct failure why = {0};
	struct loop *loop;
	int r;

	log_open("cloche-api", LOG_LEVEL_INFO);
	if (!read_options(argc, argv, &options))
		return usage();
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "cloche-api");
	r = loop_new(&loop);
	if (r < 0) {
		log_error("start: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	if (start(loop, &options, &why) < 0) {
		log_failure("start", &why);
		return EXIT_FAILURE;
	}
	r = loop_run(loop);
	return r < 0 ? EXIT_FAILURE : r;
}
