/* A claim: tenant, policy, limits, labels and environment arrive late, in a sandbox that is up.
 *
 * On a hybrid host PID 1 first joins a memory cgroup, and under a policy that limits executables it
 * restricts itself to them; until it says so the claim is neither stored nor answered, so no
 * command ever runs without, and a restart in between finds nobody's sandbox. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/core/sandbox/terms.h"
#include "supervisor/core/shadow/shadow.h"
#include "supervisor/wire/init.h"
#include "supervisor/wire/strings.h"

struct claim *claim_free(struct claim *claim)
{
	if (!claim)
		return NULL;
	free(claim->tail);
	free(claim);
	return NULL;
}

void claim_fail(struct claim *claim, const struct refusal *why)
{
	claim->tenant->n_sandboxes--;
	claim->callback(NULL, why, claim->userdata);
	claim_free(claim);
}

/* Cuts the request's tail in two: labels, then environment. */
static int keep_strings(struct sandbox *sandbox, const struct claim *claim)
{
	const char *cursor = claim->tail;

	for (uint32_t i = 0; i < claim->request.n_labels; i++)
		wire_strings_next(&cursor);
	sandbox->labels_size = (size_t)(cursor - claim->tail);
	sandbox->env_size = claim->tail_size - sandbox->labels_size;
	sandbox->n_labels = claim->request.n_labels;
	sandbox->n_env = claim->request.n_env;
	sandbox->labels = malloc(sandbox->labels_size + 1);
	sandbox->env = malloc(sandbox->env_size + 1);
	if (!sandbox->labels || !sandbox->env)
		return -ENOMEM;
	if (claim->tail_size == 0)
		return 0;
	memcpy(sandbox->labels, claim->tail, sandbox->labels_size);
	memcpy(sandbox->env, cursor, sandbox->env_size);
	return 0;
}

/* PID 1 may have to join a memory cgroup first. */
static int apply_limits(struct sandbox *sandbox, struct failure *why)
{
	const struct cgroup_limits limits = {.memory_bytes = sandbox->limits.memory_bytes,
		.cpu_millis = sandbox->limits.cpu_millis,
		.pids = sandbox->limits.pids};
	_cleanup_close_ int join_fd = -1;
	int r = cgroup_claim(&sandbox->cgroup, &limits, &join_fd, why);

	if (r < 0)
		return r;
	if (join_fd >= 0) {
		r = channel_send(sandbox->init, WIRE_INIT_JOIN, 1, NULL, 0, NULL, 0, &join_fd, 1);
		if (r < 0)
			return failure_set(why, r, "memory limit", "PID 1 cannot be asked to join");
		sandbox->n_claim_answers++;
	}
	if (sandbox->limits.disk_bytes != DISK_BYTES_DEFAULT) {
		r = launch_set_disk_bytes(sandbox->pid, sandbox->limits.disk_bytes);
		if (r < 0)
			return failure_set(
				why, r, "disk limit", "the writable layer was not resized");
	}
	return 0;
}

/* After this the kernel judges by the effective policy. */
static int apply_policy(struct sandbox *sandbox, struct failure *why)
{
	int r;

	r = enforce_slot_reset_counters(sandbox->core->enforce, sandbox->slot);
	if (r < 0)
		return failure_set(why, r, "counters", "the kernel's counters were not reset");
	r = egress_listen(sandbox, sandbox->effective->policy, why);
	if (r < 0)
		return r;
	r = sandbox_set_budgets(sandbox, sandbox->effective->policy);
	if (r < 0)
		return failure_set(why, r, "budgets", "the kernel's budgets were not set");
	r = sandbox_set_audit(sandbox, sandbox->effective->policy);
	if (r < 0)
		return failure_set(why, r, "audit", "its system calls cannot be counted");
	r = enforce_slot_bind(sandbox->core->enforce, sandbox->slot, sandbox->tenant->row.id,
		sandbox->sockets.relay_port, sandbox->effective->image, &sandbox->generation);
	if (r < 0)
		return failure_set(why, r, "policy", "the kernel's slot was not bound");
	return 0;
}

