/* The spawner: the process that makes sandboxes, apart from cloched.
 *
 * A clone copies its parent's mount table and descriptors, so the parent that clones sandboxes has
 * five mounts and a handful of descriptors, and not those of the supervisor. It is cloched's own
 * program started again: whoever links this room must call spawner_main() first thing in main()
 * when spawner_is_wanted() says so. */
#pragma once

#include <stdbool.h>

#define SPAWNER_NAME "cloche-spawn" /* argv[0] */
#define SPAWNER_CHANNEL_FD 3
#define SPAWNER_INIT_FD 4 /* sealed memfd with cloche-init */

bool spawner_is_wanted(int argc, char **argv);

/* argv: SPAWNER_NAME, directory of the sockets, private working directory. Returns the exit code
 * when the channel ends. */
int spawner_main(int argc, char **argv);
