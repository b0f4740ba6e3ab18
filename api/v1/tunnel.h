/* Bytes both ways between two stream sockets, until both sides have said their end.
 *
 * A side that closes its writing half closes the other's reading half, and no more: what still
 * comes the other way is passed on. A side that does not read stops the other: what waits is one
 * read. A side that breaks ends it all. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/loop.h"

struct tunnel;

/* Called once, from the loop, when nothing will pass any more; the sockets are not watched then. */
typedef void (*tunnel_ended_callback)(void *userdata);

/* Borrows both sockets, which do not have to be non-blocking. `idle_ms`: without a byte either way;
 * half of the time is enough once a side has ended. Returns 0 or -errno. */
int tunnel_new(struct loop *loop, const int fds[2], uint64_t idle_ms, tunnel_ended_callback ended,
	void *userdata, struct tunnel **ret_tunnel);
/* What was read from the first (0) or second (1) socket before; copied. Right after tunnel_new().
 * Returns 0 or -ENOMEM. */
int tunnel_put(struct tunnel *tunnel, size_t from, const void *bytes, size_t size);
/* Without the callback. Takes NULL, returns NULL. */
struct tunnel *tunnel_free(struct tunnel *tunnel);
