/* Landlock around a sandbox: a second lock behind mounts, namespaces and filter. */
#pragma once

#include "supervisor/base/failure.h"

/* Restricts the process and all its descendants for good, as far as the kernel can: no device
 * nodes, no change of the mount tree, no signal or abstract socket beyond the sandbox, no tracing
 * across. A kernel without landlock is no failure. Needs no_new_privs. 0 or -errno with `why`. */
int landlock_restrict(struct failure *why);

/* A ruleset under which nothing can be executed but what landlock_allow_execute() adds, and all
 * else is as it was. For the mount namespace that the caller is in; a process restricts itself with
 * it. Returns a descriptor, -EOPNOTSUPP without Landlock of ABI 2 (Linux 5.19), other -errno. */
int landlock_make_execute(void);
/* `fd` may be opened with O_PATH: a file, or a directory for all that lies in it. 0 or -errno. */
int landlock_allow_execute(int ruleset_fd, int fd);
