/* POST /v1/sandboxes/{id}/exec, DELETE /v1/sandboxes/{id}/execs/{exec}: reading what is asked. */
#include "api/v1/exec.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/base64.h"
#include "api/v1/body.h"
#include "api/v1/ids.h"
#include "api/v1/routes.h"
#include "api/v1/signals.h"

#define ARGUMENTS_MAX 4096
#define VARIABLES_MAX 4096
#define CWD_BYTES_MAX 4095
#define ID_INSIDE_MAX 65534
#define ID_INSIDE_DEFAULT 1000
#define TIMEOUT_SECONDS_MAX (366 * 24 * 3600)

static void read_stdin(struct fields *fields, struct exec *exec)
{
	const json_t *text = fields_get(fields, "stdin");
	const char *base64;
	size_t size;

	if (text && !json_is_string(text)) {
		fields_refuse(fields, "stdin", "must be a string");
	} else if (text) {
		exec->input_text = json_incref((json_t *)text);
		exec->input = json_string_value(text);
		exec->input_size = json_string_length(text);
	}
	if (!fields_string(fields, "stdin_base64", &base64, &size))
		return;
	if (text) {
		fields_refuse(
			fields, "stdin_base64", "give either stdin or stdin_base64, not both");
		return;
	}
	exec->input_bytes = malloc(size / 4 * 3 + 1);
	if (!exec->input_bytes ||
		base64_decode(base64, size, exec->input_bytes, &exec->input_size) < 0) {
		fields_refuse(fields, "stdin_base64",
			"is not Base64; use the standard alphabet, padding and no line breaks");
		return;
	}
	exec->input = exec->input_bytes;
}

static void read_cwd(struct fields *fields, struct wire_strings *tail)
{
	const char *cwd = "";
	size_t size = 0;

	if (fields_string(fields, "cwd", &cwd, &size)) {
		if (cwd[0] != '/')
			fields_refuse(fields, "cwd", "must be a path that begins with \"/\"");
		if (size > CWD_BYTES_MAX)
			fields_refuse(fields, "cwd", "is %zu bytes long; at most %d are allowed",
				size, CWD_BYTES_MAX);
	}
	if (wire_strings_add(tail, cwd) < 0)
		fields_refuse(fields, "cwd", "is too long");
}

/* All members but those that say what to run; ends `fields`. */
static void read_options(struct fields *fields, struct exec_order *order)
{
	struct wire_exec_start *start = &order->start;
	struct exec *exec = order->exec;
	uint64_t number;
	bool flag;

	start->argc = order->tail.count;
	fields_pairs(fields, "env", "variable", VARIABLES_MAX, WIRE_ARGV_BYTES_MAX, &order->tail);
	start->n_env = order->tail.count - start->argc;
	read_cwd(fields, &order->tail);
	read_stdin(fields, exec);
	fields_thousandths(
		fields, "timeout_seconds", "seconds", TIMEOUT_SECONDS_MAX, &start->timeout_ms);
	start->uid = start->gid = ID_INSIDE_DEFAULT;
	if (fields_integer(fields, "uid", 0, ID_INSIDE_MAX, &number))
		start->uid = (uint32_t)number;
	if (fields_integer(fields, "gid", 0, ID_INSIDE_MAX, &number))
		start->gid = (uint32_t)number;
	if (fields_boolean(fields, "detach", &flag))
		exec->detached = flag;
	exec->output_limit = exec->form == REQUEST_FORM_JSON ? EXEC_OUTPUT_DEFAULT : SIZE_MAX;
	if (fields_integer(fields, "output_limit_bytes", 0, EXEC_OUTPUT_MAX, &number))
		exec->output_limit = (size_t)number;
	if (!fields_end(fields))
		return;
	if (exec->input)
		start->flags |= WIRE_EXEC_STDIN;
	if (exec->detached)
		start->flags |= WIRE_EXEC_DETACH;
	if (order->tail.size <= WIRE_ARGV_BYTES_MAX)
		return;
	fields_refuse(fields, NULL,
		"the command with env and cwd takes %zu bytes; at most %d are allowed: "
		"send the bulk as stdin",
		order->tail.size, WIRE_ARGV_BYTES_MAX);
	fields->error->code = WIRE_CODE_TOO_LARGE;
}

