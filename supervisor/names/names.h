/* The resolver that sandboxes talk to.
 *
 * Each sandbox has a UDP socket and a listening TCP socket inside its own network namespace; the
 * kernel leads every query there, whatever resolver it was meant for. A name that the policy allows
 * is answered with the synthetic address of its ticket, at once: nothing is asked upstream before a
 * program connects, so that a query carries nothing out. Other names are refused, with the reason
 * in words (RFC 8914).
 *
 *   tickets   what a sandbox may use, as cloched said
 *   service   one sandbox: its sockets, tickets, rate, questions that wait for a ticket
 *   query     what is answered to one question
 *   records   MX, SRV and TXT, where a rule names them: the only questions that go upstream
 *   stream    DNS over TCP */
#pragma once

#include <stdbool.h>

#include "supervisor/base/loop.h"
#include "supervisor/names/tickets.h"

#define NAMES_ANSWER_TTL_SECONDS 5 /* a swap may give the index to another name */

struct names;
struct names_service;

struct names_config {
	/* Sends the question whether a name is allowed; the ticket comes by names_take_ticket().
	 * Returns 0 or -errno: the name is then not answered for. */
	int (*ask)(void *userdata, const struct wire_gate_name *name);
	/* Told of every answer before it is sent; of those over the rate, once a second. Returns
	 * 0, or -errno: nobody takes it now, so nothing is answered. */
	int (*report)(void *userdata, const struct wire_gate_dns *line);
	/* Whether `n` more descriptors may be opened. */
	bool (*has_fds)(void *userdata, size_t n);
	void *userdata;
	const struct wire_gate_resolver *resolvers; /* borrowed */
	size_t n_resolvers;
	/* 0: what the constants in service.h say. */
	uint32_t ask_timeout_ms, stream_idle_ms, queries_per_second, queries_burst;
};

/* Copies `config`. Returns 0 or -ENOMEM. */
int names_new(struct loop *loop, const struct names_config *config, struct names **ret_names);
/* Every service must be closed before. Takes NULL, returns NULL. */
struct names *names_free(struct names *names);
/* Descriptors: of connections of DNS over TCP and of questions upstream, of all sandboxes. */
size_t names_count_fds(const struct names *names);

/* Takes both descriptors over, also on failure; both may be -1: then nothing asks, and there are
 * only tickets. Returns 0 or -errno. */
int names_open(struct names *names, uint64_t sandbox, int udp_fd, int tcp_fd,
	struct names_service **ret_service);
/* Forgets its tickets and whoever waits. Takes NULL, returns NULL. */
struct names_service *names_close(struct names_service *service);

/* Takes in a sound ticket and answers whoever waits for its name. */
void names_take_ticket(struct names_service *service, const struct wire_gate_ticket *ticket);
/* Another policy is in force, and its tickets are in: what was asked for under the old one is not
 * told any more. */
void names_swapped(struct names_service *service);
const struct tickets *names_tickets(const struct names_service *service);
