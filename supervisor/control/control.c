#include "supervisor/control/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "supervisor/base/log.h"
#include "supervisor/control/dispatch.h"
#include "supervisor/core/peers/sinks.h"

#define API_FALLBACK_ID 61180
#define FOLLOW_PERIOD_MS 250

static int on_message(struct peer *peer _unused_, struct channel_message *message, void *userdata)
{
	return dispatch(userdata, message);
}

static void on_up(struct peer *peer, void *userdata)
{
	struct control *control = userdata;

	control->api = peer;
}

/* Whoever waited has gone with the process: what they started ends too, unless it is detached. */
static void on_down(struct peer *peer _unused_, void *userdata)
{
	struct control *control = userdata;
	struct request *request, *next;

	for (request = control->requests; request; request = next) {
		next = request->next;
		request->orphaned = true;
		if (request->type == WIRE_API_EXEC_START && request->exec) {
			exec_abandon(request->exec);
			request_free(request);
		} else if (request->type == WIRE_API_EVENTS || request->port_sandbox) {
			request_free(request);
		}
		/* The others are called back later, and see that they are orphaned. */
	}
}

static void on_records(void *userdata)
{
	struct control *control = userdata;

	events_wake(control);
	sinks_wake(control->core);
}

static void on_follow_timer(struct loop_source *source _unused_, void *userdata)
{
	on_records(userdata);
	ports_review(userdata);
	sums_wake(userdata);
}

int control_start(struct core *core, const struct control_config *config,
	struct control **ret_control, struct failure *why)
{
	struct control *control = calloc(1, sizeof(*control));
	struct peer_config peer = {.name = "cloche-api",

		.user = config->api_user,
		.fallback_id = API_FALLBACK_ID,
		.message = on_message,
		.up = on_up,
		.down = on_down,
		.userdata = control};
	int r;

	if (!control)
		return failure_set(why, -ENOMEM, "control", "out of memory");
	control->core = core;
	control->config = *config;
	snprintf(control->api_program, sizeof(control->api_program), "%s/cloche-api",
		config->libexec_dir);
	peer.program = control->api_program;
	for (size_t i = 0; i < config->n_listen_fds; i++)
		peer.fds[peer.n_fds++] = (struct peer_fd){"--listen-fd", config->listen_fds[i]};
	r = loop_add_timer(core->loop, on_follow_timer, control, &control->follow_timer);
	if (r == 0)
		r = loop_timer_arm(control->follow_timer, FOLLOW_PERIOD_MS, FOLLOW_PERIOD_MS);
	if (r < 0) {
		control_free(control);
		return failure_set(why, r, "control", "no timer");
	}
	r = peer_start(core->loop, &peer, &control->api, why);
	if (r < 0) {
		control_free(control);
		return r;
	}
	audit_set_listener(core->audit, on_records, control);
	*ret_control = control;
	return 0;
}

struct control *control_free(struct control *control)
{
	if (!control)
		return NULL;
	audit_set_listener(control->core->audit, NULL, NULL);
	peer_stop(control->api);
	while (control->requests)
		request_free(control->requests);
	loop_source_free(control->follow_timer);
	free(control);
	return NULL;
}
