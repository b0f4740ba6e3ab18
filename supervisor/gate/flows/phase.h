/* How long a connection may stay in each phase of its life. */
#pragma once

#include "supervisor/gate/state.h"

#define INSPECTION_TIMEOUT_MS 10000
#define PARTING_TIMEOUT_MS 2000

int phase_init_timers(struct gate *gate);
void phase_fini_timers(struct gate *gate);

/* The first phase of a flow. */
void phase_begin(struct flow *flow, enum flow_phase phase);
/* Begins another, or the same anew. */
void phase_enter(struct flow *flow, enum flow_phase phase);
void phase_leave(struct flow *flow);
