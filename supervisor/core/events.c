/* What the kernel reports becomes audit records. */
#include <string.h>
#include <sys/epoll.h>

#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"

#define EVENTS_PERIOD_MS 50
/* Batches that both rings hold at most, with room for what comes in meanwhile: who wants all that
 * is there now does not wait for ever for those who make more. */
#define BATCHES_MAX 32

static struct audit_subject subject_of(const struct sandbox *sandbox, uint64_t id, uint32_t tenant)
{
	struct audit_subject subject = {.sandbox = id, .tenant = tenant};

	if (sandbox && sandbox->tenant)
		sandbox_subject(sandbox, &subject);
	return subject;
}

static void count(struct core *core, const struct abi_event_header *event)
{
	const struct abi_network_event *network = (const struct abi_network_event *)event;

	if (event->type == ABI_EVENT_NETWORK && event->size >= sizeof(*network) &&
		network->verdict == ABI_VERDICT_DENY && network->reason < CORE_REASONS_MAX)
		core->counts.denials[network->reason]++;
}

/* The name that the event's address stands for, in that sandbox and for as long as it lives. */
static const char *host_of(const struct sandbox *sandbox, const struct abi_event_header *event)
{
	const struct abi_network_event *network = (const struct abi_network_event *)event;

	if (!sandbox || event->type != ABI_EVENT_NETWORK || event->size < sizeof(*network))
		return NULL;
	return names_of_address(sandbox, &network->address);
}

static void on_event(const struct abi_event_header *event, void *userdata)
{
	struct core *core = userdata;
	const struct sandbox *sandbox = table_get(core->sandboxes, event->sandbox);
	struct audit_subject subject = subject_of(sandbox, event->sandbox, event->tenant);
	struct shadow_opinion opinion;

	subject.host = host_of(sandbox, event);
	if (sandbox)
		shadow_note_event(sandbox, event, &subject, &opinion);
	count(core, event);
	audit_event(core->audit, event, &subject);
}

/* What the policy has for it. Records of the bulk class are many and each of little weight; one of
 * the security class is what the audit is for, so any reason counts, also that the sandbox made
 * more than its share. */
static void answer_loss(struct sandbox *sandbox)
{
	struct core *core = sandbox->core;
	struct audit_subject subject;

	if (!sandbox->effective ||
		(sandbox->phase != PHASE_CLAIMED && sandbox->phase != PHASE_RUNNING))
		return;
	sandbox_subject(sandbox, &subject);
	switch (sandbox->effective->policy->audit.on_loss) {
	case POLICY_ON_LOSS_LOG:
		break;
	case POLICY_ON_LOSS_FREEZE:
		if (sandbox->frozen)
			break;
		sandbox->frozen = true;
		/* What cannot be frozen goes: the policy wants nothing to run unseen. */
		if (cgroup_freeze(&sandbox->cgroup, true) < 0)
			cgroup_kill(&sandbox->cgroup);
		audit_record(core->audit, "sandbox.freeze", &subject, NULL);
		/* PID 1 stands still too and reports no more. */
		exec_end_all(sandbox);
		break;
	case POLICY_ON_LOSS_KILL:
		sandbox->killed_for_loss = true;
		cgroup_kill(&sandbox->cgroup);
		break;
	}
}

static void on_loss(
	uint64_t id, enum abi_class class, enum abi_loss loss, uint64_t n, void *userdata)
{
	struct core *core = userdata;
	struct sandbox *sandbox = table_get(core->sandboxes, id);
	const struct audit_subject subject = subject_of(sandbox, id, 0);

	audit_lost_events(core->audit, &subject, class, loss, n);
	if (sandbox && class == ABI_CLASS_SECURITY)
		answer_loss(sandbox);
}

/* True when more is waiting. */
static bool consume_batch(struct core *core)
{
	int r = enforce_events_consume(core->enforce, on_event, core);

	if (r < 0)
		log_error("events of the kernel were not read: %s", strerror(-r));
	return r == ENFORCE_EVENTS_BATCH;
}

void core_consume_events(struct core *core)
{
	for (int i = 0; i < BATCHES_MAX && consume_batch(core); i++)
		;
	enforce_events_losses(core->enforce, on_loss, core);
}

/* One batch, then the others of the loop have their turn. */
static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	struct core *core = userdata;
	bool more = consume_batch(core);

	enforce_events_losses(core->enforce, on_loss, core);
	loop_timer_arm(core->events_timer, more ? 0 : EVENTS_PERIOD_MS, EVENTS_PERIOD_MS);
}

/* Much is waiting: the rings do not have until the next tick. */
static void on_ring(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	on_timer(NULL, userdata);
}

int events_start(struct core *core)
{
	int r = loop_add_timer(core->loop, on_timer, core, &core->events_timer);

	if (r == 0)
		r = loop_add_fd(core->loop, enforce_events_fd(core->enforce), EPOLLIN, on_ring,
			core, &core->events_source);
	if (r < 0)
		return r;
	return loop_timer_arm(core->events_timer, EVENTS_PERIOD_MS, EVENTS_PERIOD_MS);
}
