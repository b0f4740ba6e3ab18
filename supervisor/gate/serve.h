/* The gate's end of the supervisor's socket: messages in (supervisor/wire/gate.h), reports out. */
#pragma once

#include <stddef.h>

#include "supervisor/base/loop.h"

struct serve;

/* Takes `fd` over, also on failure. Stops the loop with 0 when the supervisor closes, with 1 (and a
 * log line) when what it sends makes no sense. Returns 0 or -errno. */
int serve_new(struct loop *loop, int fd, size_t n_fds_max, struct serve **ret_serve);
/* Takes NULL, returns NULL. */
struct serve *serve_free(struct serve *serve);
