/* The API's listening sockets: opened by root here, served by cloche-api. */
#pragma once

#include "supervisor/base/failure.h"

/* A unix stream socket that anybody may connect to (the key decides). Replaces a socket that nobody
 * listens on; -EADDRINUSE when somebody does. */
int listen_unix(const char *path, int *ret_fd, struct failure *why);
/* "127.0.0.1:8750", "[::1]:8750"; port 0: the kernel chooses. */
int listen_tcp(const char *address, int *ret_fd, struct failure *why);
