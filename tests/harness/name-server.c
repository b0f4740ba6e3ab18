#include "tests/harness/name-server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"

#define HEADER_SIZE 12

static void put16(uint8_t *bytes, unsigned value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static size_t write_name(uint8_t *bytes, const char *text)
{
	size_t at = 0;

	while (*text) {
		size_t size = strcspn(text, ".");

		bytes[at++] = (uint8_t)size;
		memcpy(&bytes[at], text, size);
		at += size;
		text += size + (text[size] == '.');
	}
	bytes[at++] = 0;
	return at;
}

/* Reads the name of the question; returns where it ends. */
static size_t read_name(struct name_server_query *query)
{
	size_t at = HEADER_SIZE, used = 0;

	while (at < query->size && query->bytes[at]) {
		size_t size = query->bytes[at++];

		if (used > 0)
			query->name[used++] = '.';
		memcpy(&query->name[used], &query->bytes[at], size);
		used += size;
		at += size;
	}
	query->name[used] = '\0';
	return at + 1;
}

static void serve(struct name_server *server, struct name_server_query *query)
{
	size_t at;

	CHECK(query->size > HEADER_SIZE + 5);
	query->id = (uint16_t)(query->bytes[0] << 8 | query->bytes[1]);
	query->edns = query->bytes[11] == 1;
	at = read_name(query);
	query->type = (uint16_t)(query->bytes[at] << 8 | query->bytes[at + 1]);
	query->answer_size = 0;
	query->n_times = 1;
	server->respond(query, server->userdata);
}

void name_server_begin(struct name_server_query *query, uint16_t flags)
{
	size_t size = read_name(query) + 4;

	memcpy(query->answer, query->bytes, size);
	put16(&query->answer[2], flags);
	memset(&query->answer[6], 0, 6);
	query->answer_size = size;
}

void name_server_add(struct name_server_query *query, const char *owner, uint16_t type,
	uint32_t ttl, const void *data, size_t data_size)
{
	uint8_t *at = &query->answer[query->answer_size];

	at += write_name(at, owner);
	put16(at, type);
	put16(at + 2, 1);
	put16(at + 4, ttl >> 16);
	put16(at + 6, ttl & 0xffff);
	put16(at + 8, (unsigned)data_size);
	memcpy(at + 10, data, data_size);
	query->answer_size = (size_t)(at + 10 + data_size - query->answer);
	put16(&query->answer[6], (unsigned)(query->answer[6] << 8 | query->answer[7]) + 1);
}

void name_server_add_alias(
	struct name_server_query *query, const char *owner, uint32_t ttl, const char *target)
{
	uint8_t data[256];

	name_server_add(query, owner, 5, ttl, data, write_name(data, target));
}

static void on_udp(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct name_server *server = userdata;
	static struct name_server_query query;
	struct sockaddr_in6 from;
	socklen_t from_size = sizeof(from);
	uint8_t bytes[1024];
	ssize_t size = recvfrom(server->udp_fd, bytes, sizeof(bytes), MSG_DONTWAIT,
		(struct sockaddr *)&from, &from_size);

	if (size < 0)
		return;
	server->n_udp++;
	server->last_port = ntohs(from.sin6_port); /* where sin_port is, too */
	query.bytes = bytes;
	query.size = (size_t)size;
	query.over_tcp = false;
	serve(server, &query);
	for (unsigned i = 0; query.answer_size > 0 && i < query.n_times; i++)
		sendto(server->udp_fd, query.answer, query.answer_size, 0, (struct sockaddr *)&from,
			from_size);
}

static void hang_up(struct name_server_connection *connection)
{
	connection->source = loop_source_free(connection->source);
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	connection->n_in = 0;
}

static void serve_connection(struct name_server_connection *connection)
{
	static struct name_server_query query;
	uint8_t length[2];

	connection->server->n_tcp++;
	query.bytes = &connection->in[2];
	query.size = connection->n_in - 2;
	query.over_tcp = true;
	serve(connection->server, &query);
	put16(length, (unsigned)query.answer_size);
	/* In three segments, cut in the middle of the length too. */
	if (query.answer_size > 0) {
		send(connection->fd, length, 1, MSG_NOSIGNAL);
		send(connection->fd, &length[1], 1, MSG_NOSIGNAL);
		send(connection->fd, query.answer, query.answer_size, MSG_NOSIGNAL);
	}
}

static void on_connection(
	struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct name_server_connection *connection = userdata;
	ssize_t got = recv(connection->fd, &connection->in[connection->n_in],
		sizeof(connection->in) - connection->n_in, MSG_DONTWAIT);

	if (got <= 0) {
		hang_up(connection);
		return;
	}
	connection->n_in += (size_t)got;
	if (connection->n_in < 2 ||
		connection->n_in < 2u + (unsigned)(connection->in[0] << 8 | connection->in[1]))
		return;
	serve_connection(connection);
	hang_up(connection);
}

static void on_accept(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct name_server *server = userdata;
	int fd = accept4(server->tcp_fd, NULL, NULL, SOCK_CLOEXEC), one = 1;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = 0; i < NAME_SERVER_CONNECTIONS_MAX; i++) {
		struct name_server_connection *connection = &server->connections[i];

		if (connection->fd >= 0)
			continue;
		connection->fd = fd;
		CHECK_INT(loop_add_fd(server->loop, fd, EPOLLIN, on_connection, connection,
				  &connection->source),
			0);
		return;
	}
	close(fd);
}

