/* The life of one connection: looked up, connected on, relayed, ended. */
#pragma once

#include <sys/socket.h>

#include "supervisor/gate/state.h"

enum flow_next { FLOW_GONE, FLOW_WAITS, FLOW_MORE };

/* Takes over `inner_fd`, accepted from `peer`: connects it on, or refuses it with a reset. Either
 * way the connection is reported once, now or when it ends. */
void flow_start(struct listener *listener, int inner_fd, const struct sockaddr_storage *peer);

/* Moves about `budget_bytes`, adding them to `*ret_moved_bytes`. After FLOW_GONE, `flow` is freed,
 * or has no more turns. */
enum flow_next flow_turn(struct flow *flow, size_t budget_bytes, size_t *ret_moved_bytes);
/* Its phase took too long. */
void flow_expire(struct flow *flow);

/* Watches one side, whose socket is set. Returns 0 or -errno. */
int flow_watch(struct flow *flow, int side);
/* The outer side's connection stands: relays from now on. */
void flow_relay(struct flow *flow);
/* What every socket of a connection has; accepted ones have it of the listening one. */
void flow_tune(int fd);
/* Begins connect(2) to the target's port at `address`, which ends by an edge. Returns the socket or
 * -errno. */
int flow_connect(const struct flow *flow, const struct abi_address *address);

/* Reports, unless that was done, and frees; all but WIRE_GATE_END_CLOSED reset both sides. */
void flow_end(struct flow *flow, enum wire_gate_end end, int error);
/* Reports, gives the client the last words `bytes`, and frees it once it read them. Without bytes,
 * or if they cannot be sent, as flow_end(). */
void flow_part(
	struct flow *flow, enum wire_gate_end end, int error, const char *bytes, size_t size_bytes);
/* The parting client sent something, or closed: frees it in time. */
void flow_drain(struct flow *flow);
/* Resets and frees without a report. */
void flow_drop(struct flow *flow);
