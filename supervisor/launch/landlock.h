/* Landlock around a sandbox: a second lock behind mounts, namespaces and filter. */
#pragma once

#include "supervisor/base/failure.h"

/* Restricts the process and all its descendants for good, as far as the kernel can: no device
 * nodes, no change of the mount tree, no signal or abstract socket beyond the sandbox, no tracing
 * across. A kernel without landlock is no failure. Needs no_new_privs. 0 or -errno with `why`. */
int landlock_restrict(struct failure *why);