static int remember(struct sandbox *sandbox, struct failure *why)
{
	struct store_sandbox row = {.id = sandbox->id,
		.created_ns = sandbox->created_ns,
		.expires_ns = sandbox->expires_ns,
		.tenant = sandbox->tenant->row.id,
		.slot = sandbox->slot,
		.uid_first = sandbox->uid_first,
		.state = WIRE_SANDBOX_CLAIMED,
		.cgroup_id = sandbox->cgroup.id,
		.memory_index = sandbox->cgroup.memory_index,
		.memory_bytes = sandbox->limits.memory_bytes,
		.disk_bytes = sandbox->limits.disk_bytes,
		.cpu_millis = sandbox->limits.cpu_millis,
		.pids = sandbox->limits.pids,
		.warm = sandbox->warm,
		.labels = sandbox->labels,
		.env = sandbox->env,
		.labels_size = sandbox->labels_size,
		.env_size = sandbox->env_size,
		.n_labels = sandbox->n_labels,
		.n_env = sandbox->n_env};
	int r;

	snprintf(row.template, sizeof(row.template), "%s", sandbox->template);
	snprintf(row.policy, sizeof(row.policy), "%s", sandbox->effective->name);
	r = store_sandbox_insert(sandbox->core->store, &row);
	if (r < 0)
		return failure_set(why, r, "store", "%s",
			r == -ENOSPC ? "the disk that holds the state is full: free some space"
				     : "the sandbox could not be recorded");
	sandbox->stored = true;
	return 0;
}

static void on_expiry(struct loop_source *source _unused_, void *userdata)
{
	sandbox_end(userdata, "timeout", NULL, NULL);
}

