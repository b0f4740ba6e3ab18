/* What of a sandbox's files is hidden or read-only, and what of them can be executed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/base/failure.h"

struct digests;

enum launch_access {
	LAUNCH_HIDDEN,    /* a directory looks empty, a file cannot be opened */
	LAUNCH_READ_ONLY, /* EROFS */
	LAUNCH_WRITABLE,  /* as owners and modes have it */
};

struct launch_path {
	const char *path; /* absolute, inside; symbolic links are followed inside */
	enum launch_access access;
};

struct launch_program {
	const char *path;   /* of a file, or of a directory for all that lies in it */
	const char *sha256; /* lower-case hex; empty: whatever is in it */
};

struct launch_library {
	const char *path; /* of a directory, without symbolic links */
	bool optional;    /* passed over where it is not there */
};

/* Nothing else can be executed, nor mapped as code. */
struct launch_executables {
	const struct launch_program *programs;
	size_t n_programs;
	const struct launch_library *libraries;
	size_t n_libraries;
	bool best_effort; /* without those that are not there, and without Landlock */
	struct digests *digests;
};

struct launch_files {
	const struct launch_path *paths; /* sorted: what is around others comes before them */
	size_t n_paths;
	bool best_effort;                             /* paths that are not there are passed over */
	const struct launch_executables *executables; /* NULL: as modes have it */
};

/* Mounts over paths. Only for a sandbox in which nothing of a tenant has run: its tree is trusted.
 * Enters the mount namespace of PID 1 (`pidfd`) and comes back. `*ret_ruleset_fd` is the Landlock
 * ruleset that PID 1 must restrict itself with before it starts a command; -1: none. 0 or -errno
 * with `why`; some are then mounted: the sandbox must end. */
int launch_set_files(
	int pidfd, const struct launch_files *files, int *ret_ruleset_fd, struct failure *why);