void exec_take(struct request *request,
	void (*read_program)(struct fields *fields, struct wire_strings *tail))
{
	_cleanup_json_ json_t *object = NULL;
	struct exec_order order = {.exec = NULL};
	struct wire_api_error error = {0};
	struct fields fields;

	if (!body_take_sandbox(request) || !body_parse(request, &object))
		return;
	order.exec = exec_new(request);
	if (!order.exec)
		return;
	fields_begin(&fields, object, "", &error);
	read_program(&fields, &order.tail);
	read_options(&fields, &order);
	if (body_accept(request, &error))
		exec_start(request, &order);
	exec_free(order.exec);
	wire_strings_fini(&order.tail);
}

static bool read_argument(struct fields *fields, const json_t *argument, struct wire_strings *tail)
{
	int r;

	if (!json_is_string(argument)) {
		fields_refuse(fields, "argv", "must be an array of strings only");
		return false;
	}
	r = wire_strings_add(tail, json_string_value(argument));
	if (r < 0) {
		fields_refuse(fields, "argv", "takes more than %d bytes; send the bulk as stdin",
			WIRE_ARGV_BYTES_MAX);
		fields->error->code = WIRE_CODE_TOO_LARGE;
	}
	return r == 0;
}

static void read_argv(struct fields *fields, const json_t *argv, struct wire_strings *tail)
{
	const json_t *argument;
	size_t i;

	if (!json_is_array(argv) || json_array_size(argv) == 0) {
		fields_refuse(fields, "argv",
			"must be an array of strings, the program first, as in [\"ls\", \"-l\"]");
		return;
	}
	if (json_array_size(argv) > ARGUMENTS_MAX) {
		fields_refuse(fields, "argv", "holds %zu arguments; at most %d are allowed",
			json_array_size(argv), ARGUMENTS_MAX);
		return;
	}
	argument = json_array_get(argv, 0);
	if (json_is_string(argument) && json_string_length(argument) == 0)
		fields_refuse(fields, "argv", "must name a program first");
	json_array_foreach(argv, i, argument) if (!read_argument(fields, argument, tail)) return;
}

static void read_command(struct fields *fields, struct wire_strings *tail)
{
	const json_t *argv = fields_get(fields, "argv");
	const char *command;
	size_t size;

	if (argv)
		read_argv(fields, argv, tail);
	if (!fields_string(fields, "command", &command, &size)) {
		if (!argv)
			fields_refuse(fields, NULL,
				"give \"argv\" (an array of strings) or \"command\" (text for the "
				"shell)");
		return;
	}
	if (argv) {
		fields_refuse(fields, "command", "give either argv or command, not both");
		return;
	}
	if (wire_strings_add(tail, "sh") < 0 || wire_strings_add(tail, "-c") < 0 ||
		wire_strings_add(tail, command) < 0) {
		fields_refuse(fields, "command", "takes %zu bytes; at most %d are allowed", size,
			WIRE_ARGV_BYTES_MAX);
		fields->error->code = WIRE_CODE_TOO_LARGE;
	}
}

void exec_run(struct request *request)
{
	exec_take(request, read_command);
}

static int on_killed(struct request *request, const struct answer *answer)
{
	if (answer->type != WIRE_API_DONE || answer->size != 0)
		return -EPROTO;
	respond_empty(request, 204);
	return ANSWER_LAST;
}

void exec_kill(struct request *request)
{
	static const char *const known[] = {"signal", NULL};
	struct wire_exec_kill kill = {.caller = request->caller, .signal = SIGKILL};
	const char *signal;

	if (!request_arguments_check(request, known, NULL) || !body_take_sandbox(request))
		return;
	if (!id_read_exec(request->parameters[1], &kill.exec)) {
		respond_problem(request, WIRE_CODE_NOT_FOUND,
			"\"%s\" is no command's id; ids look like ex-0123456789abcdef",
			request->parameters[1]);
		return;
	}
	signal = request_argument(request, "signal", 0);
	if (signal)
		kill.signal = signal_from_name(signal);
	if (kill.signal == 0) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"signal\" must be a signal's name, as in ?signal=SIGTERM");
		return;
	}
	request_ask(request, WIRE_API_EXEC_KILL, &kill, sizeof(kill), NULL, 0, on_killed);
}
