#include "api/http/connection.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "api/http/auth.h"
#include "api/http/request.h"
#include "api/http/server.h"
#include "supervisor/base/clock.h"

#define EVICT_IDLE_NS (1 * NS_PER_SECOND)

/* Edge-triggered: a peer that closed its side would be reported in every round. */
static void on_hangup(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct connection *connection = userdata;
	uint32_t over = EPOLLHUP | EPOLLERR | (connection->is_unix ? 0 : EPOLLRDHUP);

	if (!(events & over))
		return;
	connection->hung_up = true;
	if (connection->request)
		request_abandon(connection->request);
}

static uint64_t deadline(uint32_t delay_ms)
{
	return clock_monotonic_ns() + delay_ms * NS_PER_MS;
}

struct connection *connection_new(struct listener *listener, int fd)
{
	struct server *server = listener_server(listener);
	struct connection **first = listener_connections(listener);
	struct connection *connection = calloc(1, sizeof(*connection));
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	int on = 1;

	if (!connection)
		return NULL;
	connection->listener = listener;
	connection->fd = fd;
	connection->is_unix = getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
			      address.ss_family == AF_UNIX;
	if (!connection->is_unix)
		setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	auth_describe_peer(fd, connection->remote);
	if (loop_add_fd(server_loop(server), fd, EPOLLRDHUP | EPOLLET, on_hangup, connection,
		    &connection->watch) < 0) {
		free(connection);
		return NULL;
	}
	connection->next = *first;
	if (*first)
		(*first)->previous = connection;
	*first = connection;
	++*listener_n_connections(listener);
	connection_ends(connection);
	return connection;
}

struct connection *connection_free(struct connection *connection)
{
	if (!connection)
		return NULL;
	loop_source_free(connection->watch);
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		*listener_connections(connection->listener) = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	--*listener_n_connections(connection->listener);
	free(connection->target);
	free(connection);
	return NULL;
}

void connection_begins(struct connection *connection, struct request *request)
{
	struct server *server = listener_server(connection->listener);

	connection->request = request;
	connection->idle_since_ns = 0;
	connection->deadline_ns = deadline(server_limits(server)->body_ms);
}

void connection_works(struct connection *connection)
{
	connection->deadline_ns = 0;
}

void connection_ends(struct connection *connection)
{
	struct server *server = listener_server(connection->listener);

	connection->request = NULL;
	connection->deadline_ns = deadline(server_limits(server)->head_ms);
	connection->idle_since_ns = clock_monotonic_ns();
}

/* libmicrohttpd sees the end of the stream and closes what is its own. */
static void hang_up(struct connection *connection)
{
	connection->deadline_ns = 0;
	connection->idle_since_ns = 0;
	shutdown(connection->fd, SHUT_RDWR);
}

void connection_sweep(struct connection *first, uint64_t now_ns)
{
	for (struct connection *next = first; next; next = next->next)
		if (next->deadline_ns && next->deadline_ns <= now_ns)
			hang_up(next);
}

void connection_evict(struct connection *first, uint64_t now_ns)
{
	struct connection *oldest = NULL;

	for (struct connection *next = first; next; next = next->next)
		if (next->idle_since_ns && (!oldest || next->idle_since_ns < oldest->idle_since_ns))
			oldest = next;
	if (oldest && now_ns - oldest->idle_since_ns > EVICT_IDLE_NS)
		hang_up(oldest);
}
