/* The state of the log at the start of a segment: what a restart goes on from, instead of reading
 * every segment from the first. resume/SSSSSSSSSSSSSSSSSSSS holds the tree's right edge and the
 * streams as they were before record S. It is trusted no further than the checkpoint that a tree
 * grown from it agrees with. */
#pragma once

#include <stdint.h>

#include "supervisor/base/table.h"
#include "supervisor/tlog/tree.h"

/* Writes the state before record `first`, which is tree->size + 1. Returns 0 or -errno. */
int resume_write(int dir_fd, uint64_t first, const struct tree *tree, struct table *streams);
/* Fills an empty tree and an empty table. -ENOENT, -EBADMSG (then both are as they were), other
 * -errno. */
int resume_read(int dir_fd, uint64_t first, struct tree *tree, struct table *streams);
void resume_remove(int dir_fd, uint64_t first);
