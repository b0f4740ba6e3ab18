/* What the client of a named flow sends, while it is checked (inspect.h): read into a buffer, sent
 * on as far as the check releases it. The buffer is bounded, and nothing is read while bytes that
 * were released wait for the server to take them, so the client is held back.
 *
 * All take any flow; those to literal addresses have no inlet. */
#pragma once

#include "supervisor/gate/state.h"
#include "supervisor/inspect/inspect.h"

struct inlet {
	struct inspect inspect;
	uint8_t *buffer; /* what was read and not sent on: the direction's held_bytes may go */
	size_t n_buffer, n_buffer_max;
	size_t n_shown;  /* of the server's next bytes, to the check: not taken by the client yet */
	bool is_checked; /* nothing more is to be fed */
	bool is_refused;
};

/* Borrows `name`. */
void inlet_init(struct inlet *inlet, const char *name, uint16_t port, bool needs_tls);
void inlet_fini(struct inlet *inlet);

/* Bytes of the client go through the buffer. */
bool inlet_is_open(const struct flow *flow);
bool inlet_is_refused(const struct flow *flow);
/* Reads once from the client and checks. What came of it is seen in the flow: held_bytes, at_end,
 * is_refused, or the inner side failed. Returns whether to go on reading. */
bool inlet_read(struct flow *flow);
/* Sends on what was released, or else reads. Returns how many bytes the server took. */
size_t inlet_step(struct flow *flow);

/* The check must see the server's bytes before the client gets them. */
bool inlet_awaits_server(const struct flow *flow);
/* Shows `bytes`, the next that the server sent; those of them that were shown before are known.
 * Returns whether they may be sent on. */
bool inlet_show_server(struct flow *flow, const char *bytes, size_t n_bytes);
/* The client took `n_bytes` of them. */
void inlet_server_sent(struct flow *flow, size_t n_bytes);
