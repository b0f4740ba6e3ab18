/* run, exec, code: a command in a sandbox, its output as it comes, its exit code passed on. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "tools/cloche/body.h"
#include "tools/cloche/call.h"
#include "tools/cloche/interrupt.h"
#include "tools/cloche/print.h"
#include "tools/cloche/stream.h"

/* After the command's own timeout the sandbox is deleted; if we are gone by then, it ends itself.
 */
#define RUN_GRACE_SECONDS 60

#define CODE_FILE_MAX (1U << 20)

static int command_stream(
	const struct client *client, const struct http_request *base, int interrupt_fd)
{
	_cleanup_(stream_command_fini) struct stream_command command = {
		.stdout_fd = STDOUT_FILENO, .stderr_fd = STDERR_FILENO};
	_cleanup_(stream_lines_fini) struct stream_lines lines = {
		.on_line = stream_on_command_line, .userdata = &command};
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	struct http_request request = *base;
	struct failure why = {0};
	char sentence[256];
	int r, code;

	request.accept = "application/x-ndjson";
	request.on_data = stream_on_data;
	request.userdata = &lines;
	request.interrupt_fd = interrupt_fd;
	r = http_send(client->http, &request, &answer, &why);
	if (r == -EINTR)
		return EXIT_CODE_SIGNAL + interrupt_take(interrupt_fd);
	if (r == -EPIPE && !why.sentence[0])
		return EXIT_CODE_SIGNAL + SIGPIPE;
	if (r == -EPROTO && !why.sentence[0])
		failure_set(&why, r, "stream", "The daemon's answer is not understood.");
	if (r < 0)
		return call_failed(client, &why);
	if (answer.status >= 300)
		return call_refused(client, &answer);
	if (command.stdout_truncated || command.stderr_truncated)
		print_error("%s was longer than the output limit; the rest was dropped.",
			command.stdout_truncated ? "Standard output" : "Standard error");
	if (!command.exit) {
		print_error("%s", command.problem[0]
					  ? command.problem
					  : "The daemon broke off before the command ended.");
		return EXIT_CODE_OWN;
	}
	code = stream_exit_code(command.exit, sentence, sizeof(sentence));
	if (sentence[0])
		print_error("%s", sentence);
	return code;
}

/* --json: one answer, printed as it came. */
static int command_whole(
	const struct client *client, const struct http_request *base, int interrupt_fd)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	_cleanup_json_ json_t *end = NULL;
	struct http_request request = *base;
	struct failure why = {0};
	char sentence[256];
	int r;

	request.interrupt_fd = interrupt_fd;
	r = http_send(client->http, &request, &answer, &why);
	if (r == -EINTR)
		return EXIT_CODE_SIGNAL + interrupt_take(interrupt_fd);
	if (r < 0)
		return call_failed(client, &why);
	if (answer.status >= 300)
		return call_refused(client, &answer);
	print_verbatim(answer.body, answer.size);
	if (answer.status == 202)
		return EXIT_CODE_DONE;
	end = json_loadb(answer.body, answer.size, JSON_ALLOW_NUL, NULL);
	return stream_exit_code(end, sentence, sizeof(sentence));
}

static int command_detached(const struct client *client, const char *path, json_t *body)
{
	_cleanup_json_ json_t *answer = NULL;
	int code = call_json(client, "POST", path, body, &answer);

	if (code == 0 && !client->json)
		printf("%s\n", print_member(answer, "exec_id"));
	return code;
}

static int command_send(
	const struct client *client, const char *path, json_t *body, int interrupt_fd)
{
	_cleanup_free_ char *text = json_dumps(body, JSON_COMPACT);
	struct http_request request = {.method = "POST", .path = path, .body = text};

	if (!text)
		return call_failed(client, &(struct failure){.error = -ENOMEM});
	return client->json ? command_whole(client, &request, interrupt_fd)
			    : command_stream(client, &request, interrupt_fd);
}

static int body_argv(json_t *body, const struct arguments *arguments, struct failure *why)
{
	json_t *argv = json_array();

	if (json_object_set_new(body, "argv", argv) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < arguments->n_rest; i++)
		if (json_array_append_new(argv, json_string(arguments->rest[i])) < 0)
			return failure_set(why, -EINVAL, "options",
				"Word %zu of the command is no UTF-8.", i + 1);
	return 0;
}

static void run_delete(const struct client *client, const char *path, const char *id)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	struct http_request request = {.method = "DELETE", .path = path, .interrupt_fd = -1};
	struct failure why = {0};

	if (http_send(client->http, &request, &answer, &why) < 0)
		print_error("%s Sandbox %s may be left: 'cloche rm %s'.", why.sentence, id, id);
	else if (answer.status >= 300 && answer.status != 404) /* 404: it ended by itself */
		call_refused(client, &answer);
}

/* Everything after the sandbox is there. The path is its own. */
static int run_inside(struct client *client, const struct arguments *arguments, json_t *body,
	const char *id, int interrupt_fd)
{
	char path[CALL_PATH_SIZE], exec_path[CALL_PATH_SIZE];
	int code;

	call_path(path, "/v1/sandboxes/", id, NULL);
	call_path(exec_path, "/v1/sandboxes/", id, "/exec", NULL);
	code = command_send(client, exec_path, body, interrupt_fd);
	if (arguments_flag(arguments, "keep"))
		print_error("Sandbox %s is kept: 'cloche rm %s' ends it.", id, id);
	else
		run_delete(client, path, id);
	return code;
}

