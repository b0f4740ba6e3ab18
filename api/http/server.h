/* The HTTP server: libmicrohttpd inside our loop, one instance for each listening socket.
 *
 * libmicrohttpd runs only from here, never from inside one of its own callbacks, and as soon as
 * something happened that it must act upon: in the same round of the loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/calls/calls.h"
#include "api/http/route.h"
#include "supervisor/base/failure.h"
#include "supervisor/base/loop.h"

struct connection;
struct listener;
struct server;
struct tickets;

struct server_limits {
	uint32_t n_connections_max;        /* of each listening socket */
	uint32_t n_connections_per_ip_max; /* TCP only */
	uint32_t n_execs_max;              /* commands with open pipes */
	uint32_t n_upgrades_max;           /* connections that became something else */
	uint32_t head_ms;   /* from the connection, or the last answer, to the end of the headers */
	uint32_t body_ms;   /* from there to the end of the body */
	uint32_t stalled_s; /* an answer of which the client takes nothing */
	uint32_t stream_stalled_s; /* the same for a stream */
	uint32_t preview_head_ms;  /* until a server in a sandbox begins its answer */
	uint32_t preview_idle_ms;  /* between two pieces of it, or of a WebSocket */
	size_t body_bytes_max;
	size_t held_bytes_max; /* bodies and collected output of all requests together */
};

/* The limits for a process that may open `n_files_max` descriptors. */
struct server_limits server_default_limits(uint64_t n_files_max);

struct server_config {
	struct loop *loop;
	struct calls *calls; /* borrowed */
	struct route_table routes;
	struct server_limits limits;
};

int server_new(const struct server_config *config, struct server **ret_server);
/* Takes `fd` over on success, a listening socket (unix or TCP). Nothing is accepted before the loop
 * runs. */
int server_listen(struct server *server, int fd, struct failure *why);
/* Ends all connections. Takes NULL, returns NULL. */
struct server *server_free(struct server *server);

struct loop *server_loop(const struct server *server);
struct calls *server_calls(const struct server *server);
const struct server_limits *server_limits(const struct server *server);
const struct route_table *server_routes(const struct server *server);
struct tickets *server_tickets(const struct server *server);

/* Accounts for memory that clients make us hold. Returns false at the limit. */
bool server_hold(struct server *server, size_t size_bytes);
void server_release(struct server *server, size_t size_bytes);
/* Accounts for commands with open pipes. Returns false at the limit. */
bool server_enter_exec(struct server *server);
void server_leave_exec(struct server *server);
/* The same for upgraded connections. */
bool server_enter_upgrade(struct server *server);
void server_leave_upgrade(struct server *server);

/* For connection.c and request.c. */
struct server *listener_server(const struct listener *listener);
/* Lets libmicrohttpd run at the end of this round of the loop, or at once if it is running. */
void listener_wake(struct listener *listener);
/* The list of the listener's connections and how many there are. */
struct connection **listener_connections(struct listener *listener);
uint32_t *listener_n_connections(struct listener *listener);
