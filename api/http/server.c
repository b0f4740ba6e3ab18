#include "api/http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/http/connection.h"
#include "api/http/receive.h"
#include "api/http/request.h"
#include "api/http/ticket.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"

#define LISTENERS_MAX 4
#define POOL_BYTES (32 * 1024) /* of a connection: its headers, and pieces of body both ways */
#define SPARE_PLACES 8         /* below the limit, idle connections make room */
#define SWEEP_MS 250

struct listener {
	struct server *server;
	struct MHD_Daemon *daemon;
	struct loop_source *source, *timer;
	struct connection *connections;
	uint32_t n_connections;
	bool running, runs_again;
};

struct server {
	struct server_config config;
	struct listener listeners[LISTENERS_MAX];
	size_t n_listeners;
	struct loop_source *sweeper;
	bool sweeping;
	size_t held_bytes;
	uint32_t n_execs, n_upgrades;
	struct tickets *tickets;
};

struct server_limits server_default_limits(uint64_t n_files_max)
{
	uint64_t half = n_files_max > 128 ? (n_files_max - 64) / 2 : 32;
	uint32_t n_connections = half / 2 > 1024 ? 1024 : (uint32_t)(half / 2);

	return (struct server_limits){
		.n_connections_max = n_connections,
		.n_connections_per_ip_max = n_connections - n_connections / 4,
		.n_execs_max = half / 3 > 4096 ? 4096 : (uint32_t)(half / 3),
		.n_upgrades_max = n_connections / 2,
		.head_ms = 60 * 1000,
		.body_ms = 60 * 1000,
		.stalled_s = 60,
		.stream_stalled_s = 600,
		.preview_head_ms = 120 * 1000,
		.preview_idle_ms = 600 * 1000,
		.body_bytes_max = 4 * 1024 * 1024,
		.held_bytes_max = 512 * 1024 * 1024,
	};
}

/* Keeps some places free: at the limit libmicrohttpd accepts nobody until somebody leaves. */
static void make_room(struct listener *listener, uint64_t now_ns)
{
	uint32_t wanted = listener->n_connections + SPARE_PLACES;
	uint32_t max = listener->server->config.limits.n_connections_max;

	for (uint32_t i = max; i < wanted; i++)
		connection_evict(listener->connections, now_ns);
}

static void on_sweep(struct loop_source *source, void *userdata)
{
	struct server *server = userdata;
	uint64_t now_ns = clock_monotonic_ns();
	uint32_t n_connections = 0;

	for (size_t i = 0; i < server->n_listeners; i++) {
		n_connections += server->listeners[i].n_connections;
		connection_sweep(server->listeners[i].connections, now_ns);
		make_room(&server->listeners[i], now_ns);
	}
	if (n_connections > 0)
		return;
	server->sweeping = false;
	loop_timer_disarm(source);
}

int server_new(const struct server_config *config, struct server **ret_server)
{
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server)
		return -ENOMEM;
	server->config = *config;
	server->tickets = tickets_new();
	r = server->tickets ? loop_add_timer(config->loop, on_sweep, server, &server->sweeper)
			    : -ENOMEM;
	if (r < 0) {
		tickets_free(server->tickets);
		free(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

static void listener_run(struct listener *listener)
{
	MHD_UNSIGNED_LONG_LONG delay_ms;

	listener->running = true;
	listener->runs_again = false;
	MHD_run(listener->daemon);
	listener->running = false;
	if (listener->runs_again)
		loop_timer_arm(listener->timer, 0, 0);
	else if (MHD_get_timeout(listener->daemon, &delay_ms) == MHD_YES)
		loop_timer_arm(listener->timer, delay_ms, 0);
	else
		loop_timer_disarm(listener->timer);
}

static void on_ready(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	listener_run(userdata);
}

static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	listener_run(userdata);
}

/* A timer of 0 ms fires after all descriptors of this round, so many answers cost one run. After a
 * run MHD_get_timeout() is 0 when something was resumed meanwhile. */
void listener_wake(struct listener *listener)
{
	if (!listener->running)
		loop_timer_arm(listener->timer, 0, 0);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	struct listener *listener = cls;
	struct server *server = listener->server;
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		/* At its limit libmicrohttpd stops listening, and takes it up again at the start of
		 * a run: not of this one. */
		listener->runs_again = true;
		*context = connection_free(*context);
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	*context = info ? connection_new(listener, info->connect_fd) : NULL;
	if (server->sweeping)
		return;
	server->sweeping = true;
	loop_timer_arm(server->sweeper, SWEEP_MS, SWEEP_MS);
}

_printf_(2, 0) static void on_log(void *cls _unused_, const char *format, va_list arguments)
{
	char line[256];
	int length = vsnprintf(line, sizeof(line), format, arguments);

	if (length > (int)sizeof(line) - 1)
		length = (int)sizeof(line) - 1;
	while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '.'))
		line[--length] = '\0';
	log_debug("http: %s", line);
}

