/* Datagrams of one sandbox: its socket inside, and one flow for each pair of a socket there and a
 * destination. A datagram says by the address inside that it was sent to (bpf/abi/datagram.h) where
 * it is to go; the kernel's table says which destination that stands for, and the answer comes from
 * that same address.
 *
 * Datagrams may be lost: whatever cannot be passed on now is dropped, and nothing waits. A flow
 * ends when neither side sent anything for a while. */
#pragma once

#include "supervisor/gate/state.h"

/* Serves `fd`, the listener's socket inside, which is taken over, also on failure. Returns 0,
 * -EEXIST, -ENOSPC (descriptors) or other -errno. */
int datagrams_open(struct listener *listener, int fd);
/* Ends all flows, with a report if `end` is not 0. */
void datagrams_close(struct listener *listener, enum wire_gate_end end);

/* Lists open flows, at most `n_max`, ends the others; returns how many. */
size_t datagrams_review(
	struct listener *listener, struct wire_gate_review_flow *ret_flows, size_t n_max);
void datagrams_reset(struct listener *listener, const uint64_t *ids, size_t n_ids);

int datagrams_init_timer(struct gate *gate);
void datagrams_fini_timer(struct gate *gate);
