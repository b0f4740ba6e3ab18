/* The spawner: the process that makes sandboxes, apart from cloched.
 *
 * A clone copies its parent's mount table and descriptors, so the parent that clones sandboxes has
 * five mounts and a handful of descriptors, and not those of the supervisor. It is cloched's own
 * program started again: whoever links this room must call spawner_main() first thing in main()
 * when spawner_is_wanted() says so. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "supervisor/base/failure.h"

#define SPAWNER_NAME "cloche-spawn" /* argv[0] */
#define SPAWNER_CHANNEL_FD 3
#define SPAWNER_INIT_FD 4 /* sealed memfd with cloche-init */

bool spawner_is_wanted(int argc, char **argv);

/* argv: SPAWNER_NAME, directory of the sockets, private working directory. Returns the exit code
 * when the channel ends. */
int spawner_main(int argc, char **argv);

/* ---- cloched's side */

struct spawner_start {
	const char *socket_dir, *work_dir;
	int init_fd;
};

/* Copies the program at `path` to a sealed memfd. 0 or -errno with `why`. */
int spawner_load_init(const char *path, int *ret_fd, struct failure *why);
/* Starts this very program as a spawner on the other end of `channel_fd`, which is borrowed. The
 * process is the caller's child. 0 or -errno. */
int spawner_execute(const struct spawner_start *start, int channel_fd, pid_t *ret_pid);