int sandbox_arm_expiry(struct sandbox *sandbox)
{
	const uint64_t now_ns = clock_realtime_ns();
	uint64_t left_ms = 0;
	int r;

	if (sandbox->expires_ns == 0)
		return 0;
	if (sandbox->expires_ns > now_ns)
		left_ms = (sandbox->expires_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	r = loop_add_timer(sandbox->core->loop, on_expiry, sandbox, &sandbox->expiry);
	return r < 0 ? r : loop_timer_arm(sandbox->expiry, left_ms, 0);
}

void claim_undo(struct sandbox *sandbox)
{
	if (sandbox->stored)
		store_sandbox_end(sandbox->core->store, sandbox->id, sandbox->tenant->row.id,
			clock_realtime_ns(), NULL, 0);
	sandbox->stored = false;
	sandbox->tenant = NULL;
}

static void claim_failed(
	struct sandbox *sandbox, struct claim *claim, const struct failure *failure)
{
	struct refusal why;

	log_failure("claim", failure);
	refuse(&why, WIRE_CODE_UNAVAILABLE, "The sandbox could not be set up: %s: %s (%s).",
		failure->stage, failure->sentence, strerror(-failure->error));
	sandbox->core->counts.failed_starts++;
	shadow_end(sandbox);
	claim_undo(sandbox);
	claim_fail(claim, &why);
	sandbox_end(sandbox, "claim failed", NULL, NULL);
}

/* {"key": "value", …}; NULL without any. */
static json_t *labels_of(const struct sandbox *sandbox)
{
	json_t *labels = sandbox->n_labels ? json_object() : NULL;
	const char *label = sandbox->labels;

	for (uint32_t i = 0; i < sandbox->n_labels; i++, label += strlen(label) + 1) {
		const char *equals = strchr(label, '=');
		char key[WIRE_LABEL_BYTES_MAX];

		if (!equals)
			continue;
		snprintf(key, sizeof(key), "%.*s", (int)(equals - label), label);
		json_object_set_new(labels, key, audit_text(equals + 1, strlen(equals + 1)));
	}
	return labels;
}

/* Nothing runs that the log does not know of. */
static int record_begin(const struct sandbox *sandbox)
{
	struct core *core = sandbox->core;
	struct audit_subject subject;
	json_t *details = json_pack("{s:o*, s:s*, s:s, s:b, s:I, s:I, s:i, s:i, s:s}", "labels",
		labels_of(sandbox), "mode", effective_mode(sandbox->effective), "template",
		sandbox->template, "warm", sandbox->warm, "memory_bytes",
		(json_int_t)sandbox->limits.memory_bytes, "disk_bytes",
		(json_int_t)sandbox->limits.disk_bytes, "cpu_millis",
		(int)sandbox->limits.cpu_millis, "pids", (int)sandbox->limits.pids, "syscalls",
		policy_audit_word(&sandbox->effective->policy->audit));
	int r;

	if (sandbox->shadow_source != CANDIDATE_NONE)
		json_object_update_new(details, shadow_describe(sandbox));
	sandbox_subject(sandbox, &subject);
	if (sandbox->executables_by)
		json_object_set_new(
			details, "executables_by", json_string(sandbox->executables_by));
	r = audit_sandbox_begin(core->audit, &subject, details);
	if (r == 0)
		audit_policy_changed(core->audit);
	return r;
}

static void claim_done(struct sandbox *sandbox, struct claim *claim)
{
	struct core *core = sandbox->core;
	struct failure failure = {0};
	int r = remember(sandbox, &failure);

	if (r == 0) {
		shadow_begin(sandbox);
		r = record_begin(sandbox);
		if (r < 0)
			failure_set(&failure, r, "audit log", "its start cannot be recorded");
	}
	if (r < 0) {
		claim_failed(sandbox, claim, &failure);
		return;
	}
	sandbox->phase = PHASE_CLAIMED;
	usage_begin(sandbox);
	if (sandbox->warm)
		core->counts.warm_starts++;
	else
		core->counts.cold_starts++;
	core_count_create(core, clock_monotonic_ns() - claim->asked_ns);
	idle_watch(sandbox);
	claim->callback(sandbox, NULL, claim->userdata);
	claim_free(claim);
}

void claim_begin(struct sandbox *sandbox, struct claim *claim)
{
	struct failure failure = {0};
	int r = keep_strings(sandbox, claim);

	sandbox->phase = PHASE_CLAIMING;
	sandbox->tenant = claim->tenant;
	sandbox->limits = claim->request.limits;
	sandbox->created_ns = clock_realtime_ns();
	if (claim->request.timeout_ms > 0)
		sandbox->expires_ns = sandbox->created_ns + claim->request.timeout_ms * NS_PER_MS;
	if (r < 0)
		failure_set(&failure, r, "claim", "out of memory");
	if (r == 0)
		r = apply_limits(sandbox, &failure);
	if (r == 0)
		r = claim_set_files(sandbox, &failure);
	if (r == 0)
		r = apply_policy(sandbox, &failure);
	if (r == 0) {
		r = sandbox_arm_expiry(sandbox);
		if (r < 0)
			failure_set(&failure, r, "timeout", "no timer");
	}
	if (r < 0) {
		claim_failed(sandbox, claim, &failure);
		return;
	}
	if (sandbox->n_claim_answers > 0)
		sandbox->claim = claim;
	else
		claim_done(sandbox, claim);
}

void claim_answered(struct sandbox *sandbox, const char *stage, int error)
{
	struct failure failure = {0};

	if (!sandbox->claim || sandbox->n_claim_answers == 0)
		return;
	sandbox->n_claim_answers--;
	if (error < 0) {
		failure_set(&failure, error, stage, "PID 1 could not do its part");
		claim_failed(sandbox, steal_ptr(&sandbox->claim), &failure);
	} else if (sandbox->n_claim_answers == 0) {
		claim_done(sandbox, steal_ptr(&sandbox->claim));
	}
}

static bool template_is_there(const struct core *core, const char *name, struct refusal *why)
{
	const struct launch_template *templates;
	size_t n;

	templates = launch_templates(core->launch, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(templates[i].name, name) != 0)
			continue;
		if (!templates[i].available)
			refuse(why, WIRE_CODE_UNAVAILABLE, "Template \"%s\" is not available: %s",
				name, templates[i].reason);
		return templates[i].available;
	}
	refuse(why, WIRE_CODE_NOT_FOUND,
		"There is no template \"%s\". GET /v1/templates lists those there are.", name);
	return false;
}

