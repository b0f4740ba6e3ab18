/* A client's connection: who it is, when it is overdue, and whether it is still there.
 *
 * libmicrohttpd does not look at a suspended connection, so each is also watched by our own loop.
 * A unix peer is gone when it closed both ways; a TCP peer as soon as it closed its side, because
 * the two look alike. A request that is received too slowly loses its connection: whoever sends a
 * byte a minute does not hold a place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/base/loop.h"
#include "supervisor/wire/api.h"

struct listener;
struct request;

struct connection {
	struct listener *listener;
	struct connection *next, *previous;
	struct loop_source *watch;
	struct request *request; /* NULL between requests */
	int fd;                  /* libmicrohttpd's */
	bool is_unix, hung_up;
	uint64_t deadline_ns;   /* monotonic; 0: none while a request is worked on */
	uint64_t idle_since_ns; /* 0: a request is received or worked on */
	char remote[WIRE_REMOTE_SIZE];
	char *target; /* of the request, as it was sent; NULL: none */
};

struct connection *connection_new(struct listener *listener, int fd);
struct connection *connection_free(struct connection *connection);

/* The headers of a request are there: its body is awaited. */
void connection_begins(struct connection *connection, struct request *request);
/* Its body is there too. */
void connection_works(struct connection *connection);
/* Its answer is sent; the next request is awaited. */
void connection_ends(struct connection *connection);

/* Closes the overdue ones in the list. */
void connection_sweep(struct connection *first, uint64_t now_ns);
/* Closes the one that has waited longest for a request, if any. */
void connection_evict(struct connection *first, uint64_t now_ns);
