/* The API's listening sockets: opened by root here, served by cloche-api. */
#pragma once

#include "supervisor/base/failure.h"

/* Makes this process the only cloched of `run_dir` until it ends: a lock, so that a child of an
 * earlier one that still holds its socket is no hindrance. -EADDRINUSE when there is another. */
int lock_run_dir(const char *run_dir, int *ret_fd, struct failure *why);
/* A unix stream socket that anybody may connect to (the key decides). Replaces what is at `path`.
 */
int listen_unix(const char *path, int *ret_fd, struct failure *why);
/* "127.0.0.1:8750", "[::1]:8750"; port 0: the kernel chooses. */
int listen_tcp(const char *address, int *ret_fd, struct failure *why);
