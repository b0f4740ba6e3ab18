/* A sandbox whose policy says "auto_stop" ends when no command has run in it for that long.
 * Commands that an earlier cloched started count too, until PID 1 says that they have ended. */
#include <stdbool.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"

static bool is_idle(const struct sandbox *sandbox)
{
	return (sandbox->phase == PHASE_CLAIMED || sandbox->phase == PHASE_RUNNING) &&
	       sandbox->n_execs == 0 && sandbox->n_earlier_execs == 0;
}

static void on_idle(struct loop_source *source _unused_, void *userdata)
{
	struct sandbox *sandbox = userdata;

	if (is_idle(sandbox))
		sandbox_end(sandbox, "idle", NULL, NULL);
}

void idle_watch(struct sandbox *sandbox)
{
	uint64_t after_ms = sandbox->effective
				    ? sandbox->effective->policy->lifecycle.auto_stop_s * 1000ULL
				    : 0;

	if (!is_idle(sandbox) || after_ms == 0) {
		if (sandbox->idle)
			loop_timer_disarm(sandbox->idle);
		return;
	}
	/* Without a timer it would live on unasked: rather it ends. */
	if ((!sandbox->idle &&
		    loop_add_timer(sandbox->core->loop, on_idle, sandbox, &sandbox->idle) < 0) ||
		loop_timer_arm(sandbox->idle, after_ms, 0) < 0) {
		log_error("sb-%016lx: no timer for its policy's auto_stop",
			(unsigned long)sandbox->id);
		sandbox_end(sandbox, "no timer", NULL, NULL);
	}
}
