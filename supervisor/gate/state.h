/* What the files of this room share: the gate, a sandbox's listener, a connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/base/loop.h"
#include "supervisor/base/table.h"
#include "supervisor/gate/flows/pipes.h"
#include "supervisor/gate/gate.h"
#include "supervisor/names/names.h"
#include "supervisor/resolve/upstream.h"

#define COPY_BUFFER_BYTES 65536

struct named;
struct datagrams;
struct datagram_flow;

TAILQ_HEAD(flow_list, flow);
TAILQ_HEAD(listener_list, listener);
TAILQ_HEAD(account_list, account);
TAILQ_HEAD(datagram_flow_list, datagram_flow);

/* Where a connection stands; each phase has one time limit for all. */
enum flow_phase {
	FLOW_INSPECTED,  /* to a name: its first bytes are awaited and checked */
	FLOW_CONNECTING, /* resolving the name included */
	FLOW_RELAYED,
	FLOW_PARTING, /* refused and reported; reads what it was told */
	FLOW_PHASES,
};

struct gate {
	struct loop *loop;
	struct gate_config config;
	struct table *listeners;     /* sandbox → struct listener */
	struct listener_list active; /* have flows that are ready to move bytes */
	struct listener_list paused; /* do not accept until `resume_timer` or a flow's end */
	struct flow_list phases[FLOW_PHASES]; /* the next to expire first */
	struct loop_source *turn_timer, *resume_timer, *expiry_timer;
	uint64_t expiry_due_ns; /* 0: not armed */
	bool turn_armed;
	struct pipes pipes;
	size_t n_flows;
	uint64_t n_flows_total, last_flow_id;
	struct account_list untold;
	char *copy_buffer;
	struct names *names;
	struct upstream *upstream;
	size_t n_dns_fds, n_dial_fds;
	struct dial_memory *dial_memory;
	struct datagram_flow_list idle_datagrams; /* the least lately used first */
	struct loop_source *datagram_timer;
	size_t n_datagram_sockets, n_datagram_flows;
};

struct listener {
	struct gate *gate;
	uint64_t sandbox, netns_cookie;
	int fd;
	struct loop_source *source; /* NULL once the socket is of no use */
	struct flow_list flows, ready;
	struct account_list accounts; /* account.h */
	TAILQ_ENTRY(listener) in_active, in_paused;
	bool is_active, is_paused;
	size_t n_flows;
	size_t n_pipes_held; /* by flows whose reader is slow */
	struct names_service *names;
	size_t n_dns_fds;
	struct datagrams *datagrams; /* NULL: none may leave */
	uint64_t policy;             /* the word of the last swap; 0: none yet */
};

enum { INNER, OUTER }; /* the sandbox's side, the destination's side */

struct side {
	int fd;
	/* As far as known: set by an edge of epoll, cleared by EAGAIN or (epoll(7)) a short read.
	 */
	bool readable, writable;
	bool ending;  /* its end or an error may come right behind what is there */
	bool bounded; /* the kernel holds little unsent of it */
	bool failed;  /* reset, or lost: nothing more can be sent to it */
	bool urgent;  /* sent urgent data: splice(2) stops in front of it for ever */
	struct loop_source *source;
};

struct direction {
	struct pipe *pipe;   /* only while it holds bytes */
	uint32_t held_bytes; /* in the pipe, or released by the check of a named flow */
	bool at_end;         /* the sender finished */
	bool shut;           /* and the receiver was told so */
	bool is_bulk;        /* the last read was as large as could be: splicing is worth it */
	uint64_t bytes;      /* handed to the receiver */
};

struct flow {
	struct listener *listener;
	uint64_t id; /* the gate's own */
	TAILQ_ENTRY(flow) in_listener, in_ready, in_phase;
	enum flow_phase phase;
	struct side sides[2];
	struct direction directions[2]; /* [INNER]: from the inner side; [OUTER]: from the outer */
	uint64_t started_ns, phase_ns;  /* FLOW_RELAYED: when bytes last moved */
	struct abi_flow target;
	struct named *named; /* NULL: to a literal address */
	int error;
	bool is_ready, is_reported;
	bool is_connected; /* to its destination, at least once */
	struct {
		uint64_t bytes_sent, bytes_received, connections;
	} told; /* to its sandbox's account */
};

/* Whether `n` more descriptors may be opened without touching those kept for messages. */
bool gate_has_fds(const struct gate *gate, size_t n);
