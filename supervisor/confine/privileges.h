/* What PID 1 of a sandbox may keep, taken from the process that becomes it. */
#pragma once

#include "supervisor/base/failure.h"

/* In a single-threaded process with all capabilities of its user namespace: empties the bounding
 * set, keeps setuid, setgid and kill (permitted, effective, inheritable, ambient: so they survive
 * execve(2)), locks the securebits so that uid 0 gains nothing, and sets no_new_privs.
 * Returns 0 or -errno with `why`; on failure the process must end. */
int privileges_reduce(struct failure *why);
