/* Down begins when the channel closes or the process ends, whichever is seen first; messages that a
 * process sent before it ended are still delivered, so its end alone waits for the channel's. Both
 * must be gone before the next start, which the timer makes. */
#include "supervisor/core/peers/peer.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/peers/start.h"

#define DELAY_FIRST_MS 100
#define DELAY_MAX_MS 5000
#define LONG_LIFE_NS (10 * NS_PER_SECOND)

_Static_assert(1 + 2 * (1 + PEER_FDS_MAX) <= PEER_EXEC_ARGUMENTS_MAX, "all on one command line");

struct peer {
	struct loop *loop;
	struct peer_config config;
	uid_t uid;
	gid_t gid;
	struct channel *channel;
	pid_t pid; /* 0 when reaped */
	int pidfd;
	struct loop_source *pidfd_source, *timer;
	uint64_t started_ns;
	uint32_t delay_ms;
	bool restart_planned;
};

static int resolve_user(struct peer *peer, struct failure *why)
{
	const char *user = peer->config.user;
	const struct passwd *entry;
	char *end;
	unsigned long number;

	peer->uid = peer->gid = peer->config.fallback_id;
	if (!user)
		return 0;
	errno = 0;
	number = strtoul(user, &end, 10);
	entry = getpwnam(user);
	if (entry) {
		peer->uid = entry->pw_uid;
		peer->gid = entry->pw_gid;
	} else if (*user && !*end && errno == 0 && number < UINT32_MAX) {
		peer->uid = peer->gid = (uid_t)number;
	}
	if (peer->uid == 0 || peer->gid == 0)
		return failure_set(why, -EINVAL, "resolve user",
			"%s would run as root: name an unprivileged user, not \"%s\"",
			peer->config.name, user);
	return 0;
}

static void kill_process(struct peer *peer)
{
	if (peer->pid > 0)
		kill(peer->pid, SIGKILL);
}

/* Collects the process, which has ended or is about to. */
static void reap(struct peer *peer, siginfo_t *ret_info)
{
	memset(ret_info, 0, sizeof(*ret_info));
	if (peer->pid == 0)
		return;
	while (waitid(P_PID, (id_t)peer->pid, ret_info, WEXITED) < 0 && errno == EINTR)
		;
	peer->pid = 0;
	peer->pidfd_source = loop_source_free(peer->pidfd_source);
	close(steal_fd(&peer->pidfd));
}

static void plan_restart(struct peer *peer)
{
	if (peer->restart_planned)
		return;
	peer->restart_planned = true;
	if (clock_monotonic_ns() - peer->started_ns >= LONG_LIFE_NS)
		peer->delay_ms = DELAY_FIRST_MS;
	loop_timer_arm(peer->timer, peer->delay_ms, 0);
	peer->delay_ms *= 2;
	if (peer->delay_ms > DELAY_MAX_MS)
		peer->delay_ms = DELAY_MAX_MS;
}

static void go_down(struct peer *peer)
{
	if (!peer->channel)
		return;
	peer->channel = channel_free(peer->channel);
	plan_restart(peer);
	peer->config.down(peer, peer->config.userdata);
}

static void on_closed(struct channel *channel _unused_, int reason, void *userdata)
{
	struct peer *peer = userdata;

	if (reason == -EPROTO)
		log_error("%s: process %d broke the protocol: killed", peer->config.name,
			(int)peer->pid);
	else if (reason < 0)
		log_error("%s: connection lost: %s", peer->config.name, strerror(-reason));
	kill_process(peer);
	go_down(peer);
}

static void on_exit_event(
	struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct peer *peer = userdata;
	pid_t pid = peer->pid;
	siginfo_t info;

	reap(peer, &info);
	if (info.si_code == CLD_EXITED)
		log_warning("%s: process %d ended with status %d", peer->config.name, (int)pid,
			info.si_status);
	else
		log_warning("%s: process %d was killed by signal %d", peer->config.name, (int)pid,
			info.si_status);
	plan_restart(peer);
}

static int on_message(
	struct channel *channel _unused_, struct channel_message *message, void *userdata)
{
	struct peer *peer = userdata;

