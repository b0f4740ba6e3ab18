/* Inside core: counts of candidates, from the kernel to the sums. */
#pragma once

#include "supervisor/core/shadow/shadow.h"

struct shadow_asked;
struct shadow_row;

/* What is asked of the sandbox from now on is counted for `sandbox->shadow`, beside its policy in
 * force. Free it, or give it to shadow_sums_close(). NULL when memory is out. */
struct shadow_asked *shadow_sums_open(
	const struct sandbox *sandbox, const struct effective *candidate);
/* The kernel has stopped to ask it: what it counted is added to the sums, within a second, and in
 * one walk for all that ended in that time. Takes `asked` over. */
void shadow_sums_close(
	struct core *core, uint32_t slot, uint32_t generation, struct shadow_asked *asked);
/* What the sandbox's candidate says is counted in this row, which may be of no rule and no part.
 * NULL when there are too many. */
struct shadow_row *shadow_sums_row(const struct sandbox *sandbox, enum abi_shadow_outcome outcome,
	uint16_t rule, const char *part);
/* At once: when the kernel has no room, and after a restart, when its counts are nobody's. */
void shadow_sums_fold(struct core *core);
