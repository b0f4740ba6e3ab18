/* A connection that was opened to a name: is that what the client asks for in it? Tells TLS from
 *HTTP by the first byte and has the right checker look at the client's bytes. For the relay:
 *
 *	read into a buffer of INSPECT_HELD_MAX behind what it holds, feed what was read, then
 *	GO_ON: send on the first `release` bytes of the buffer, keep the rest, read on. The first
 *		release above 0 is the time to resolve and dial: before it nothing was checked.
 *	DONE: send on everything; relay without looking from now on.
 *	REFUSE: send on nothing more; give the client inspect_reply() and close.
 *	While inspect_awaits_server(): show the server's bytes with inspect_server_said() BEFORE
 *they are sent to the client. Otherwise the server's bytes need not be looked at.
 *
 * A buffer of INSPECT_HELD_MAX always has room to read into after GO_ON, once the release is sent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/inspect/http.h"
#include "supervisor/inspect/tls.h"

enum inspect_protocol {
	INSPECT_UNKNOWN, /* no byte came yet, or it was neither */
	INSPECT_TLS,
	INSPECT_HTTP,
};

struct inspect {
	const char *name;
	uint16_t port;
	bool needs_tls;
	bool done; /* INSPECT_DONE was the verdict */
	enum inspect_protocol protocol;
	enum inspect_reason reason; /* after INSPECT_REFUSE */
	union {
		struct inspect_tls tls;
		struct inspect_http http;
	};
};

/* Borrows `name` (lower case, no dot at its end). `port` is the one that was connected to. */
void inspect_init(struct inspect *inspect, const char *name, uint16_t port, bool needs_tls);

enum inspect_verdict inspect_feed(
	struct inspect *inspect, const uint8_t *bytes, size_t n_bytes, size_t *ret_release);

bool inspect_awaits_server(const struct inspect *inspect);

/* INSPECT_DONE, as from inspect_feed(): both directions may be relayed without looking. */
enum inspect_verdict inspect_server_said(
	struct inspect *inspect, const uint8_t *bytes, size_t n_bytes);

/* The name that the client asked for, printable; "" if none. */
void inspect_said(const struct inspect *inspect, char ret_said[INSPECT_SAID_SIZE]);
