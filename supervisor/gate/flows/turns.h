/* Whose turn it is to move bytes: every sandbox with ready connections gets the same number of
 * bytes per round, and its connections share them, however many there are. */
#pragma once

#include "supervisor/gate/state.h"

int turns_init(struct gate *gate);
void turns_fini(struct gate *gate);

/* Gives `flow` a turn soon. Cheap to call again. */
void turns_add(struct flow *flow);
/* Before the flow, or the listener, is freed. */
void turns_remove_flow(struct flow *flow);
void turns_remove_listener(struct listener *listener);
