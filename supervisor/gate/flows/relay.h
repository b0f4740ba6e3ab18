/* The bytes of one direction of a connection.
 *
 * Large ones are spliced: from the sender's socket into a borrowed pipe, from there into the
 * receiver's, never copied to user space. Small ones are read and written, which is quicker; what
 * the receiver does not take of them goes into the pipe. Nothing is taken from the sender unless
 * the receiver seemed to have room, so a slow reader's bytes wait in the sockets and hold their
 * sender back; what a receiver took only part of stays in the pipe. Without a pipe to have, bytes
 * are copied instead: peeked at, sent, and only as many as were sent are then taken, so that this
 * way holds nothing ever. What the client of a named flow sends goes through its inlet (inlet.h)
 * while it is checked. */
#pragma once

#include "supervisor/gate/state.h"

enum relay_result {
	RELAY_WAITS, /* for an edge of either socket */
	RELAY_MORE,  /* the budget is used up */
	RELAY_ENDED, /* the sender's end of stream was passed on, or the receiver failed */
};

/* Moves up to about `budget_bytes` from `flow->sides[from]` to the other side, adds them to
 * `*ret_moved_bytes`, passes the end of stream on, and marks a side that an error shows to be gone
 * as failed, with `flow->error`. */
enum relay_result relay_move(
	struct flow *flow, int from, size_t budget_bytes, size_t *ret_moved_bytes);
/* An error showed `side` to be gone. `can_take`: what it sent before may still be read. */
void relay_fail(struct flow *flow, int side, int error, bool can_take);
/* A read got `got` of up to `wanted` bytes. */
void relay_note_read(struct side *side, size_t got, size_t wanted);
/* Gives back what both directions hold. */
void relay_release(struct flow *flow);
