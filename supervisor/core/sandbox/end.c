/* The end of a sandbox: kill, wait for PID 1 (the kernel ends it last), account, take away. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/wire/strings.h"

static void call_waiters(struct waiter *waiters)
{
	while (waiters) {
		struct waiter *waiter = waiters;

		waiters = waiter->next;
		if (waiter->callback)
			waiter->callback(waiter->userdata);
		free(waiter);
	}
}

static int add_waiter(struct sandbox *sandbox, sandbox_ended_callback callback, void *userdata)
{
	struct waiter *waiter;

	if (!callback)
		return 0;
	waiter = malloc(sizeof(*waiter));
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct waiter){sandbox->waiters, callback, userdata};
	sandbox->waiters = waiter;
	return 0;
}

/* A pair that is longer than what is summed up stays in its tenant's total alone. */
static int add_to_labels(struct sandbox *sandbox, const struct wire_usage *usage)
{
	const char *cursor = sandbox->labels;
	struct core *core = sandbox->core;

	for (uint32_t i = 0; i < sandbox->n_labels; i++) {
		const char *label = wire_strings_next(&cursor);
		struct wire_usage sum = {0};
		int r;

		if (strlen(label) >= STORE_LABEL_SIZE)
			continue;
		r = store_label_get(core->store, sandbox->tenant->row.id, label, &sum, sizeof(sum));
		if (r < 0 && r != -ENOENT)
			return r;
		usage_add(&sum, usage);
		r = store_label_put(core->store, sandbox->tenant->row.id, label, &sum, sizeof(sum));
		if (r < 0)
			return r;
	}
	return 0;
}

/* The sandbox's last row and the totals change together, or a kill between them would make
 * the total wrong for good. */
static int store_end(struct sandbox *sandbox, const struct wire_usage *usage)
{
	struct core *core = sandbox->core;
	int r = store_begin(core->store);

	if (r < 0)
		return r;
	if (sandbox->stored)
		r = store_sandbox_end(core->store, sandbox->id, sandbox->tenant->row.id,
			clock_realtime_ns(), usage, sizeof(*usage));
	if (r == 0)
		r = add_to_labels(sandbox, usage);
	if (r == 0)
		r = tenants_add_usage(core->tenants, sandbox->tenant, usage);
	if (r == 0)
		r = store_commit(core->store);
	if (r < 0)
		store_rollback(core->store);
	return r;
}

static void account(struct sandbox *sandbox)
{
	struct wire_usage usage = {0};
	int r;

	if (sandbox->phase == PHASE_FAILED || sandbox_usage(sandbox, &usage) < 0)
		usage = sandbox->last_usage;
	usage.memory_bytes = 0;
	usage.n_sandboxes = 1;
	sandbox->tenant->n_sandboxes--;
	tenant_save_budgets(sandbox->core, sandbox->tenant);
	r = store_end(sandbox, &usage);
	if (r < 0)
		log_error("sb-%016lx: its last usage was not stored: %s",
			(unsigned long)sandbox->id, strerror(-r));
}

static void record_end(const struct sandbox *sandbox)
{
	struct audit_subject subject;

	sandbox_subject(sandbox, &subject);
	audit_sandbox_end(
		sandbox->core->audit, &subject, json_pack("{s:s}", "reason", sandbox->reason));
}

/* The kernel's parts and the directories; what cannot go yet is swept later. */
static void take_away(struct sandbox *sandbox)
{
	struct core *core = sandbox->core;
	int r;

	egress_close(sandbox);
	if (sandbox->has_slot)
		enforce_slot_release(core->enforce, sandbox->slot, sandbox->cgroup.id);
	sandbox->has_slot = false;
	r = sandbox->has_cgroup ? cgroup_remove(&sandbox->cgroup) : 0;
	if (r < 0) {
		log_warning("sb-%016lx: its cgroup is not empty yet: %s",
			(unsigned long)sandbox->id, strerror(-r));
		cgroup_fini(&sandbox->cgroup);
		loop_timer_arm(core->retry_timer, 50, 0);
	}
	sandbox->has_cgroup = false;
	launch_forget(core->launch, sandbox->id);
}

void sandbox_uncount_cold(struct sandbox *sandbox)
{
	if (sandbox->counted_cold)
		sandbox->core->n_cold_starts--;
	sandbox->counted_cold = false;
}

