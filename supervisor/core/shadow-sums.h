/* Inside core: sums of candidates. */
#pragma once

#include "supervisor/core/shadow.h"

/* Adds the kernel's counts of the sandbox's candidate to the sums: before they are deleted. */
void shadow_sums_fold(struct sandbox *sandbox);
