/* The relay: takes connections from sandboxes and makes them anew from the host's network.
 *
 * A sandbox's program believes that it connected to, say, 203.0.113.7:443; the kernel led it to a
 * listening socket inside its own network namespace and wrote down where it meant to go. The gate
 * looks that up by the connecting end's address, connects there, and moves bytes both ways. What
 * the kernel did not write down is refused. What the sandbox sends to a literal address is never
 * read as anything but bytes; what it sends to a name must ask for that name, see inspect.h.
 *
 *   listener   one sandbox: its listening socket, its connections, whose turn it is
 *   flow       one connection, from accept to end
 *   phase      its time limits
 *   named      a connection to a name: checked, resolved, dialled
 *   inlet      what its client sends, while it is checked
 *   relay      the bytes of one direction, with a pipe from `pipes` while they are on their way
 *   datagrams  those of one sandbox, and where each is to go
 *   turns      who may move bytes next, so that no sandbox waits for another
 *   review     what a new policy leaves open
 *
 * This header is what the messages (serve.h) and the tests see. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bpf/abi/datagram.h"
#include "bpf/abi/flow.h"
#include "supervisor/base/loop.h"
#include "supervisor/names/names.h"
#include "supervisor/wire/gate.h"

struct gate;

/* Fills `ret_flow` with what the kernel wrote down for the connecting end `key`. 0, or -ENOENT or
 * any other -errno: the connection is then refused. */
typedef int (*gate_lookup)(
	void *userdata, const struct abi_flow_key *key, struct abi_flow *ret_flow);
/* The same for the row that a datagram's address inside stands for; nothing is passed on otherwise.
 */
typedef int (*gate_lookup_datagram)(
	void *userdata, const struct abi_datagram_key *key, struct abi_datagram *ret_row);
/* Told once for every connection, refused ones too. A negative answer means that nobody takes
 * reports now: the gate then accepts nothing for a moment. */
typedef int (*gate_report)(void *userdata, const struct wire_gate_flow *flow);

/* Asks whether the sandbox may use the name; the answer comes by gate_take_ticket(). 0 or -errno.
 */
typedef int (*gate_ask)(void *userdata, const struct wire_gate_name *name);
/* Told of every query before it is answered or refused. Negative: it is not then. */
typedef int (*gate_report_dns)(void *userdata, const struct wire_gate_dns *line);

/* Told once a second what destinations moved, up to WIRE_GATE_USED_MAX rows. Negative: the same is
 * told again later. */
typedef int (*gate_report_used)(void *userdata, const struct wire_gate_used *rows, size_t n);

struct gate_config {
	struct wire_gate_config limits;
	size_t n_fds_max; /* descriptors that listeners, flows and pipes may use together */
	gate_lookup lookup;
	void *lookup_userdata;
	gate_lookup_datagram lookup_datagram; /* NULL: no sandbox sends datagrams */
	void *lookup_datagram_userdata;
	gate_report report;
	gate_ask ask;
	gate_report_dns report_dns;
	gate_report_used report_used; /* NULL: nobody wants to know */
	void *report_userdata;        /* of all four */
	/* Tests only, no message says these: */
	bool allow_loopback;            /* the host's own loopback as destination */
	uint32_t inspection_timeout_ms; /* 0: INSPECTION_TIMEOUT_MS */
	struct names_config names;      /* its numbers */
};

/* Copies `config`. Returns 0, -EINVAL (a limit is 0) or -ENOMEM. */
int gate_new(struct loop *loop, const struct gate_config *config, struct gate **ret_gate);
/* Resets every connection without a report. Takes NULL, returns NULL. */
struct gate *gate_free(struct gate *gate);

/* A sandbox's sockets, inside its network namespace. */
struct gate_sockets {
	int relay;            /* listening */
	int dns_udp, dns_tcp; /* the second listening; both -1: no names are answered for */
};

/* Serves `sockets`, which are taken over, also on failure. Returns 0, -EEXIST, -ENOSPC
 * (descriptors), -ENOMEM or other -errno. */
int gate_open(struct gate *gate, uint64_t sandbox, uint64_t netns_cookie,
	const struct gate_sockets *sockets);
/* Serves its datagrams too: `fd` is taken over, also on failure. Returns 0, -ENOENT (no such
 * sandbox), -EEXIST, -EINVAL (no lookup), -ENOSPC, -ENOMEM or other -errno. */
int gate_open_datagrams(struct gate *gate, uint64_t sandbox, int fd);
/* Resets the sandbox's connections, closes its sockets, forgets its tickets. Unknown: nothing. */
void gate_close(struct gate *gate, uint64_t sandbox);

/* A name that a sandbox may use from now on, or may not. Returns 0, or -EPROTO: it makes no sense.
 */
int gate_take_ticket(struct gate *gate, const struct wire_gate_ticket *ticket);

/* A policy is in force from now on: lists the sandbox's open connections, at most
 * WIRE_GATE_REVIEW_MAX; if there are more, they are reset. What the kernel let pass before and
 * arrives from now on is refused. Returns how many. */
size_t gate_review(struct gate *gate, const struct wire_gate_swap *swap,
	struct wire_gate_review_flow *ret_flows);
/* Resets those of the review that the policy does not allow, and those to names whose ticket says
 * another thing about them now. */
void gate_take_verdicts(
	struct gate *gate, uint64_t sandbox, const uint64_t *reset_ids, size_t n_reset);

/* Tells what destinations moved since the last time. */
void gate_tell_used(struct gate *gate);
void gate_count(const struct gate *gate, struct wire_gate_state *ret_state);
