/* Whether this kernel can show the host's files to a sandbox with their real owners. */
#pragma once

#include <stdbool.h>

/* A detached, read-only clone of the mount at `path`; its ids mapped through `userns_fd` when that
 * is not -1. Returns the descriptor, or -errno: -EINVAL when the file system cannot map ids. */
int idmap_clone(const char *path, int userns_fd);

/* True if files below `path` can be mapped and an overlay accepts them as a lower layer (ext4 and
 * others since Linux 5.12, tmpfs since 6.3, overlay since 5.19). Mounts and unmounts on `scratch`,
 * a directory of the caller's own mount namespace. False also when the probe itself fails: unmapped
 * files show as nobody's, which does no harm. */
bool idmap_probe(const char *path, const char *scratch);