void sandbox_finish(struct sandbox *sandbox)
{
	struct waiter *waiters = steal_ptr(&sandbox->waiters);

	core_consume_events(sandbox->core);
	shadow_end(sandbox);
	exec_end_all(sandbox);
	swap_end_all(sandbox);
	sandbox_uncount_cold(sandbox);
	if (sandbox->claim) {
		struct refusal why;

		refuse(&why, WIRE_CODE_UNAVAILABLE,
			"The sandbox died while it was set up. Try again.");
		claim_undo(sandbox);
		claim_fail(steal_ptr(&sandbox->claim), &why);
	}
	if (sandbox->tenant) {
		account(sandbox);
		record_end(sandbox);
	}
	take_away(sandbox);
	sandbox_free(sandbox);
	call_waiters(waiters);
}

/* A claimed sandbox whose PID 1 died by itself stays listed, with the reason, until it is deleted.
 */
static void fail(struct sandbox *sandbox, uint64_t oom_kills)
{
	struct audit_subject subject;

	snprintf(sandbox->reason, sizeof(sandbox->reason), "%s",
		sandbox->killed_for_loss ? "audit.on_loss: a record of it was lost"
		: oom_kills > sandbox->oom_kills_seen
			? "out of memory: the kernel ended the sandbox's PID 1"
			: "PID 1 died unexpectedly");
	core_consume_events(sandbox->core);
	sandbox_usage(sandbox, &sandbox->last_usage);
	exec_end_all(sandbox);
	swap_end_all(sandbox);
	sandbox->phase = PHASE_FAILED;
	sandbox_subject(sandbox, &subject);
	audit_record(sandbox->core->audit, "sandbox.fail", &subject,
		json_pack("{s:s}", "reason", sandbox->reason));
	take_away(sandbox);
	if (sandbox->stored)
		store_failed_put(sandbox->core->store, sandbox->id, &sandbox->last_usage,
			sizeof(sandbox->last_usage));
	if (sandbox->stored)
		store_sandbox_set_state(sandbox->core->store, sandbox->id, WIRE_SANDBOX_FAILED);
}

void sandbox_died(struct sandbox *sandbox)
{
	struct core *core = sandbox->core;
	enum sandbox_phase phase = sandbox->phase;
	uint64_t oom_kills = 0, pids_hits;
	struct failure failure;

	sandbox->pidfd_source = loop_source_free(sandbox->pidfd_source);
	sandbox->init = channel_free(sandbox->init);
	cgroup_kill(&sandbox->cgroup);
	cgroup_read_limit_hits(&sandbox->cgroup, &oom_kills, &pids_hits);
	failure_set(
		&failure, -ESRCH, "start", "PID 1 of sb-%016lx died", (unsigned long)sandbox->id);
	switch (phase) {
	case PHASE_STOPPING:
	case PHASE_FAILED:
		sandbox_finish(sandbox);
		return;
	case PHASE_CLAIMED:
	case PHASE_RUNNING:
		fail(sandbox, oom_kills);
		return;
	case PHASE_WARM:
		pool_lost(core->pool, sandbox->template, sandbox);
		break;
	case PHASE_MAKING:
		if (!sandbox->claim)
			pool_failed(core->pool, sandbox->template);
		break;
	case PHASE_CLAIMING:
		break;
	}
	log_failure("sandbox lost", &failure);
	sandbox_finish(sandbox);
}

void sandbox_end(struct sandbox *sandbox, const char *reason, sandbox_ended_callback callback,
	void *userdata)
{
	if (add_waiter(sandbox, callback, userdata) < 0)
		log_error("sb-%016lx: out of memory: nobody is told of its end",
			(unsigned long)sandbox->id);
	if (sandbox->phase == PHASE_STOPPING)
		return;
	if (sandbox->phase == PHASE_FAILED) {
		sandbox_finish(sandbox);
		return;
	}
	usage_sample(sandbox);
	sandbox->phase = PHASE_STOPPING;
	snprintf(sandbox->reason, sizeof(sandbox->reason), "%s", reason);
	sandbox->expiry = loop_source_free(sandbox->expiry);
	sandbox->idle = loop_source_free(sandbox->idle);
	cgroup_kill(&sandbox->cgroup);
}
