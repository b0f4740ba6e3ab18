/* After a restart: takes back the sandboxes that an earlier cloched left running, and ends whatever
 * does not agree with the store. A mismatch is closed down, never guessed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/shadow/shadow.h"

static int restore_row(struct sandbox *sandbox, const struct store_sandbox *row)
{
	sandbox->tenant = tenants_get(sandbox->core->tenants, row->tenant);
	if (!sandbox->tenant)
		return -ENOENT;
	sandbox->created_ns = row->created_ns;
	sandbox->expires_ns = row->expires_ns;
	sandbox->limits = (struct wire_limits){.memory_bytes = row->memory_bytes,
		.disk_bytes = row->disk_bytes,
		.cpu_millis = row->cpu_millis,
		.pids = row->pids};
	sandbox->warm = row->warm;
	sandbox->uid_first = row->uid_first;
	sandbox->stored = true;
	sandbox->n_labels = row->n_labels;
	sandbox->n_env = row->n_env;
	sandbox->labels_size = row->labels_size;
	sandbox->env_size = row->env_size;
	sandbox->labels = malloc(row->labels_size + 1);
	sandbox->env = malloc(row->env_size + 1);
	if (!sandbox->labels || !sandbox->env)
		return -ENOMEM;
	if (row->labels_size)
		memcpy(sandbox->labels, row->labels, row->labels_size);
	if (row->env_size)
		memcpy(sandbox->env, row->env, row->env_size);
	return 0;
}

static int restore_kernel(
	struct sandbox *sandbox, const struct store_sandbox *row, struct failure *why)
{
	struct core *core = sandbox->core;
	struct launch_result result;
	int r;

	sandbox->cgroup.memory_index = row->memory_index;
	r = cgroup_adopt(core->tree, row->id, &sandbox->cgroup);
	if (r < 0)
		return failure_set(why, r, "cgroup", "its cgroup is not there");
	sandbox->has_cgroup = true;
	if (sandbox->cgroup.id != row->cgroup_id)
		return failure_set(why, -ESTALE, "cgroup", "its cgroup is another one");
	r = enforce_slot_adopt(core->enforce, row->cgroup_id, row->id, &sandbox->slot);
	if (r < 0)
		return failure_set(why, r, "slot", "the kernel does not know it");
	sandbox->has_slot = true;
	r = launch_adopt(core->launch, row->id, &sandbox->cgroup, &result);
	if (r < 0)
		return failure_set(why, r, "PID 1", "its first process does not answer");
	r = sandbox_attach(sandbox, &result);
	return r < 0 ? failure_set(why, r, "PID 1", "cannot watch it") : 0;
}

/* The policy of that name may have changed meanwhile: what holds now is what is loaded now. */
static int restore_policy(
	struct sandbox *sandbox, const struct store_sandbox *row, struct failure *why)
{
	struct core *core = sandbox->core;
	struct refusal refusal;
	uint32_t generation;
	int r = effective_get(core->policies, sandbox->tenant->row.policy, sandbox->template,
		row->policy, &sandbox->effective, &refusal);

	if (r < 0) {
		log_warning("sb-%016lx: %s It may reach nothing until then.",
			(unsigned long)row->id, refusal.sentence);
		r = effective_get(core->policies, STORE_TENANT_UNBOUND, sandbox->template,
			TENANT_POLICY_DEFAULT, &sandbox->effective, &refusal);
	}
	if (r < 0)
		return failure_set(why, -ENOENT, "policy", "%s", refusal.sentence);
	r = names_restore(sandbox);
	if (r == 0)
		r = enforce_slot_next_generation(core->enforce, sandbox->slot, &generation);
	if (r == 0)
		r = names_prepare(sandbox, sandbox->effective->policy, generation);
	if (r < 0)
		return failure_set(why, r, "names", "its tickets cannot be restored");
	r = egress_listen(sandbox, sandbox->effective->policy, why);
	if (r == 0)
		r = sandbox_set_budgets(sandbox, sandbox->effective->policy);
	if (r == 0)
		r = sandbox_set_audit(sandbox, sandbox->effective->policy);
	if (r == 0)
		r = enforce_slot_bind(core->enforce, sandbox->slot, sandbox->tenant->row.id,
			sandbox->sockets.relay_port, sandbox->effective->image,
			&sandbox->generation);
	if (r == 0)
		names_send_all(sandbox);
	return r;
}

