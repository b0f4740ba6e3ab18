/* The life of one connection: looked up, connected on, relayed, ended; and its two time limits. */
#pragma once

#include <sys/socket.h>

#include "supervisor/gate/state.h"

enum flow_next { FLOW_GONE, FLOW_WAITS, FLOW_MORE };

int flow_init_timers(struct gate *gate);
void flow_fini_timers(struct gate *gate);

/* Takes over `inner_fd`, accepted from `peer`: connects it on, or refuses it with a reset. Either
 * way the connection is reported once, now or when it ends. */
void flow_start(struct listener *listener, int inner_fd, const struct sockaddr_storage *peer);

/* Moves about `budget_bytes`, adding them to `*ret_moved_bytes`. After FLOW_GONE, `flow` is freed.
 */
enum flow_next flow_turn(struct flow *flow, size_t budget_bytes, size_t *ret_moved_bytes);

/* Reports and frees; all but WIRE_GATE_END_CLOSED reset both sides. */
void flow_end(struct flow *flow, enum wire_gate_end end, int error);
/* Resets and frees without a report. */
void flow_drop(struct flow *flow);
