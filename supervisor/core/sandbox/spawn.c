/* Making a sandbox: cgroup, slot in the kernel's maps (deny all), then the spawner, then the
 * greeting of its PID 1. Only then does it count as there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/wire/init.h"

struct sandbox *sandbox_new(struct core *core, uint64_t id, const char *template)
{
	struct sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox)
		return NULL;
	sandbox->core = core;
	sandbox->id = id;
	sandbox->phase = PHASE_MAKING;
	sandbox->pidfd = -1;
	snprintf(sandbox->template, sizeof(sandbox->template), "%s", template);
	if (table_put(core->sandboxes, id, sandbox) < 0) {
		free(sandbox);
		return NULL;
	}
	return sandbox;
}

struct sandbox *sandbox_free(struct sandbox *sandbox)
{
	if (!sandbox)
		return NULL;
	table_take(sandbox->core->sandboxes, sandbox->id);
	channel_free(sandbox->init);
	loop_source_free(sandbox->pidfd_source);
	loop_source_free(sandbox->expiry);
	loop_source_free(sandbox->idle);
	if (sandbox->pidfd >= 0)
		close(sandbox->pidfd);
	names_free(sandbox->names);
	effective_unref(sandbox->shadow);
	free(sandbox->shadow_asked);
	effective_unref(sandbox->effective);
	claim_free(sandbox->claim);
	history_fini(&sandbox->history);
	free(sandbox->labels);
	free(sandbox->env);
	free(sandbox);
	return NULL;
}

static uint64_t new_id(struct core *core)
{
	uint64_t id = 0;

	while (id == 0 || table_get(core->sandboxes, id))
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			return 0;
	return id;
}

/* Undoes what sandbox_spawn() did for a sandbox that never came up. */
static void undo(struct sandbox *sandbox)
{
	struct core *core = sandbox->core;

	launch_forget(core->launch, sandbox->id);
	if (sandbox->has_slot)
		enforce_slot_release(core->enforce, sandbox->slot, sandbox->cgroup.id);
	if (sandbox->has_cgroup) {
		cgroup_kill(&sandbox->cgroup);
		if (cgroup_remove(&sandbox->cgroup) < 0)
			cgroup_fini(&sandbox->cgroup); /* the sweep takes the directory later */
	}
	sandbox_free(sandbox);
}

static void spawn_failed(struct sandbox *sandbox, const struct failure *failure)
{
	struct core *core = sandbox->core;
	struct claim *claim = steal_ptr(&sandbox->claim);
	char template[32];

	memcpy(template, sandbox->template, sizeof(template));
	core->counts.failed_starts++;
	log_failure("sandbox did not start", failure);
	sandbox_uncount_cold(sandbox);
	undo(sandbox);
	if (claim) {
		struct refusal why;

		refuse(&why, WIRE_CODE_UNAVAILABLE, "The sandbox did not start: %s: %s (%s).",
			failure->stage, failure->sentence, strerror(-failure->error));
		claim_fail(claim, &why);
	} else {
		pool_failed(core->pool, template);
	}
}

static void is_up(struct sandbox *sandbox)
{
	struct core *core = sandbox->core;

	sandbox->greeted = true;
	if (sandbox->phase != PHASE_MAKING) /* adopted after a restart */
		return;
	sandbox->phase = PHASE_WARM;
	if (sandbox->claim) {
		sandbox_uncount_cold(sandbox);
		claim_begin(sandbox, steal_ptr(&sandbox->claim));
	} else if (pool_put(core->pool, sandbox->template, sandbox) < 0) {
		sandbox_end(sandbox, "pool is full", NULL, NULL);
	}
}

static int on_message(
	struct channel *channel _unused_, struct channel_message *message, void *userdata)
{
	struct sandbox *sandbox = userdata;
	const struct wire_init_joined *joined = message->body;

	switch (message->header->type) {
	case WIRE_INIT_HELLO:
		if (message->body_size != sizeof(struct wire_init_hello) || sandbox->greeted)
			return -EPROTO;
		sandbox->n_earlier_execs =
			((const struct wire_init_hello *)message->body)->n_running;
		is_up(sandbox);
		return 0;
	case WIRE_INIT_JOINED:
	case WIRE_INIT_RESTRICTED:
		if (message->body_size != sizeof(*joined) || sandbox->phase != PHASE_CLAIMING)
			return -EPROTO;
		claim_answered(sandbox,
			message->header->type == WIRE_INIT_JOINED ? "memory limit" : "executables",
			joined->error);
		return 0;
	case WIRE_INIT_STARTED:
	case WIRE_INIT_EXITED:
	case WIRE_INIT_REFUSED:
		exec_message(sandbox, message);
		return 0;
	}
	return -EPROTO;
}

