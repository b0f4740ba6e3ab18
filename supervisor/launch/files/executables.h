/* Inside the launch room: the steps by which all but some files cease to be programs. Each is for
 * the mount namespace that the caller has entered, and returns 0 or -errno with `why`. */
#pragma once

#include "supervisor/launch/files/paths.h"

/* From here on nothing in the sandbox can be executed or mapped as code, and all that is laid over
 * a path takes that over. */
int executables_close(struct failure *why);

/* Landlock's part. `*ret_fd` is -1 where the kernel has none and that will do. */
int executables_make_ruleset(bool best_effort, int *ret_fd, struct failure *why);

/* True when a program's path is that of a directory. */
bool executables_is_directory(const struct launch_program *program);

/* A directory from which code can be mapped; with `ruleset_fd` its files can be executed, too.
 * Read-only, with all in it. */
int executables_open_directory(
	const char *path, int ruleset_fd, bool optional, struct failure *why);
/* One file. */
int executables_open_file(const struct launch_program *program,
	const struct launch_executables *executables, int ruleset_fd, struct failure *why);
/* What the kernel itself maps first for a dynamic program: where it is not there no program wants
 * it. */
int executables_open_loaders(int ruleset_fd, struct failure *why);
