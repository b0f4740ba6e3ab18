#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/http/server.h"
#include "api/http/stream.h"
#include "api/v1/exec.h"

struct exec *exec_new(struct request *request)
{
	struct exec *exec;

	if (!server_enter_exec(request->server)) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE,
			"too many commands run over HTTP at once; try again when some have ended");
		return NULL;
	}
	exec = calloc(1, sizeof(*exec));
	if (!exec) {
		server_leave_exec(request->server);
		respond_problem(request, WIRE_CODE_UNAVAILABLE, "out of memory; try again later");
		return NULL;
	}
	exec->server = request->server;
	exec->caller = request->caller;
	exec->form = request_form(request);
	exec->input_fd = -1;
	for (size_t i = 0; i < EXEC_N_STREAMS; i++) {
		exec->pipes[i].exec = exec;
		exec->pipes[i].fd = -1;
	}
	return exec;
}

struct exec *exec_free(struct exec *exec)
{
	if (!exec)
		return NULL;
	if (exec->request) {
		exec->request->ended = NULL;
		exec->request->context = NULL;
	}
	if (exec->cookie)
		calls_forget(server_calls(exec->server), exec->cookie);
	exec_output_close(exec);
	json_decref(exec->input_text);
	free(exec->input_bytes);
	server_leave_exec(exec->server);
	free(exec);
	return NULL;
}

static void kill_it(struct exec *exec)
{
	struct wire_exec_kill kill = {.caller = exec->caller, .exec = exec->id, .signal = SIGKILL};

	calls_tell(server_calls(exec->server), WIRE_API_EXEC_KILL, 0, &kill, sizeof(kill));
}

/* The request ended before the command. One that has not started yet is killed when it does. */
static void on_request_ended(struct request *request)
{
	struct exec *exec = request->context;

	exec->request = NULL;
	if (exec->detached || !exec->started)
		return;
	if (!exec->exited)
		kill_it(exec);
	exec_free(exec);
}

static int on_started(struct exec *exec, const struct answer *answer)
{
	const struct wire_exec_started *started = answer->body;
	size_t n_inputs = exec->input ? 1 : 0;
	int r;

	if (answer->size != sizeof(*started) || exec->started || answer->n_fds > n_inputs + 2 ||
		(!exec->detached && answer->n_fds != n_inputs + 2))
		return -EPROTO;
	exec->started = true;
	exec->id = started->exec;
	exec->pid = started->pid;
	if (!exec->request && !exec->detached) {
		kill_it(exec);
		exec_free(exec);
		return ANSWER_LAST;
	}
	r = exec_output_begin(exec, answer->fds, answer->n_fds);
	if (r == 0 && !exec->detached && exec->form != REQUEST_FORM_JSON)
		r = exec_stream_begin(exec);
	if (r < 0) {
		kill_it(exec);
		if (exec->request)
			respond_problem(exec->request, WIRE_CODE_UNAVAILABLE,
				"the command's output cannot be read; try again in a moment");
		exec_free(exec);
		return ANSWER_LAST;
	}
	if (exec->detached && exec->request) {
		exec_respond_detached(exec);
		exec->request->ended = NULL;
		exec->request = NULL;
	}
	return ANSWER_MORE;
}

static int on_exited(struct exec *exec, const struct answer *answer)
{
	const struct wire_exec_exited *end = answer->body;

	if (answer->size != sizeof(*end) || !exec->started || end->exec != exec->id ||
		end->end < WIRE_EXEC_END_EXIT || end->end > WIRE_EXEC_END_SANDBOX)
		return -EPROTO;
	exec->end = *end;
	exec->exited = true;
	exec->cookie = 0;
	exec_settle(exec);
	return ANSWER_LAST;
}

static int on_refused(struct exec *exec, const struct wire_api_error *error)
{
	exec->cookie = 0;
	if (exec->started)
		return -EPROTO;
	if (exec->request)
		respond_error(exec->request, error);
	exec_free(exec);
	return ANSWER_LAST;
}

static int on_answer(const struct answer *answer, void *userdata)
{
	struct exec *exec = userdata;

	if (answer->error)
		return on_refused(exec, answer->error);
	if (answer->type == WIRE_API_EXEC_STARTED)
		return on_started(exec, answer);
	if (answer->type == WIRE_API_EXEC_EXITED)
		return on_exited(exec, answer);
	return -EPROTO;
}

/* After the end: reads what is left; when all is read, tells the client and is gone. */
void exec_settle(struct exec *exec)
{
	if (!exec->exited || !exec_output_drain(exec))
		return;
	if (exec->request && exec->form == REQUEST_FORM_JSON)
		exec_respond_result(exec);
	else if (exec->request)
		exec_stream_end(exec);
	exec_free(exec);
}

void exec_start(struct request *request, struct exec_order *order)
{
	struct exec *exec = order->exec;
	struct question question = {.type = WIRE_API_EXEC_START,
		.body = &order->start,
		.body_size = sizeof(order->start),
		.tail = order->tail.bytes,
		.tail_size = order->tail.size,
		.callback = on_answer,
		.userdata = exec};

	order->start.caller = request->caller;
	order->start.sandbox = request->sandbox;
	if (calls_ask(server_calls(request->server), &question, &exec->cookie) < 0) {
		respond_problem(request, WIRE_CODE_UNAVAILABLE,
			"the supervisor cannot take the command now; try again in a moment");
		return;
	}
	exec->request = request;
	request->ends_with_client = !exec->detached;
	request->ended = on_request_ended;
	request->context = exec;
	order->exec = NULL;
}
