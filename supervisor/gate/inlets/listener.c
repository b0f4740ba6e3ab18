#include "supervisor/gate/inlets/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/gate/flows/account.h"
#include "supervisor/gate/flows/flow.h"
#include "supervisor/gate/flows/turns.h"

#define ACCEPTS_PER_WAKEUP 16
#define PAUSE_MS 50
/* What the kernel holds of a sandbox's bytes while their receiver is slow; otherwise it grows to
 * net.ipv4.tcp_rmem[2]. The way from inside is loopback: more would not be faster. Inherited by the
 * accepted sockets. */
#define RECEIVE_BYTES (256 * 1024)

/* Returns 1 when a connection was taken, 0 when there is none now, -errno when none can be. */
static int accept_one(struct listener *listener)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
	socklen_t size = sizeof(peer);
	int fd;

	if (!gate_has_fds(listener->gate, 2))
		return -EMFILE;
	fd = accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		flow_start(listener, fd, &peer);
		return 1;
	}
	switch (errno) {
	case EAGAIN:
		return 0;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EINVAL: /* no longer listening */
	case ENOTSOCK:
	case EOPNOTSUPP:
	case EBADF:
		return -errno;
	default: /* accept(2): errors of the connection itself are passed on; try the next */
		return 1;
	}
}

static bool is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

static void on_connection(
	struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct listener *listener = userdata;
	int r = 1;

	for (int i = 0; i < ACCEPTS_PER_WAKEUP && r == 1 && !listener->is_paused; i++)
		r = accept_one(listener);
	if (r < 0 && is_shortage(r))
		listener_pause(listener);
	else if (r < 0)
		listener->source = loop_source_free(listener->source);
}

int listener_new(struct gate *gate, uint64_t sandbox, uint64_t netns_cookie,
	const struct gate_sockets *sockets, struct listener **ret_listener)
{
	_cleanup_close_ int fd = sockets->relay;
	struct listener *listener = calloc(1, sizeof(*listener));
	struct names_service *names = NULL;
	const int receive_bytes = RECEIVE_BYTES;
	int r = names_open(gate->names, sandbox, sockets->dns_udp, sockets->dns_tcp, &names);

	if (r == 0 && !listener)
		r = -ENOMEM;
	if (r == 0)
		r = fd_set_nonblocking(fd, true);
	if (r == 0)
		r = loop_add_fd(
			gate->loop, fd, EPOLLIN, on_connection, listener, &listener->source);
	if (r < 0) {
		names_close(names);
		free(listener);
		return r;
	}
	flow_tune(fd);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
	listener->gate = gate;
	listener->sandbox = sandbox;
	listener->netns_cookie = netns_cookie;
	listener->fd = steal_fd(&fd);
	listener->names = names;
	listener->n_dns_fds = sockets->dns_udp >= 0 ? 2 : 0;
	gate->n_dns_fds += listener->n_dns_fds;
	TAILQ_INIT(&listener->flows);
	TAILQ_INIT(&listener->ready);
	TAILQ_INIT(&listener->accounts);
	*ret_listener = listener;
	return 0;
}

static void set_paused(struct listener *listener, bool paused)
{
	struct gate *gate = listener->gate;

	if (listener->is_paused == paused || !listener->source)
		return;
	listener->is_paused = paused;
	if (paused)
		TAILQ_INSERT_TAIL(&gate->paused, listener, in_paused);
	else
		TAILQ_REMOVE(&gate->paused, listener, in_paused);
	loop_source_set_events(listener->source, paused ? 0 : EPOLLIN);
}

struct listener *listener_free(struct listener *listener)
{
	if (!listener)
		return NULL;
	set_paused(listener, false);
	account_leave(listener);
	turns_remove_listener(listener);
	loop_source_free(listener->source);
	close(listener->fd);
	names_close(listener->names);
	listener->gate->n_dns_fds -= listener->n_dns_fds;
	free(listener);
	return NULL;
}

void listener_pause(struct listener *listener)
{
	set_paused(listener, true);
	loop_timer_arm(listener->gate->resume_timer, PAUSE_MS, 0);
}

void listener_resume_all(struct gate *gate)
{
	while (!TAILQ_EMPTY(&gate->paused))
		set_paused(TAILQ_FIRST(&gate->paused), false);
}

static void on_resume(struct loop_source *source _unused_, void *userdata)
{
	listener_resume_all(userdata);
}

int listener_init_timers(struct gate *gate)
{
	TAILQ_INIT(&gate->paused);
	return loop_add_timer(gate->loop, on_resume, gate, &gate->resume_timer);
}

void listener_fini_timers(struct gate *gate)
{
	gate->resume_timer = loop_source_free(gate->resume_timer);
}
