/* What our own unprivileged processes give up once they hold what they need.
 *
 * After this, the process cannot open, execute, trace, fork, or make a socket that its kind does
 * not name; it works with the descriptors that it has and those that the supervisor sends. A
 * refused system call fails with EPERM, so that a library which only probes carries on; execve,
 * execveat, ptrace and a foreign system call table kill the process: nothing of ours uses them. */
#pragma once

#include "supervisor/base/failure.h"

enum confine_kind {
	CONFINE_API,    /* no new sockets but by accept4(2) */
	CONFINE_GATE,   /* TCP and UDP sockets, connect(2), pipes and splice(2), bpf(2) to look up
			   only */
	CONFINE_EXPORT, /* TCP and UDP sockets, connect(2) */
};

/* Confines the calling process, which must have one thread, for good. The order within is of no
 * interest to the caller, but a failure leaves some steps done: end the process. A kernel without
 * Landlock is no failure: the system call filter alone already refuses every path.
 * Returns 0 or -errno with `why`. */
int confine_process(enum confine_kind kind, struct failure *why);