	return peer->config.message(peer, message, peer->config.userdata);
}

static void describe(
	const struct peer *peer, int socket, struct peer_exec *ret_exec, char numbers[][12])
{
	const struct peer_config *config = &peer->config;
	size_t n = 0;

	*ret_exec = (struct peer_exec){.name = config->name,
		.program = config->program,
		.keep_user = !config->user,
		.uid = peer->uid,
		.gid = peer->gid};
	ret_exec->arguments[n++] = (char *)config->name;
	for (size_t i = 0; i < 1 + config->n_fds; i++) {
		const char *option = i == 0 ? "--supervisor-fd" : config->fds[i - 1].option;

		snprintf(numbers[i], sizeof(numbers[i]), "%d", PEER_EXEC_FD_FIRST + (int)i);
		ret_exec->arguments[n++] = (char *)option;
		ret_exec->arguments[n++] = numbers[i];
		ret_exec->fds[ret_exec->n_fds++] = i == 0 ? socket : config->fds[i - 1].fd;
	}
}

static int start(struct peer *peer, struct failure *why)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	char numbers[1 + PEER_FDS_MAX][12];
	struct peer_exec exec;
	siginfo_t info;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return failure_set(why, -errno, "socketpair", "cannot make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	describe(peer, theirs, &exec, numbers);
	r = peer_exec(&exec, &peer->pid, &peer->pidfd, why);
	if (r < 0)
		return r;
	peer->started_ns = clock_monotonic_ns();
	r = loop_add_fd(peer->loop, peer->pidfd, EPOLLIN, on_exit_event, peer, &peer->pidfd_source);
	if (r == 0)
		r = channel_new(
			peer->loop, steal_fd(&ours), on_message, on_closed, peer, &peer->channel);
	if (r < 0) {
		kill_process(peer);
		reap(peer, &info);
		return failure_set(why, r, "watch process", "out of memory or descriptors");
	}
	log_info("%s: started as process %d", peer->config.name, (int)peer->pid);
	return 0;
}

/* A process that was killed for its broken channel may not be reaped yet: waiting for it takes no
 * longer than a SIGKILL does. */
static void on_restart(struct loop_source *source _unused_, void *userdata)
{
	struct peer *peer = userdata;
	struct failure why = {0};
	siginfo_t info;

	if (peer->channel) {
		peer->restart_planned = false;
		go_down(peer);
		return;
	}
	peer->restart_planned = false;
	kill_process(peer);
	reap(peer, &info);
	if (start(peer, &why) < 0) {
		log_failure(peer->config.name, &why);
		plan_restart(peer);
		return;
	}
	peer->config.up(peer, peer->config.userdata);
}

int peer_start(struct loop *loop, const struct peer_config *config, struct peer **ret_peer,
	struct failure *why)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	int r;

	if (!peer || config->n_fds > PEER_FDS_MAX) {
		free(peer);
		return failure_set(why, peer ? -E2BIG : -ENOMEM, "start", "too much is asked");
	}
	peer->loop = loop;
	peer->config = *config;
	peer->pidfd = -1;
	peer->delay_ms = DELAY_FIRST_MS;
	r = resolve_user(peer, why);
	if (r < 0)
		goto free_peer;
	r = loop_add_timer(loop, on_restart, peer, &peer->timer);
	if (r < 0) {
		failure_set(why, r, "start", "no memory for a timer");
		goto free_peer;
	}
	r = start(peer, why);
	if (r < 0)
		goto free_timer;
	*ret_peer = peer;
	config->up(peer, config->userdata);
	return 0;

free_timer:
	loop_source_free(peer->timer);
free_peer:
	free(peer);
	return r;
}

struct peer *peer_stop(struct peer *peer)
{
	siginfo_t info;

	if (!peer)
		return NULL;
	channel_free(peer->channel);
	kill_process(peer);
	reap(peer, &info);
	loop_source_free(peer->timer);
	free(peer);
	return NULL;
}

struct channel *peer_channel(const struct peer *peer)
{
	return peer->channel;
}

pid_t peer_pid(const struct peer *peer)
{
	return peer->pid;
}