static void close_down(struct sandbox *sandbox, const struct failure *why)
{
	char context[48];

	snprintf(context, sizeof(context), "sb-%016lx cannot be taken back",
		(unsigned long)sandbox->id);
	log_failure(context, why);
	if (sandbox->has_cgroup)
		cgroup_kill(&sandbox->cgroup);
	snprintf(sandbox->reason, sizeof(sandbox->reason), "lost at a restart: %.160s",
		why->sentence);
	if (sandbox->tenant) {
		sandbox->tenant->n_sandboxes++;
		if (store_failed_get(sandbox->core->store, sandbox->id, &sandbox->last_usage,
			    sizeof(sandbox->last_usage)) < 0)
			sandbox_usage(sandbox, &sandbox->last_usage);
		sandbox->phase = PHASE_FAILED;
	}
	sandbox_finish(sandbox);
}

static void adopt_one(const struct store_sandbox *row, void *userdata)
{
	struct core *core = userdata;
	struct sandbox *sandbox = sandbox_new(core, row->id, row->template);
	struct audit_subject subject;
	struct failure why = {0};
	int r;

	if (!sandbox)
		return;
	r = restore_row(sandbox, row);
	if (r < 0)
		failure_set(&why, r, "store", "its tenant is gone");
	if (r == 0)
		r = restore_kernel(sandbox, row, &why);
	if (r == 0)
		r = restore_policy(sandbox, row, &why);
	if (r == 0)
		r = sandbox_arm_expiry(sandbox);
	if (r < 0) {
		close_down(sandbox, &why);
		return;
	}
	sandbox->phase = row->state == WIRE_SANDBOX_RUNNING ? PHASE_RUNNING : PHASE_CLAIMED;
	sandbox->tenant->n_sandboxes++;
	idle_watch(sandbox);
	sandbox_subject(sandbox, &subject);
	audit_sandbox_adopt(core->audit, &subject);
	shadow_restore(sandbox);
	sandbox->frozen = cgroup_is_frozen(&sandbox->cgroup);
	cgroup_read_limit_hits(
		&sandbox->cgroup, &sandbox->oom_kills_seen, &sandbox->pids_hits_seen);
}

struct rows {
	struct store_sandbox *rows;
	size_t n;
};

/* The store's rows are copied first: adopting writes to the store. */
static void copy_row(const struct store_sandbox *row, void *userdata)
{
	struct rows *rows = userdata;
	struct store_sandbox *larger = realloc(rows->rows, (rows->n + 1) * sizeof(*larger)), *copy;
	void *labels = malloc(row->labels_size + 1), *env = malloc(row->env_size + 1);

	if (larger)
		rows->rows = larger;
	if (!larger || !labels || !env) {
		free(labels);
		free(env);
		log_error("out of memory: sb-%016lx is not taken back", (unsigned long)row->id);
		return;
	}
	copy = &rows->rows[rows->n++];
	*copy = *row;
	if (row->labels_size)
		memcpy(labels, row->labels, row->labels_size);
	if (row->env_size)
		memcpy(env, row->env, row->env_size);
	copy->labels = labels;
	copy->env = env;
}

static void end_stranger(uint64_t id, void *userdata)
{
	struct core *core = userdata;
	struct cgroup cgroup;

	if (table_get(core->sandboxes, id))
		return;
	if (cgroup_adopt(core->tree, id, &cgroup) < 0)
		return;
	cgroup_kill(&cgroup);
	launch_forget(core->launch, id);
	if (cgroup_remove(&cgroup) < 0) {
		cgroup_fini(&cgroup);
		loop_timer_arm(core->retry_timer, 50, 0);
	}
}

/* Directories whose last process had not ended yet when their sandbox was taken away. */
static void sweep(struct loop_source *source _unused_, void *userdata)
{
	struct core *core = userdata;

	cgroup_tree_each(core->tree, end_stranger, core);
}

int core_adopt(struct core *core, struct failure *why)
{
	struct rows rows = {0};
	size_t n_swept;
	int r = loop_add_timer(core->loop, sweep, core, &core->retry_timer);

	if (r == 0)
		r = store_sandbox_each(core->store, copy_row, &rows);
	if (r < 0)
		return failure_set(why, r, "adopt", "the store's sandboxes cannot be read");
	for (size_t i = 0; i < rows.n; i++) {
		adopt_one(&rows.rows[i], core);
		free((void *)rows.rows[i].labels);
		free((void *)rows.rows[i].env);
	}
	free(rows.rows);
	audit_sandbox_sweep(core->audit);
	shadow_forget_earlier(core);
	sweep(NULL, core);
	n_swept = enforce_slot_sweep(core->enforce);
	if (table_count(core->sandboxes) > 0 || n_swept > 0)
		log_info("took back %zu sandboxes, freed %zu slots", table_count(core->sandboxes),
			n_swept);
	return 0;
}
