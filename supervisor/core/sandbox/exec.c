/* Commands. cloched makes the pipes and keeps none of them: one end goes to PID 1 of the sandbox,
 * the other to whoever asked, so what a command writes never passes through this process. */
#include "supervisor/core/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/log.h"
#include "supervisor/core/sandbox/exec-message.h"
#include "supervisor/wire/exec-end.h"
#include "supervisor/wire/init.h"
#include "supervisor/wire/strings.h"

#define START_TIMEOUT_MS 10000
#define NOT_INSIDE 137 /* what a shell reports for a child that SIGKILL ended: 128 + 9 */

static void exec_free(struct exec *exec)
{
	table_take(exec->core->execs, exec->id);
	exec->sandbox->n_execs--;
	idle_watch(exec->sandbox);
	loop_source_free(exec->timeout);
	for (size_t i = 0; i < ARRAY_SIZE(exec->output_fds); i++)
		if (exec->output_fds[i] >= 0)
			close(exec->output_fds[i]);
	free(exec);
}

/* `ret_theirs` are the command's standard input, output and error. */
static int make_pipes(struct exec *exec, int ret_theirs[3])
{
	int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		if (i == 0 && !(exec->flags & WIRE_EXEC_STDIN)) {
			pipes[0][0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
			r = pipes[0][0] < 0 ? -errno : 0;
		} else if (i > 0 && (exec->flags & WIRE_EXEC_DETACH)) {
			pipes[i][1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
			r = pipes[i][1] < 0 ? -errno : 0;
		} else if (pipe2(pipes[i], O_CLOEXEC) < 0) {
			r = -errno;
		}
	}
	ret_theirs[0] = pipes[0][0];
	ret_theirs[1] = pipes[1][1];
	ret_theirs[2] = pipes[2][1];
	exec->output_fds[0] = pipes[1][0];
	exec->output_fds[1] = pipes[2][0];
	exec->output_fds[2] = pipes[0][1];
	return r;
}

/* PID 1 shares its memory with the command until that runs, so a hostile process with the command's
 * uid can stop both in that moment. A sandbox whose PID 1 does not answer has no use. */
static void on_silence(struct exec *exec)
{
	log_error("sb-%016lx: PID 1 did not start a command in %d ms",
		(unsigned long)exec->sandbox->id, START_TIMEOUT_MS);
	sandbox_end(exec->sandbox, "PID 1 does not answer", NULL, NULL);
}

static void on_timeout(struct loop_source *source _unused_, void *userdata)
{
	struct exec *exec = userdata;
	struct refusal why;

	if (!exec->started) {
		on_silence(exec);
		return;
	}
	exec->kill_end = WIRE_EXEC_END_TIMEOUT;
	exec_kill(exec, SIGKILL, &why);
}

static struct exec *exec_new(struct sandbox *sandbox, const struct wire_exec_start *request,
	const struct exec_callbacks *callbacks, void *userdata)
{
	struct core *core = sandbox->core;
	struct exec *exec = calloc(1, sizeof(*exec));

	if (!exec)
		return NULL;
	exec->core = core;
	exec->sandbox = sandbox;
	exec->id = core->next_exec++;
	exec->started_ns = clock_monotonic_ns();
	exec->flags = request->flags;
	exec->callbacks = *callbacks;
	exec->userdata = userdata;
	for (size_t i = 0; i < ARRAY_SIZE(exec->output_fds); i++)
		exec->output_fds[i] = -1;
	if (table_put(core->execs, exec->id, exec) < 0) {
		free(exec);
		return NULL;
	}
	sandbox->n_execs++;
	idle_watch(sandbox);
	return exec;
}

static int check_state(const struct sandbox *sandbox, struct refusal *why)
{
	switch (sandbox->phase) {
	case PHASE_CLAIMED:
	case PHASE_RUNNING:
		break;
	case PHASE_FAILED:
		return refuse(why, WIRE_CODE_CONFLICT,
			"The sandbox has failed: %s. Delete it and create "
			"another.",
			sandbox->reason);
	case PHASE_MAKING:
	case PHASE_WARM:
	case PHASE_CLAIMING:
	case PHASE_STOPPING:
		return refuse(why, WIRE_CODE_CONFLICT, "The sandbox is ending.");
	}
	if (sandbox->frozen)
		return refuse(why, WIRE_CODE_CONFLICT,
			"The sandbox is frozen: a record of it was lost, and its policy wants "
			"that. Delete it.");
	if (sandbox->n_execs >= WIRE_INIT_EXECS_MAX)
		return refuse(why, WIRE_CODE_LIMIT,
			"%d commands run in this sandbox, the most it may have at once.",
			WIRE_INIT_EXECS_MAX);
	return 0;
}

/* What was asked for; what the kernel started is a record of its own, process.exec. */
static void record_start(
	const struct exec *exec, const struct wire_exec_start *request, const char *tail)
{
	struct audit_subject subject;
	json_t *argv = json_array();
	char name[32];

	snprintf(name, sizeof(name), "ex-%016lx", (unsigned long)exec->id);
	for (uint32_t i = 0; i < request->argc; i++) {
		const char *word = wire_strings_next(&tail);

		json_array_append_new(argv, audit_text(word, strlen(word)));
	}
	sandbox_subject(exec->sandbox, &subject);
	audit_record(exec->core->audit, "exec.start", &subject,
		json_pack("{s:s, s:o, s:i, s:i, s:I}", "exec", name, "argv", argv, "uid",
			(int)request->uid, "gid", (int)request->gid, "timeout_ms",
			(json_int_t)request->timeout_ms));
}

static int ask_init(struct exec *exec, const struct wire_exec_start *request, const char *tail,
	struct refusal *why)
{
	int theirs[3] = {-1, -1, -1};
	int r = make_pipes(exec, theirs);

	if (r < 0)
		refuse(why, WIRE_CODE_UNAVAILABLE, "No pipes for the command: %s.", strerror(-r));
	else
		r = exec_message_send(exec, request, tail, theirs, why);
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		if (theirs[i] >= 0)
			close(theirs[i]);
	return r;
}

void exec_start(struct sandbox *sandbox, const struct wire_exec_start *request, const char *tail,
	const struct exec_callbacks *callbacks, void *userdata)
{
	struct core *core = sandbox->core;
	struct exec *exec = NULL;
	struct refusal why;
	int r = check_state(sandbox, &why);

	if (r == 0) {
		exec = exec_new(sandbox, request, callbacks, userdata);
		if (!exec)
			r = refuse(&why, WIRE_CODE_LIMIT,
				"%d commands run on this host, the most it may.", EXECS_MAX);
	}
	if (r == 0)
		r = ask_init(exec, request, tail, &why);
	if (r == 0)
		record_start(exec, request, tail);
	if (r == 0)
		r = loop_add_timer(core->loop, on_timeout, exec, &exec->timeout);
	if (r == 0) {
		exec->timeout_ms = request->timeout_ms;
		loop_timer_arm(exec->timeout, START_TIMEOUT_MS, 0);
	}
	if (r < 0) {
		if (exec)
			exec_free(exec);
		callbacks->refused(&why, userdata);
	}
}

struct exec *exec_find(const struct core *core, const struct tenant *tenant, uint64_t id)
{
	struct exec *exec = table_get(core->execs, id);

	return exec && (!tenant || exec->sandbox->tenant == tenant) ? exec : NULL;
}

int exec_kill(struct exec *exec, int signal, struct refusal *why)
{
	const struct wire_init_kill kill = {.signal = signal};
	int r;

	if (signal < 1 || signal > SIGRTMAX)
		return refuse(why, WIRE_CODE_INVALID, "There is no signal %d.", signal);
	r = exec->sandbox->init ? channel_send(exec->sandbox->init, WIRE_INIT_KILL, exec->id, &kill,
					  sizeof(kill), NULL, 0, NULL, 0)
				: -EPIPE;
	if (r < 0)
		return refuse(why, WIRE_CODE_CONFLICT, "The sandbox is ending.");
	if (signal == SIGKILL && !exec->kill_end)
		exec->kill_end = WIRE_EXEC_END_KILLED;
	return 0;
}

void exec_abandon(struct exec *exec)
{
	struct refusal why;

	exec->abandoned = true;
	if (!(exec->flags & WIRE_EXEC_DETACH))
		exec_kill(exec, SIGKILL, &why);
}

static void started(struct exec *exec, const struct wire_init_started *row)
{
	const struct wire_exec_started reply = {.exec = exec->id, .pid = row->pid};
	struct sandbox *sandbox = exec->sandbox;

	exec->started = true;
	loop_timer_disarm(exec->timeout);
	if (exec->timeout_ms > 0)
		loop_timer_arm(exec->timeout, exec->timeout_ms, 0);
	if (sandbox->phase == PHASE_CLAIMED) {
		sandbox->phase = PHASE_RUNNING;
		if (sandbox->stored)
			store_sandbox_set_state(
				exec->core->store, sandbox->id, WIRE_SANDBOX_RUNNING);
	}
	if (exec->abandoned)
		return;
	exec->callbacks.started(exec, &reply, exec->output_fds, exec->userdata);
	for (size_t i = 0; i < ARRAY_SIZE(exec->output_fds); i++)
		exec->output_fds[i] = -1;
}

/* The limits that were hit since the last command that ended: shared by those that ran together. */
static void read_limit_hits(struct sandbox *sandbox, bool *ret_oom, bool *ret_pids)
{
	uint64_t oom_kills, pids_hits;

	*ret_oom = *ret_pids = false;
	if (cgroup_read_limit_hits(&sandbox->cgroup, &oom_kills, &pids_hits) < 0)
		return;
	*ret_oom = oom_kills > sandbox->oom_kills_seen;
	*ret_pids = pids_hits > sandbox->pids_hits_seen;
	sandbox->oom_kills_seen = oom_kills;
	sandbox->pids_hits_seen = pids_hits;
}

static void settle_end(struct exec *exec, uint32_t status, struct wire_exec_exited *reply)
{
	bool oom, pids;

	read_limit_hits(exec->sandbox, &oom, &pids);
	reply->pids_limit_hit = pids;
	if (WIFSIGNALED(status)) {
		reply->end = WIRE_EXEC_END_SIGNAL;
		reply->signal = WTERMSIG(status);
		reply->code = -1;
	} else {
		reply->end = WIRE_EXEC_END_EXIT;
		reply->code = WEXITSTATUS(status);
	}
	if (exec->kill_end && reply->signal == SIGKILL)
		reply->end = exec->kill_end;
	else if (oom && (reply->signal == SIGKILL || reply->code == NOT_INSIDE))
		reply->end = WIRE_EXEC_END_OOM;
}

static void finish(struct exec *exec, const struct wire_exec_exited *reply)
{
	const char *end = wire_exec_end_name(reply->end);
	struct audit_subject subject;
	char name[32];

	snprintf(name, sizeof(name), "ex-%016lx", (unsigned long)exec->id);
	sandbox_subject(exec->sandbox, &subject);
	audit_record(exec->core->audit, "exec.end", &subject,
		json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:I}", "exec", name, "reason",
			end ? end : "unknown", "code", reply->code, "signal", reply->signal,
			"user_us", (json_int_t)reply->user_us, "system_us",
			(json_int_t)reply->system_us, "wall_us", (json_int_t)reply->wall_us));
	if (!exec->abandoned)
		exec->callbacks.exited(reply, exec->userdata);
	exec_free(exec);
}

