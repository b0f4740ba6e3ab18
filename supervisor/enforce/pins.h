/* Names in bpffs. One set of programs, links and maps lies in one directory `set-DIGEST` below the
 * pin directory; a set that replaces another is whole before the other goes. */
#pragma once

#include "supervisor/enforce/state.h"

/* Makes `pin_dir` if absent. -EINVAL with `why` when it is not on a bpffs. */
int pins_prepare(const char *pin_dir, struct failure *why);
/* "set_dir/NAME" as a heap string, NULL without memory. */
char *pins_path(const char *set_dir, const char *name);
/* Opens a pinned map. A descriptor or -errno. */
int pins_open_map(const char *set_dir, const char *name, bool read_only);
/* Unpins a whole set, links first. 0 also when it is not there. */
int pins_remove_set(const char *set_dir);
/* Unpins every set below `pin_dir` but `keep` (may be NULL). */
int pins_remove_others(const char *pin_dir, const char *keep);
