/* Where in the hierarchy the sandboxes' cgroups lie. */
#pragma once

#include "supervisor/enforce/state.h"

/* Programs know a cgroup by its id and find it by its depth, both counted in the host's hierarchy.
 * Returns 0, -EINVAL when `cgroup_dir` is not on cgroup v2 or its depth cannot be known, or -errno.
 */
int place_find(const char *cgroup_dir, struct cgroup_place *ret_place, struct failure *why);
