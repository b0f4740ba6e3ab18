/* What the kernel reports becomes audit records. */
#include <string.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox.h"

#define EVENTS_PERIOD_MS 50

static void count(struct core *core, const struct abi_event_header *event)
{
	const struct abi_network_event *network = (const struct abi_network_event *)event;

	if (event->type == ABI_EVENT_NETWORK && event->size >= sizeof(*network) &&
		network->verdict == ABI_VERDICT_DENY && network->reason < CORE_REASONS_MAX)
		core->counts.denials[network->reason]++;
}

static void on_event(const struct abi_event_header *event, void *userdata)
{
	struct core *core = userdata;
	const struct sandbox *sandbox = table_get(core->sandboxes, event->sandbox);
	struct audit_subject subject = {.sandbox = event->sandbox, .tenant = event->tenant};

	count(core, event);
	if (sandbox && sandbox->tenant)
		sandbox_subject(sandbox, &subject);
	audit_event(core->audit, event, &subject);
}

void core_consume_events(struct core *core)
{
	uint64_t lost;
	int r = enforce_events_consume(core->enforce, on_event, core);

	if (r < 0)
		log_error("events of the kernel were not read: %s", strerror(-r));
	lost = enforce_events_lost(core->enforce);
	if (lost > core->events_lost_seen)
		audit_lost(core->audit, lost - core->events_lost_seen, "kernel ring");
	core->events_lost_seen = lost;
}

static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	core_consume_events(userdata);
}

int events_start(struct core *core)
{
	int r = loop_add_timer(core->loop, on_timer, core, &core->events_timer);

	if (r < 0)
		return r;
	core->events_lost_seen = enforce_events_lost(core->enforce);
	return loop_timer_arm(core->events_timer, EVENTS_PERIOD_MS, EVENTS_PERIOD_MS);
}
