/* The message that asks PID 1 of a sandbox to start a command, and its refusal in words. */
#pragma once

#include "supervisor/core/sandbox/sandbox.h"
#include "supervisor/wire/init.h"

/* Environment, weakest first: what every command gets, the sandbox's own, the request's. `theirs`:
 * the command's standard input, output and error, borrowed. */
int exec_message_send(struct exec *exec, const struct wire_exec_start *request, const char *tail,
	const int theirs[3], struct refusal *why);

/* `policy` is the one in force. */
void exec_message_explain(
	const struct wire_init_refused *row, const struct policy *policy, struct refusal *ret_why);