/* PID 1 went, or talks nonsense: in both cases nothing in the sandbox may live on. */
static void on_closed(struct channel *channel _unused_, int reason, void *userdata)
{
	struct sandbox *sandbox = userdata;

	if (reason < 0 &&
		sandbox->phase != PHASE_STOPPING) /* killed with a message unread: a reset */
		log_error("sb-%016lx: PID 1 broke the protocol: %s", (unsigned long)sandbox->id,
			strerror(-reason));
	cgroup_kill(&sandbox->cgroup);
}

static void on_pidfd(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	sandbox_died(userdata);
}

int sandbox_attach(struct sandbox *sandbox, const struct launch_result *result)
{
	struct core *core = sandbox->core;
	int r;

	sandbox->pid = result->pid;
	sandbox->pidfd = result->pidfd;
	r = channel_new(
		core->loop, result->init_socket, on_message, on_closed, sandbox, &sandbox->init);
	if (r < 0)
		return r;
	return loop_add_fd(
		core->loop, sandbox->pidfd, EPOLLIN, on_pidfd, sandbox, &sandbox->pidfd_source);
}

static void on_spawned(const struct launch_result *result, void *userdata)
{
	struct sandbox *sandbox = userdata;
	struct failure why = {0};
	int r;

	if (result->error < 0) {
		if (sandbox->phase == PHASE_STOPPING)
			sandbox_finish(sandbox);
		else
			spawn_failed(sandbox, &result->why);
		return;
	}
	r = sandbox_attach(sandbox, result);
	if (r == 0 && sandbox->phase == PHASE_STOPPING)
		cgroup_kill(&sandbox->cgroup);
	if (r < 0) {
		failure_set(&why, r, "attach", "cannot watch the new sandbox");
		spawn_failed(sandbox, &why);
	}
}

static int prepare(struct sandbox *sandbox, struct failure *why)
{
	struct core *core = sandbox->core;
	int r = cgroup_create(core->tree, sandbox->id, &sandbox->cgroup, why);

	if (r < 0)
		return r;
	sandbox->has_cgroup = true;
	r = enforce_slot_take(core->enforce, sandbox->cgroup.id, sandbox->id, &sandbox->slot);
	if (r < 0)
		return failure_set(why, r, "slot", "the kernel's table of %d sandboxes is full",
			ABI_SLOTS_MAX);
	sandbox->has_slot = true;
	sandbox->uid_first = LAUNCH_UID_FIRST_MIN + sandbox->slot * LAUNCH_UIDS_PER_SANDBOX;
	return launch_spawn(core->launch, sandbox->id, sandbox->template, &sandbox->cgroup,
		sandbox->uid_first, DISK_BYTES_DEFAULT, on_spawned, sandbox);
}

struct sandbox *sandbox_spawn(
	struct core *core, const char *template, struct claim *claim, struct refusal *why)
{
	struct failure failure = {0};
	struct sandbox *sandbox;
	int r;

	sandbox = sandbox_new(core, new_id(core), template);
	if (!sandbox) {
		refuse(why, WIRE_CODE_LIMIT, "The host has %d sandboxes, the most it may have.",
			SANDBOXES_MAX);
		return NULL;
	}
	r = prepare(sandbox, &failure);
	if (r < 0) {
		if (!failure.error)
			failure_set(&failure, r, "spawn", "the spawner cannot be asked");
		log_failure("sandbox did not start", &failure);
		core->counts.failed_starts++;
		refuse(why, WIRE_CODE_UNAVAILABLE, "The sandbox did not start: %s: %s (%s).",
			failure.stage, failure.sentence, strerror(-failure.error));
		undo(sandbox);
		return NULL;
	}
	sandbox->claim = claim;
	return sandbox;
}

int sandbox_spawn_for_pool(const char *template, void *userdata)
{
	struct refusal why;

	return sandbox_spawn(userdata, template, NULL, &why) ? 0 : -EAGAIN;
}
