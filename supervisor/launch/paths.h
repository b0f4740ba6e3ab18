/* What of a sandbox's files is hidden or read-only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/base/failure.h"

enum launch_access {
	LAUNCH_HIDDEN,    /* a directory looks empty, a file cannot be opened */
	LAUNCH_READ_ONLY, /* EROFS */
	LAUNCH_WRITABLE,  /* as owners and modes have it */
};

struct launch_path {
	const char *path; /* absolute, inside; symbolic links are followed inside */
	enum launch_access access;
};

/* Mounts over `paths`, in their order: what is around others comes before them. Only for a sandbox
 * in which nothing of a tenant has run: its tree is trusted. Enters the mount namespace of PID 1
 * (`pidfd`) and comes back. With `best_effort` paths that are not there are passed over. 0 or
 * -errno with `why`; some are then mounted: the sandbox must end. */
int launch_set_paths(int pidfd, const struct launch_path *paths, size_t n, bool best_effort,
	struct failure *why);
