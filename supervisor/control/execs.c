#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/wire/strings.h"

#define ID_MAX 65534
#define ARGC_MAX 4096

static void on_started(
	struct exec *exec, const struct wire_exec_started *row, const int fds[3], void *userdata)
{
	struct request *request = userdata;
	int sent[3];
	size_t n_fds = 0;

	/* A detached command has no output to read, but may have input to be given. */
	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			sent[n_fds++] = fds[i];
	if (request->orphaned) {
		exec_abandon(exec);
		request_free(request);
	} else {
		request->exec = exec;
		request_send(request, WIRE_API_EXEC_STARTED, row, sizeof(*row), sent, n_fds);
	}
	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void on_refused(const struct refusal *why, void *userdata)
{
	request_refuse(userdata, why);
}

static void on_exited(const struct wire_exec_exited *row, void *userdata)
{
	request_answer(userdata, WIRE_API_EXEC_EXITED, row, sizeof(*row), NULL, 0);
}

static const struct exec_callbacks callbacks = {on_started, on_refused, on_exited};

static bool start_is_valid(const struct wire_exec_start *body, const char *tail, size_t tail_size)
{
	const char *cursor = tail;

	if (body->argc < 1 || body->argc > ARGC_MAX || body->n_env > ARGC_MAX ||
		body->uid > ID_MAX || body->gid > ID_MAX || tail_size > WIRE_ARGV_BYTES_MAX ||
		!wire_strings_valid(tail, tail_size, body->argc + body->n_env + 1))
		return false;
	for (uint32_t i = 0; i < body->argc; i++)
		wire_strings_next(&cursor);
	for (uint32_t i = 0; i < body->n_env; i++) {
		const char *text = wire_strings_next(&cursor);

		if (text[0] == '=' || !strchr(text, '='))
			return false;
	}
	return true;
}

void handle_exec_start(
	struct request *request, const void *body, const char *tail, size_t tail_size)
{
	const struct wire_exec_start *start = body;
	struct sandbox *sandbox =
		sandbox_find(request->control->core, request_scope(request), start->sandbox);

	if (!sandbox)
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no sandbox sb-%016lx, or it has ended.",
			(unsigned long)start->sandbox);
	else if (!start_is_valid(start, tail, tail_size))
		request_fail(request, WIRE_CODE_INVALID,
			"A command has 1 to %d arguments, env as name=value, uid and gid up to %d, "
			"in all "
			"at most %d bytes.",
			ARGC_MAX, ID_MAX, WIRE_ARGV_BYTES_MAX);
	else
		exec_start(sandbox, start, tail, &callbacks, request);
}

void handle_exec_kill(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_exec_kill *kill = body;
	struct exec *exec = exec_find(request->control->core, request_scope(request), kill->exec);
	struct refusal why;

	if (!exec)
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no command ex-%016lx, or it has ended.",
			(unsigned long)kill->exec);
	else if (exec_kill(exec, kill->signal, &why) < 0)
		request_refuse(request, &why);
	else
		request_done(request);
}