static void exited(struct exec *exec, const struct wire_init_exited *row)
{
	struct wire_exec_exited reply = {.exec = exec->id,
		.user_us = row->user_us,
		.system_us = row->system_us,
		.max_rss_bytes = row->max_rss_bytes,
		.wall_us = row->wall_us};

	settle_end(exec, row->status, &reply);
	finish(exec, &reply);
}

static void refused(struct exec *exec, const struct wire_init_refused *row)
{
	struct refusal why;

	exec_message_explain(row, exec->sandbox->effective->policy, &why);
	if (!exec->abandoned)
		exec->callbacks.refused(&why, exec->userdata);
	exec_free(exec);
}

void exec_message(struct sandbox *sandbox, struct channel_message *message)
{
	struct exec *exec = table_get(sandbox->core->execs, message->header->cookie);

	/* Commands of an earlier cloched end too; nobody waits for them. */
	if (!exec && message->header->type == WIRE_INIT_EXITED && sandbox->n_earlier_execs > 0) {
		sandbox->n_earlier_execs--;
		idle_watch(sandbox);
	}
	if (!exec || exec->sandbox != sandbox)
		return;
	if (message->header->type == WIRE_INIT_STARTED &&
		message->body_size == sizeof(struct wire_init_started) && !exec->started)
		started(exec, message->body);
	else if (message->header->type == WIRE_INIT_EXITED &&
		 message->body_size == sizeof(struct wire_init_exited) && exec->started)
		exited(exec, message->body);
	else if (message->header->type == WIRE_INIT_REFUSED &&
		 message->body_size == sizeof(struct wire_init_refused) && !exec->started)
		refused(exec, message->body);
	else
		log_warning("sb-%016lx: a message about a command made no sense",
			(unsigned long)sandbox->id);
}

void exec_end_all(struct sandbox *sandbox)
{
	size_t position = 0;
	struct exec *exec;

	while (sandbox->n_execs > 0 && (exec = table_next(sandbox->core->execs, &position))) {
		struct wire_exec_exited reply = {.exec = exec->id,
			.end = WIRE_EXEC_END_SANDBOX,
			.code = -1,
			.signal = SIGKILL};
		struct refusal why;

		if (exec->sandbox != sandbox)
			continue;
		reply.wall_us = (clock_monotonic_ns() - exec->started_ns) / 1000;
		if (exec->started) {
			finish(exec, &reply);
			continue;
		}
		refuse(&why, WIRE_CODE_CONFLICT, "The sandbox ended before the command started.");
		if (!exec->abandoned)
			exec->callbacks.refused(&why, exec->userdata);
		exec_free(exec);
	}
}
