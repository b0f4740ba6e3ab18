/* What the files of this room share: the gate, a sandbox's listener, a connection. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "supervisor/base/loop.h"
#include "supervisor/base/table.h"
#include "supervisor/gate/gate.h"
#include "supervisor/gate/pipes.h"

#define COPY_BUFFER_BYTES 65536

TAILQ_HEAD(flow_list, flow);
TAILQ_HEAD(listener_list, listener);

struct gate {
	struct loop *loop;
	struct gate_config config;
	struct table *listeners;     /* sandbox → struct listener */
	struct listener_list active; /* have flows that are ready to move bytes */
	struct listener_list paused; /* do not accept until `resume_timer` or a flow's end */
	struct flow_list connecting; /* oldest first: all have the same time limit */
	struct flow_list relaying;   /* longest silent first, likewise */
	struct loop_source *turn_timer, *resume_timer, *expiry_timer;
	uint64_t expiry_due_ns; /* 0: not armed */
	bool turn_armed;
	struct pipes pipes;
	size_t n_flows;
	uint64_t n_flows_total;
	char *copy_buffer;
};

struct listener {
	struct gate *gate;
	uint64_t sandbox, netns_cookie;
	int fd;
	struct loop_source *source; /* NULL once the socket is of no use */
	struct flow_list flows, ready;
	TAILQ_ENTRY(listener) in_active, in_paused;
	bool is_active, is_paused;
	size_t n_flows;
	size_t n_pipes_held; /* by flows whose reader is slow */
};

enum { INNER, OUTER }; /* the sandbox's side, the destination's side */

struct side {
	int fd;
	/* As far as known: set by an edge of epoll, cleared by EAGAIN. */
	bool readable, writable;
	bool failed; /* reset, or lost: nothing more can be sent to it */
	bool urgent; /* sent urgent data: splice(2) stops in front of it for ever */
	struct loop_source *source;
};

struct direction {
	struct pipe *pipe;   /* only while it holds bytes */
	uint32_t held_bytes; /* in the pipe */
	bool at_end;         /* the sender finished */
	bool shut;           /* and the receiver was told so */
	uint64_t bytes;      /* handed to the receiver */
};

struct flow {
	struct listener *listener;
	TAILQ_ENTRY(flow) in_listener, in_ready, in_expiry;
	struct side sides[2];
	struct direction directions[2]; /* [INNER]: from the inner side; [OUTER]: from the outer */
	uint64_t started_ns, active_ns;
	struct abi_flow target;
	int error;
	bool is_ready, connected;
};

/* Whether `n` more descriptors may be opened without touching those kept for messages. */
bool gate_has_fds(const struct gate *gate, size_t n);
