/* cloched: the one privileged process. It decides, starts and accounts; it parses nothing that a
 * stranger sent but the fixed forms of supervisor/wire. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/confine/sandbox-filter.h"
#include "supervisor/control/check.h"
#include "supervisor/control/control.h"
#include "supervisor/control/listen.h"
#include "supervisor/control/notify.h"
#include "supervisor/control/options.h"
#include "supervisor/launch/spawner/spawner.h"

#define READY_WAIT_SECONDS 5

struct daemon {
	struct options options;
	struct loop *loop;
	struct core *core;
	struct control *control;
	struct loop_source *on_term, *on_int, *on_hup, *on_pipe;
	bool stopping;
	int lock_fd;
};

static void stopped(void *userdata)
{
	struct daemon *daemon = userdata;

	loop_stop(daemon->loop, 0);
}

static void on_terminate(struct loop_source *source _unused_, int signal, void *userdata)
{
	struct daemon *daemon = userdata;

	if (daemon->stopping)
		return;
	daemon->stopping = true;
	log_info("%s: ending all sandboxes", strsignal(signal));
	notify_supervisor("STOPPING=1");
	core_stop(daemon->core, stopped, daemon);
}

static void on_hangup(struct loop_source *source _unused_, int signal _unused_, void *userdata)
{
	struct daemon *daemon = userdata;
	struct failure why = {0};

	notify_supervisor("RELOADING=1");
	if (core_reload_policies(daemon->core, &why) < 0)
		log_failure("policies stay as they were", &why);
	else
		log_info("policies reloaded");
	notify_supervisor("READY=1");
}

static void ignore(
	struct loop_source *source _unused_, int signal _unused_, void *userdata _unused_)
{
}

static int open_sockets(
	const struct options *options, struct control_config *ret_config, struct failure *why)
{
	int r = listen_unix(options->socket, &ret_config->listen_fds[0], why);

	if (r < 0)
		return r;
	ret_config->n_listen_fds = 1;
	if (strcmp(options->listen, "none") == 0)
		return 0;
	r = listen_tcp(options->listen, &ret_config->listen_fds[1], why);
	if (r == 0)
		ret_config->n_listen_fds = 2;
	return r;
}

/* Others must get at the API's socket; what lies beside it is closed by its own mode. */
static int make_run_dir(const char *path, struct failure *why)
{
	if (mkdir(path, 0755) == 0 ? chmod(path, 0755) < 0 : errno != EEXIST)
		return failure_set(why, -errno, "start", "cannot make %s", path);
	return 0;
}

static int start(struct daemon *daemon, struct failure *why)
{
	struct options *options = &daemon->options;
	struct control_config config = {
		.libexec_dir = options->core.libexec_dir, .api_user = options->api_user};
	int r = loop_new(&daemon->loop);

	if (r == 0)
		r = loop_add_signal(daemon->loop, SIGTERM, on_terminate, daemon, &daemon->on_term);
	if (r == 0)
		r = loop_add_signal(daemon->loop, SIGINT, on_terminate, daemon, &daemon->on_int);
	if (r == 0)
		r = loop_add_signal(daemon->loop, SIGHUP, on_hangup, daemon, &daemon->on_hup);
	if (r == 0)
		r = loop_add_signal(daemon->loop, SIGPIPE, ignore, daemon, &daemon->on_pipe);
	if (r < 0)
		return failure_set(why, r, "start", "no event loop");
	r = confine_find_layer(why);
	if (r == 0)
		r = make_run_dir(options->core.run_dir, why);
	if (r < 0)
		return r;
	/* Before anything is touched: another cloched on the same directories must not be
	 * disturbed. */
	r = lock_run_dir(options->core.run_dir, &daemon->lock_fd, why);
	if (r == 0)
		r = open_sockets(options, &config, why);
	if (r == 0)
		r = core_start(daemon->loop, &options->core, &daemon->core, why);
	if (r == 0)
		r = control_start(daemon->core, &config, &daemon->control, why);
	return r;
}

/* READY=1 means that the first request is served whole: the gate may still be starting. */
static void await_readiness(const struct daemon *daemon)
{
	const uint64_t end_ns = clock_monotonic_ns() + READY_WAIT_SECONDS * NS_PER_SECOND;
	char sentence[WIRE_REASON_SIZE];

	while (!daemon->stopping && clock_monotonic_ns() < end_ns &&
		!core_is_ready(daemon->core, sentence, sizeof(sentence)))
		if (loop_run_once(daemon->loop, 100) < 0)
			return;
}

/* The socket and the lock, while that is held: those of another cloched are not touched, and nobody
 * takes a lock on a file that is gone. */
static void remove_paths(const struct daemon *daemon)
{
	char path[128];

	if (daemon->lock_fd < 0)
		return;
	unlink(daemon->options.socket);
	snprintf(path, sizeof(path), "%s/lock", daemon->options.core.run_dir);
	unlink(path);
}

static void finish(struct daemon *daemon)
{
	control_free(daemon->control);
	core_free(daemon->core);
	loop_source_free(daemon->on_term);
	loop_source_free(daemon->on_int);
	loop_source_free(daemon->on_hup);
	loop_source_free(daemon->on_pipe);
	loop_free(daemon->loop);
}

int main(int argc, char **argv)
{
	struct daemon daemon = {.lock_fd = -1};
	struct failure why = {0};
	int r;

	if (spawner_is_wanted(argc, argv))
		return spawner_main(argc, argv);
	r = options_parse(argc, argv, &daemon.options);
	if (r != 0)
		return r == 1 ? 0 : r;
	if (daemon.options.check)
		return check_host(daemon.options.json);
	log_open("cloched", daemon.options.log_level);
	umask(0077);
	r = start(&daemon, &why);
	if (r < 0) {
		log_failure("cannot start", &why);
		remove_paths(&daemon);
		return 1;
	}
	await_readiness(&daemon);
	log_info("serving %s", daemon.options.socket);
	notify_supervisor("READY=1");
	r = loop_run(daemon.loop);
	remove_paths(&daemon);
	finish(&daemon);
	return r < 0 ? 1 : r;
}
