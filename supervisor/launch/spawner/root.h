/* The small file tree in which the spawner lives, and from which sandboxes are made. */
#pragma once

#include "supervisor/base/failure.h"

#define SPAWNER_USR "/usr"          /* the host's, read-only */
#define SPAWNER_SOCKETS "/sockets"  /* where the PID 1s listen */
#define SPAWNER_PROC "/proc"        /* fully visible: else the kernel lets nobody below mount one */
#define SPAWNER_DEV "/dev"          /* what a sandbox sees as /dev, read-only and shared by all */
#define SPAWNER_EXTRA "/extra"      /* laid over /usr: holds SPAWNER_ETC_INSIDE */
#define SPAWNER_MASK "/mask"        /* a read-only mount with the two below */
#define SPAWNER_EMPTY "/mask/empty" /* a directory with nothing in it, for masks and /sys */
#define SPAWNER_NOTHING "/mask/nothing" /* an empty file, for masks */
#define SPAWNER_NEW "/new"              /* where a stage builds */
#define SPAWNER_ETC_INSIDE "cloche/etc" /* below /usr of a sandbox: what it sees as /etc */

/* Moves the process into a mount namespace of its own whose root is a tmpfs with just the above.
 * `socket_dir` and `work_dir` are paths on the host; nothing of the host but /usr, `socket_dir` and
 * copies of a few harmless files of /etc can be reached afterwards. 0 or -errno with `why`. */
int spawner_root_enter(const char *socket_dir, const char *work_dir, struct failure *why);

/* etc.c: fills `etc_fd`, an empty directory, with what the programs in /usr expect of /etc: our own
 * passwd, group, hosts…; copies of the host's certificates, alternatives, library cache. */
int etc_fill(int etc_fd, struct failure *why);
/* etc.c: copies what lies in `from_fd` itself, without its directories, to `to_fd`, whose owner the
 * copies get. 0 or -errno. */
int etc_copy_files(int from_fd, int to_fd);