/* Binds both sockets to one port: the one that the kernel gave to the first. */
static bool try_bind(struct name_server *server, struct sockaddr_storage *address, socklen_t size)
{
	int one = 1;

	server->tcp_fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	server->udp_fd = socket(address->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(server->tcp_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	CHECK_INT(bind(server->tcp_fd, (struct sockaddr *)address, size), 0);
	CHECK_INT(getsockname(server->tcp_fd, (struct sockaddr *)address, &size), 0);
	if (bind(server->udp_fd, (struct sockaddr *)address, size) == 0 &&
		listen(server->tcp_fd, 8) == 0)
		return true;
	close(server->tcp_fd);
	close(server->udp_fd);
	return false;
}

static bool bind_loopback(struct name_server *server, int family)
{
	struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address;
	struct abi_address loopback = {.bytes = {[15] = 1}};
	bool bound;

	if (family == AF_INET) {
		loopback = (struct abi_address){.bytes = {[10] = 0xff, 0xff, 127, 0, 0, 1}};
		ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		bound = try_bind(server, &address, sizeof(*ipv4));
	} else {
		ipv6->sin6_addr = in6addr_loopback;
		bound = try_bind(server, &address, sizeof(*ipv6));
	}
	server->address = (struct wire_gate_resolver){loopback, ntohs(ipv4->sin_port), {0}};
	return bound;
}

void name_server_open(struct name_server *server, struct loop *loop, int family,
	name_server_respond respond, void *userdata)
{
	bool bound = false;

	*server = (struct name_server){.loop = loop, .respond = respond, .userdata = userdata};
	for (int i = 0; i < NAME_SERVER_CONNECTIONS_MAX; i++)
		server->connections[i] =
			(struct name_server_connection){.server = server, .fd = -1};
	for (int i = 0; i < 16 && !bound; i++)
		bound = bind_loopback(server, family);
	CHECK(bound);
	CHECK_INT(
		loop_add_fd(loop, server->udp_fd, EPOLLIN, on_udp, server, &server->udp_source), 0);
	CHECK_INT(
		loop_add_fd(loop, server->tcp_fd, EPOLLIN, on_accept, server, &server->tcp_source),
		0);
}

void name_server_close(struct name_server *server)
{
	for (int i = 0; i < NAME_SERVER_CONNECTIONS_MAX; i++)
		hang_up(&server->connections[i]);
	loop_source_free(server->udp_source);
	loop_source_free(server->tcp_source);
	close(server->udp_fd);
	close(server->tcp_fd);
}
