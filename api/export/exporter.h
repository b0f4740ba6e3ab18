/* cloche-export: what cloched says. */
#pragma once

#include "api/export/transfers.h"
#include "supervisor/base/loop.h"

struct exporter;

/* Takes over `fd`, the supervisor's socket, and `transfers`, also on failure. The loop is stopped
 * when the socket closes. 0 or -errno. */
int exporter_new(struct loop *loop, int fd, struct transfers *transfers, const char *host,
	struct exporter **ret_exporter);
struct exporter *exporter_free(struct exporter *exporter);