static int admit(const struct core *core, const struct tenant *tenant, const char *template,
	struct refusal *why)
{
	if (core->stopping)
		return refuse(why, WIRE_CODE_UNAVAILABLE, "Cloche is shutting down.");
	if (!audit_is_writable(core->audit))
		return refuse(why, WIRE_CODE_UNAVAILABLE,
			"The audit log cannot be written (is its disk full?), so nothing new may "
			"start. "
			"What runs goes on.");
	if (tenant->row.n_sandboxes_max && tenant->n_sandboxes >= tenant->row.n_sandboxes_max)
		return refuse(why, WIRE_CODE_LIMIT,
			"Tenant \"%s\" has %u sandboxes, as many as it may have. Delete one first.",
			tenant->row.name, tenant->n_sandboxes);
	if (core->n_cold_starts >= COLD_STARTS_MAX)
		return refuse(why, WIRE_CODE_LIMIT,
			"%d cold starts are under way. Try again in a moment.", COLD_STARTS_MAX);
	return template_is_there(core, template, why) ? 0 : -ECANCELED;
}

static struct claim *claim_new(struct tenant *tenant, const struct wire_sandbox_create *request,
	const char *tail, size_t tail_size)
{
	struct claim *claim = calloc(1, sizeof(*claim));

	if (!claim)
		return NULL;
	claim->tail = malloc(tail_size + 1);
	if (!claim->tail) {
		free(claim);
		return NULL;
	}
	if (tail_size)
		memcpy(claim->tail, tail, tail_size);
	claim->tail_size = tail_size;
	claim->asked_ns = clock_monotonic_ns();
	claim->tenant = tenant;
	claim->request = *request;
	explicit_bzero(&claim->request.caller, sizeof(claim->request.caller));
	return claim;
}

static void hand_out(
	struct core *core, const char *template, struct claim *claim, struct effective *effective)
{
	struct sandbox *sandbox = pool_take(core->pool, template);
	struct refusal why;

	claim->tenant->n_sandboxes++;
	if (sandbox) {
		sandbox->warm = true;
		sandbox->effective = effective;
		claim_begin(sandbox, claim);
		return;
	}
	sandbox = sandbox_spawn(core, template, claim, &why);
	if (!sandbox) {
		effective_unref(effective);
		claim_fail(claim, &why);
		return;
	}
	core->n_cold_starts++;
	sandbox->counted_cold = true;
	sandbox->effective = effective;
}

void sandbox_create(struct core *core, struct tenant *tenant,
	const struct wire_sandbox_create *request, const char *tail, size_t tail_size,
	sandbox_created_callback callback, void *userdata)
{
	const char *template = request->template[0] ? request->template : "python";
	struct wire_sandbox_create settled = *request;
	struct effective *effective = NULL;
	struct refusal why;
	struct claim *claim;
	int r = admit(core, tenant, template, &why);

	if (r == 0)
		r = effective_get(core->policies, tenant->row.policy, template, request->policy,
			&effective, &why);
	if (r == 0)
		r = terms_settle(effective, &settled, tail, &why);
	claim = r == 0 ? claim_new(tenant, &settled, tail, tail_size) : NULL;
	explicit_bzero(&settled.caller, sizeof(settled.caller));
	if (r == 0 && !claim)
		r = refuse(&why, WIRE_CODE_INTERNAL, "Out of memory.");
	if (r < 0) {
		effective_unref(effective);
		callback(NULL, &why, userdata);
		return;
	}
	claim->callback = callback;
	claim->userdata = userdata;
	hand_out(core, template, claim, effective);
}
