/* A name server on the loopback, in the test's own loop, that says whatever the test wants. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/loop.h"
#include "supervisor/wire/gate.h"

#define NAME_SERVER_CONNECTIONS_MAX 8
#define NAME_SERVER_ANSWER_MAX 16384

/* One query, and the answer in the making. */
struct name_server_query {
	const uint8_t *bytes;
	size_t size;
	uint16_t id, type;
	bool edns, over_tcp;
	char name[256]; /* as text, with its dots, none at the end */
	uint8_t answer[NAME_SERVER_ANSWER_MAX];
	size_t answer_size; /* 0: none is sent */
	unsigned n_times;   /* that it is sent, over UDP */
};

typedef void (*name_server_respond)(struct name_server_query *query, void *userdata);

struct name_server {
	struct loop *loop;
	name_server_respond respond;
	void *userdata;
	int udp_fd, tcp_fd;
	struct loop_source *udp_source, *tcp_source;
	struct name_server_connection {
		struct name_server *server;
		int fd;
		struct loop_source *source;
		uint8_t in[1024];
		size_t n_in;
	} connections[NAME_SERVER_CONNECTIONS_MAX];
	struct wire_gate_resolver address;
	unsigned n_udp, n_tcp; /* queries */
	uint16_t last_port;    /* that a UDP query came from */
};

/* `family`: AF_INET or AF_INET6. Fails the test where it cannot. */
void name_server_open(struct name_server *server, struct loop *loop, int family,
	name_server_respond respond, void *userdata);
void name_server_close(struct name_server *server);

/* Begins the answer: the query's id and question, `flags` (0x8180: an answer without error). */
void name_server_begin(struct name_server_query *query, uint16_t flags);
/* Adds a record of class IN to the answer section. `owner` and, for CNAME, `data` are text. */
void name_server_add(struct name_server_query *query, const char *owner, uint16_t type,
	uint32_t ttl, const void *data, size_t data_size);
void name_server_add_alias(
	struct name_server_query *query, const char *owner, uint32_t ttl, const char *target);