int command_run(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *sandbox = NULL, *body = NULL, *answer = NULL;
	_cleanup_close_ int interrupt_fd = -1;
	struct client quiet = *client;
	struct failure why = {0};
	int code, r;

	if (arguments->n_words || !arguments->n_rest)
		return call_misused(client, "The command to run is written after \"--\".");
	sandbox = body_sandbox(arguments, &why);
	if (!sandbox || body_env(sandbox, arguments, &why) < 0)
		return call_failed(client, &why);
	if (!arguments_flag(arguments, "keep") &&
		body_timeout(sandbox, arguments, RUN_GRACE_SECONDS, &why) < 0)
		return call_failed(client, &why);
	body = body_command(arguments, &why);
	if (!body || body_argv(body, arguments, &why) < 0 ||
		body_timeout(body, arguments, 0, &why) < 0)
		return call_failed(client, &why);
	r = interrupt_open(&interrupt_fd);
	if (r < 0)
		return call_failed(client, &(struct failure){.error = r});
	/* Not interruptible: we would not know what to delete. A signal waits in the fd. */
	quiet.json = false;
	code = call_json(&quiet, "POST", "/v1/sandboxes", sandbox, &answer);
	if (code)
		return code;
	return run_inside(client, arguments, body, print_member(answer, "id"), interrupt_fd);
}

static json_t *exec_body(const struct arguments *arguments, struct failure *why)
{
	_cleanup_json_ json_t *body = body_command(arguments, why);

	if (!body || body_env(body, arguments, why) < 0 ||
		body_timeout(body, arguments, 0, why) < 0)
		return NULL;
	if (arguments_flag(arguments, "detach") &&
		json_object_set_new(body, "detach", json_true()) < 0)
		return NULL;
	return steal_ptr(&body);
}

int command_exec(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *body = NULL;
	char path[CALL_PATH_SIZE];
	const char *command = arguments_text(arguments, "shell");
	struct failure why = {0};

	if (arguments->n_words != 1)
		return call_misused(client, "exec wants the id of one sandbox.");
	if (!arguments->n_rest == !command)
		return call_misused(client, "exec wants a command after \"--\", or --shell TEXT.");
	body = exec_body(arguments, &why);
	if (!body)
		return call_failed(client, &why);
	if (command && json_object_set_new(body, "command", json_string(command)) < 0)
		return call_misused(client, "The command is no UTF-8.");
	if (!command && body_argv(body, arguments, &why) < 0)
		return call_failed(client, &why);
	if (call_path(path, "/v1/sandboxes/", arguments->words[0], "/exec", NULL) < 0)
		return call_misused(client, "That is no id.");
	if (arguments_flag(arguments, "detach"))
		return command_detached(client, path, body);
	return command_send(client, path, body, -1);
}

/* Reads the program: a file, or standard input for "-". */
static int code_read(json_t *body, const char *file, struct failure *why)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	bool from_stdin = strcmp(file, "-") == 0;
	int r;

	if (from_stdin) {
		_cleanup_json_ json_t *input = json_object();

		r = body_input(input, STDIN_FILENO, why);
		if (r < 0)
			return r;
		if (!json_object_get(input, "stdin"))
			return failure_set(why, -EINVAL, "code",
				"Standard input holds no program as UTF-8 text.");
		return json_object_set(body, "code", json_object_get(input, "stdin"));
	}
	r = fd_read_file_at(AT_FDCWD, file, CODE_FILE_MAX, &text, &size);
	if (r < 0)
		return failure_set(why, r, "code", "%s cannot be read: %s.", file, strerror(-r));
	if (memchr(text, '\0', size) ||
		json_object_set_new(body, "code", json_stringn(text, size)) < 0)
		return failure_set(why, -EINVAL, "code", "%s is no UTF-8 text.", file);
	return 0;
}

/* In a sandbox of its own, or in --sandbox ID. */
int command_code(struct client *client, const struct arguments *arguments)
{
	_cleanup_json_ json_t *body = NULL, *sandbox = NULL, *answer = NULL;
	_cleanup_close_ int interrupt_fd = -1;
	const char *language = arguments_text(arguments, "language");
	const char *id = arguments_text(arguments, "sandbox");
	char path[CALL_PATH_SIZE], code_path[CALL_PATH_SIZE];
	struct client quiet = *client;
	struct failure why = {0};
	int code;

	if (!language || arguments->n_words > 1 || arguments->n_rest)
		return call_misused(client, "code wants --language and at most one file.");
	body = json_object();
	if (code_read(body, arguments->n_words ? arguments->words[0] : "-", &why) < 0 ||
		json_object_set_new(body, "language", json_string(language)) < 0 ||
		body_env(body, arguments, &why) < 0 || body_timeout(body, arguments, 0, &why) < 0)
		return call_failed(client, &why);
	if (id) {
		if (call_path(code_path, "/v1/sandboxes/", id, "/code", NULL) < 0)
			return call_misused(client, "That is no id.");
		return command_send(client, code_path, body, -1);
	}
	sandbox = body_sandbox(arguments, &why);
	if (!sandbox || interrupt_open(&interrupt_fd) < 0)
		return call_failed(client, &why);
	if (!json_object_get(sandbox, "template"))
		json_object_set_new(sandbox, "template", json_string(language));
	quiet.json = false;
	code = call_json(&quiet, "POST", "/v1/sandboxes", sandbox, &answer);
	if (code)
		return code;
	id = print_member(answer, "id");
	call_path(path, "/v1/sandboxes/", id, NULL);
	call_path(code_path, "/v1/sandboxes/", id, "/code", NULL);
	code = command_send(client, code_path, body, interrupt_fd);
	run_delete(client, path, id);
	return code;
}
