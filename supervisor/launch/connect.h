/* Reaching the PID 1 of a sandbox, and making sure that it is the right one. */
#pragma once

#include <stddef.h>

#include "supervisor/launch/launch.h"

/* The name of a sandbox's socket in the directory of the sockets. */
void connect_socket_name(uint64_t sandbox, char *ret_name, size_t size);

/* Connects, and checks that the listener is process `pid` (0: whoever it is) and that it is in
 * `cgroup`. Returns 0 or -errno with `why`. */
int connect_to_init(const char *socket_dir, uint64_t sandbox, const struct cgroup *cgroup,
	uint32_t pid, int *ret_socket, struct failure *why);

/* As launch_adopt(). */
int connect_adopt(const char *socket_dir, uint64_t sandbox, const struct cgroup *cgroup,
	struct launch_result *ret_result);
void connect_remove(const char *socket_dir, uint64_t sandbox);
