/* One sandbox at the gate: the listening socket inside its network namespace. */
#pragma once

#include "supervisor/gate/state.h"

/* Takes `sockets` over, also on failure. Returns 0 or -errno. */
int listener_new(struct gate *gate, uint64_t sandbox, uint64_t netns_cookie,
	const struct gate_sockets *sockets, struct listener **ret_listener);
/* Its flows must be gone. Takes NULL, returns NULL. */
struct listener *listener_free(struct listener *listener);

int listener_init_timers(struct gate *gate);
void listener_fini_timers(struct gate *gate);

/* Leaves connections in the backlog until a flow of any sandbox ends, or for a moment. */
void listener_pause(struct listener *listener);
void listener_resume_all(struct gate *gate);
