/* Laying a mount over a path, in the mount namespace that the caller has entered. */
#pragma once

#include <stdbool.h>
#include <sys/mount.h>

/* The path as it is inside: from the root, which it cannot leave. Returns an O_PATH descriptor or
 * -errno; -ELOOP when `follow` is false and there is a symbolic link in it. */
int cover_find(const char *path, bool follow);

/* Lays a clone of `source`, seen from `source_fd` ("": itself), with other attributes, over
 * `target_fd`. `recursive` is AT_RECURSIVE or 0: with it all mounts inside are cloned and changed,
 * too. 0 or -errno. */
int cover_lay(int source_fd, const char *source, unsigned int recursive,
	const struct mount_attr *change, int target_fd);
