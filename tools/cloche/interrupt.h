/* SIGINT, SIGTERM, SIGHUP and SIGQUIT as a readable descriptor, so that what was begun can be
 * undone. */
#pragma once

/* Blocks the signals and opens a descriptor for them; ignores SIGPIPE, so that a closed output is
 * an error like others. Returns 0 or -errno. The caller owns the fd. */
int interrupt_open(int *ret_fd);

/* The first signal that waits in `fd`, taken out of it; 0 if none does. */
int interrupt_take(int fd);