static struct MHD_Daemon *daemon_start(
	struct server *server, struct listener *listener, int fd, bool is_tcp)
{
	const struct server_limits *limits = &server->config.limits;

	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
					MHD_USE_TURBO | MHD_USE_ERROR_LOG,
		0, NULL, NULL, receive_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT, limits->n_connections_max,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, is_tcp ? limits->n_connections_per_ip_max : 0,
		MHD_OPTION_CONNECTION_TIMEOUT, limits->stalled_s, MHD_OPTION_NOTIFY_COMPLETED,
		receive_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_URI_LOG_CALLBACK, receive_target, server, MHD_OPTION_END);
}

int server_listen(struct server *server, int fd, struct failure *why)
{
	struct listener *listener = &server->listeners[server->n_listeners];
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	const union MHD_DaemonInfo *info;
	int r;

	if (server->n_listeners == LISTENERS_MAX)
		return failure_set(why, -E2BIG, "listen", "at most %d sockets", LISTENERS_MAX);
	if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return failure_set(why, -errno, "listen", "descriptor %d is no socket", fd);
	*listener = (struct listener){.server = server};
	listener->daemon = daemon_start(server, listener, fd, address.ss_family != AF_UNIX);
	info = listener->daemon ? MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)
				: NULL;
	if (!info)
		return failure_set(why, -EIO, "listen", "libmicrohttpd does not start");
	r = loop_add_timer(server->config.loop, on_timer, listener, &listener->timer);
	if (r == 0)
		r = loop_add_fd(server->config.loop, info->epoll_fd, EPOLLIN, on_ready, listener,
			&listener->source);
	if (r < 0) {
		listener->timer = loop_source_free(listener->timer);
		MHD_stop_daemon(listener->daemon);
		return failure_set(why, r, "listen", "cannot watch the listening socket");
	}
	server->n_listeners++;
	return 0;
}

/* libmicrohttpd refuses to stop while a connection is suspended or upgraded. */
static void listener_stop(struct listener *listener)
{
	for (struct connection *next = listener->connections; next; next = next->next) {
		if (!next->request)
			continue;
		next->request->ends_with_client = true;
		request_abandon(next->request);
	}
	MHD_run(listener->daemon);
	loop_source_free(listener->source);
	MHD_stop_daemon(listener->daemon);
	loop_source_free(listener->timer);
}

struct server *server_free(struct server *server)
{
	if (!server)
		return NULL;
	for (size_t i = 0; i < server->n_listeners; i++)
		listener_stop(&server->listeners[i]);
	loop_source_free(server->sweeper);
	tickets_free(server->tickets);
	free(server);
	return NULL;
}

struct loop *server_loop(const struct server *server)
{
	return server->config.loop;
}

struct calls *server_calls(const struct server *server)
{
	return server->config.calls;
}

const struct server_limits *server_limits(const struct server *server)
{
	return &server->config.limits;
}

const struct route_table *server_routes(const struct server *server)
{
	return &server->config.routes;
}

struct tickets *server_tickets(const struct server *server)
{
	return server->tickets;
}

bool server_hold(struct server *server, size_t size_bytes)
{
	if (size_bytes > server->config.limits.held_bytes_max - server->held_bytes)
		return false;
	server->held_bytes += size_bytes;
	return true;
}

void server_release(struct server *server, size_t size_bytes)
{
	server->held_bytes -= size_bytes;
}

bool server_enter_exec(struct server *server)
{
	if (server->n_execs >= server->config.limits.n_execs_max)
		return false;
	server->n_execs++;
	return true;
}

void server_leave_exec(struct server *server)
{
	server->n_execs--;
}

bool server_enter_upgrade(struct server *server)
{
	if (server->n_upgrades >= server->config.limits.n_upgrades_max)
		return false;
	server->n_upgrades++;
	return true;
}

void server_leave_upgrade(struct server *server)
{
	server->n_upgrades--;
}

struct server *listener_server(const struct listener *listener)
{
	return listener->server;
}

struct connection **listener_connections(struct listener *listener)
{
	return &listener->connections;
}

uint32_t *listener_n_connections(struct listener *listener)
{
	return &listener->n_connections;
}
