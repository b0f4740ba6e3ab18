/* The whole client against a daemon that is not one: a child that gives fixed answers on a unix
 * socket and keeps what it was asked. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "tests/harness/check.h"
#include "tools/cloche/dispatch.h"

#define TEXT_SIZE 16384

struct reply {
	const char *request; /* "GET /v1/sandboxes" */
	int status;
	const char *body;
	bool hold; /* keep the answer open until the client goes away */
};

/* What came of one run of the client. */
struct outcome {
	int code;
	char out[TEXT_SIZE], err[TEXT_SIZE];
	char asked[TEXT_SIZE]; /* one request after the other */
};

struct scene {
	const struct reply *replies; /* end with a zeroed row */
	char *const *argv;
	const char *input; /* standard input; NULL: empty */
	const char *key;   /* $CLOCHE_KEY; NULL: unset */
	int interrupt;     /* sent once the client has written something */
};

/* Reads one request with its body; returns its size, 0 at the end. */
static size_t request_read(int fd, char *text, size_t size)
{
	size_t used = 0, wanted = SIZE_MAX;

	while (used < wanted && used + 1 < size) {
		ssize_t n = read(fd, text + used, size - 1 - used);
		const char *end, *length;

		if (n <= 0)
			return 0;
		used += (size_t)n;
		text[used] = '\0';
		end = strstr(text, "\r\n\r\n");
		if (!end)
			continue;
		length = strcasestr(text, "\r\nContent-Length: ");
		wanted = (size_t)(end + 4 - text) +
			 (length && length < end ? (size_t)atol(length + 18) : 0);
	}
	return used;
}

static void reply_send(int fd, const struct reply *reply)
{
	char head[256], byte;

	snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\nConnection: close\r\n\r\n", reply->status);
	fd_write_all(fd, head, strlen(head));
	if (reply->body)
		fd_write_all(fd, reply->body, strlen(reply->body));
	while (reply->hold && read(fd, &byte, 1) > 0)
		;
}

static _Noreturn void server_run(int listen_fd, int asked_fd, const struct reply *replies)
{
	static const struct reply missing = {.status = 404};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		_cleanup_close_ int fd = accept(listen_fd, NULL, NULL);
		const struct reply *reply = replies;
		char text[TEXT_SIZE];
		size_t size = request_read(fd, text, sizeof(text));

		if (size == 0)
			continue;
		fd_write_all(asked_fd, text, size);
		fd_write_all(asked_fd, "\n", 1);
		while (reply->request &&
			(strncmp(text, reply->request, strlen(reply->request)) != 0 ||
				text[strlen(reply->request)] != ' '))
			reply++;
		reply_send(fd, reply->request ? reply : &missing);
	}
}

static int server_listen(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		listen(fd, 8) == 0);
	return fd;
}

static _Noreturn void client_run(
	const struct scene *scene, const char *socket, int in, int out, int err)
{
	char url[256];
	int argc = 0;

	snprintf(url, sizeof(url), "unix://%s", socket);
	setenv("CLOCHE_URL", url, 1);
	setenv("CLOCHE_STATE_DIR", "/nonexistent", 1);
	unsetenv("CLOCHE_KEY");
	if (scene->key)
		setenv("CLOCHE_KEY", scene->key, 1);
	while (scene->argv[argc])
		argc++;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	exit(dispatch(argc, scene->argv));
}

static void text_load(int fd, char text[TEXT_SIZE])
{
	ssize_t n = pread(fd, text, TEXT_SIZE - 1, 0);

	text[n > 0 ? n : 0] = '\0';
}

/* Reads standard output to its end; the interrupt goes out after the first bytes. */
static void output_read(const struct scene *scene, pid_t client, int fd, char text[TEXT_SIZE])
{
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, text + used, TEXT_SIZE - 1 - used)) > 0) {
		if (used == 0 && scene->interrupt)
			kill(client, scene->interrupt);
		used += (size_t)n;
	}
	text[used] = '\0';
}

static struct outcome *scene_play(const struct scene *scene)
{
	static struct outcome outcome;
	_cleanup_close_ int asked = memfd_create("asked", MFD_CLOEXEC);
	_cleanup_close_ int err = memfd_create("err", MFD_CLOEXEC);
	_cleanup_close_ int in = memfd_create("in", MFD_CLOEXEC);
	_cleanup_close_ int listen_fd = -1;
	char directory[] = "/tmp/cloche-cli-XXXXXX", socket[64];
	pid_t server, client;
	int out[2], status;

	CHECK(mkdtemp(directory));
	snprintf(socket, sizeof(socket), "%s/api.sock", directory);
	if (scene->input)
		fd_write_all(in, scene->input, strlen(scene->input));
	lseek(in, 0, SEEK_SET);
	fflush(NULL);
	listen_fd = server_listen(socket);
	server = fork();
	if (server == 0)
		server_run(listen_fd, asked, scene->replies);
	/* only now: the server must not hold the pipe open */
	CHECK(pipe2(out, O_CLOEXEC) == 0);
	client = fork();
	if (client == 0)
		client_run(scene, socket, in, out[1], err);
	close(out[1]);
	output_read(scene, client, out[0], outcome.out);
	close(out[0]);
	waitpid(client, &status, 0);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(socket);
	rmdir(directory);
	outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
	text_load(err, outcome.err);
	text_load(asked, outcome.asked);
	return &outcome;
}

#define ARGV(...) ((char *[]){"cloche", __VA_ARGS__, NULL})
#define CREATED                                                                                    \
	{                                                                                          \
		"POST /v1/sandboxes", 201, "{\"id\":\"sb-1\",\"warm\":true}", false                \
	}
#define DELETED                                                                                    \
	{                                                                                          \
		"DELETE /v1/sandboxes/sb-1", 204, NULL, false                                      \
	}
#define EXEC "POST /v1/sandboxes/sb-1/exec"
#define KEY "clo_00000000_1111"

static void check_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		CHECK_FAIL("\"%s\" is not in \"%.800s\"", part, text);
}

static void check_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		CHECK_FAIL("\"%s\" is in \"%.800s\"", part, text);
}

TEST(cli_run_passes_output_and_exit_code_and_deletes)
{
	const struct reply replies[] = {CREATED, DELETED,
		{EXEC, 200,
			"{\"type\":\"start\",\"exec_id\":\"ex-1\",\"pid\":2}\n"
			"{\"type\":\"stdout\",\"data\":\"out\\n\",\"encoding\":\"utf-8\"}\n"
			"{\"type\":\"stderr\",\"data\":\"err\\n\",\"encoding\":\"utf-8\"}\n"
			"{\"type\":\"exit\",\"reason\":\"exited\",\"exit_code\":7,\"signal\":null}"
			"\n",
			false},
		{0}};
	struct outcome *o = scene_play(&(struct scene){.replies = replies,
		.key = KEY,
		.argv = ARGV("run", "--template", "shell", "--env", "A=1", "--label", "k=v",
			"--memory", "64MiB", "--cpu", "1.5", "--pids", "9", "--timeout", "5", "--",
			"sh", "-c", "x")});

	CHECK_TEXT(o->out, "out\n");
	CHECK_TEXT(o->err, "err\n");
	CHECK_INT(o->code, 7);
	check_has(o->asked,
		"{\"template\":\"shell\",\"labels\":{\"k\":\"v\"},\"limits\":{\"memory\":"
		"\"64MiB\",\"cpu\":1.5,\"pids\":9},\"env\":{\"A\":\"1\"},\"timeout_seconds\":65}");
	check_has(o->asked, "\"argv\":[\"sh\",\"-c\",\"x\"],\"timeout_seconds\":5}");
	check_has(o->asked, "Accept: application/x-ndjson\r\n");
	check_has(o->asked, "Authorization: Bearer " KEY "\r\n");
	check_has(o->asked, "DELETE /v1/sandboxes/sb-1 ");
}

TEST(cli_run_keeps_the_sandbox_when_told_to)
{
	const struct reply replies[] = {CREATED, DELETED,
		{EXEC, 200, "{\"type\":\"exit\",\"reason\":\"exited\",\"exit_code\":0}\n", false},
		{0}};
	struct outcome *o = scene_play(
		&(struct scene){.replies = replies, .argv = ARGV("run", "--keep", "--", "true")});

	CHECK_INT(o->code, 0);
	check_has(o->err, "cloche rm sb-1");
	check_lacks(o->asked, "DELETE");
}

TEST(cli_run_deletes_when_the_answer_breaks_off)
{
	const struct reply replies[] = {CREATED, DELETED,
		{EXEC, 200, "{\"type\":\"start\",\"exec_id\":\"ex-1\",\"pid\":2}\n", false}, {0}};
	struct outcome *o =
		scene_play(&(struct scene){.replies = replies, .argv = ARGV("run", "--", "true")});

	CHECK_INT(o->code, 125);
	check_has(o->err, "broke off before the command ended");
	check_has(o->asked, "DELETE /v1/sandboxes/sb-1 ");
}

TEST(cli_run_deletes_when_interrupted)
{
	const struct reply replies[] = {CREATED, DELETED,
		{EXEC, 200, "{\"type\":\"stdout\",\"data\":\"on\\n\",\"encoding\":\"utf-8\"}\n",
			true},
		{0}};
	struct outcome *o = scene_play(&(struct scene){.replies = replies,
		.interrupt = SIGTERM,
		.argv = ARGV("run", "--", "sleep", "1000")});

	CHECK_INT(o->code, 128 + SIGTERM);
	CHECK_TEXT(o->out, "on\n");
	check_has(o->asked, "DELETE /v1/sandboxes/sb-1 ");
}

TEST(cli_run_tells_a_command_that_cannot_start)
{
	const struct reply replies[] = {CREATED, DELETED,
		{EXEC, 422,
			"{\"type\":\"urn:cloche:error:command\",\"title\":\"Command\",\"status\":"
			"422,"
			"\"detail\":\"nosuch is not in PATH.\"}",
			false},
		{0}};
	struct outcome *o = scene_play(
		&(struct scene){.replies = replies, .argv = ARGV("run", "--", "nosuch")});

	CHECK_INT(o->code, 127);
	CHECK_TEXT(o->err, "cloche: nosuch is not in PATH.\n");
	check_has(o->asked, "DELETE /v1/sandboxes/sb-1 ");
}

TEST(cli_exec_passes_standard_input_as_text_or_base64)
{
	const struct reply replies[] = {
		{EXEC, 200, "{\"type\":\"exit\",\"reason\":\"exited\",\"exit_code\":0}\n", false},
		{0}};
	struct scene scene = {
		.replies = replies, .input = "line\n", .argv = ARGV("exec", "sb-1", "--", "cat")};

	check_has(scene_play(&scene)->asked, "\"stdin\":\"line\\n\"");
	scene.input = "\xff";
	check_has(scene_play(&scene)->asked, "\"stdin_base64\":\"/w==\"");
	scene.input = NULL;
	check_lacks(scene_play(&scene)->asked, "stdin");
	scene.input = "line\n";
	scene.argv = ARGV("exec", "sb-1", "--no-stdin", "--", "cat");
	check_lacks(scene_play(&scene)->asked, "stdin");
}

TEST(cli_code_sends_a_program_from_standard_input)
{
	const struct reply replies[] = {CREATED, DELETED,
		{"POST /v1/sandboxes/sb-1/code", 200,
			"{\"type\":\"exit\",\"reason\":\"exited\",\"exit_code\":0}\n", false},
		{0}};
	struct outcome *o = scene_play(&(struct scene){.replies = replies,
		.input = "print(1)\n",
		.argv = ARGV("code", "--language", "python", "-")});

	CHECK_INT(o->code, 0);
	check_has(o->asked, "{\"code\":\"print(1)\\n\",\"language\":\"python\"}");
	check_has(o->asked, "{\"template\":\"python\"}");
	check_has(o->asked, "DELETE /v1/sandboxes/sb-1 ");
}

TEST(cli_prints_the_detail_of_a_problem)
{
	const struct reply replies[] = {
		{"GET /v1/sandboxes/sb-9", 404,
			"{\"type\":\"urn:cloche:error:not-found\",\"title\":\"Not "
			"found\",\"status\":404,"
			"\"detail\":\"There is no sandbox sb-9; 'cloche ls' lists them.\"}",
			false},
		{0}};
	struct outcome *o =
		scene_play(&(struct scene){.replies = replies, .argv = ARGV("get", "sb-9")});

	CHECK_INT(o->code, 1);
	CHECK_TEXT(o->err, "cloche: There is no sandbox sb-9; 'cloche ls' lists them.\n");
}

TEST(cli_set_puts_a_sandbox_under_another_policy)
{
	static const char row[] = "{\"id\":\"sb-1\",\"policy\":{\"name\":\"web\",\"generation\":4,"
				  "\"hash\":\"0123456789abcdefXYZ\"}}";
	const struct reply replies[] = {{"PATCH /v1/sandboxes/sb-1", 200, row, false}, {0}};
	struct scene scene = {.replies = replies, .argv = ARGV("set", "sb-1", "--policy", "web")};
	struct outcome *o = scene_play(&scene);

	CHECK_INT(o->code, 0);
	check_has(o->asked, "\r\n\r\n{\"policy\":\"web\"}");
	check_has(o->out, "web, generation 4, 0123456789abcdef…\n");
	scene.argv = ARGV("set", "sb-1", "--policy", "web", "--json");
	o = scene_play(&scene);
	CHECK_INT(strncmp(o->out, row, strlen(row)), 0);
	scene.argv = ARGV("set", "sb-1");
	o = scene_play(&scene);
	CHECK_INT(o->code, 2);
	CHECK_TEXT(o->asked, "");
	scene.argv = ARGV("set", "sb-2", "--policy", "web");
	CHECK_INT(scene_play(&scene)->code, 1);
}

TEST(cli_port_prints_a_url)
{
	const struct reply replies[] = {
		{"GET /v1/sandboxes/sb-1/ports/8000", 200,
			"{\"url\":\"/v1/sandboxes/sb-1/ports/8000/\",\"port\":8000,\"open\":false}",
			false},
		{0}};
	struct scene scene = {.replies = replies, .argv = ARGV("port", "sb-1", "8000")};
	struct outcome *o = scene_play(&scene);

	CHECK_INT(o->code, 0);
	check_has(o->out, "/v1/sandboxes/sb-1/ports/8000/\n");
	check_has(o->err, "Nothing listens");
	scene.argv = ARGV("port", "sb-1");
	CHECK_INT(scene_play(&scene)->code, 2);
	scene.argv = ARGV("port", "sb-1", "9");
	CHECK_INT(scene_play(&scene)->code, 1);
}

TEST(cli_says_where_the_key_was_looked_for)
{
	const struct reply replies[] = {
		{"GET /v1/templates", 401, "{\"detail\":\"A key is needed.\"}", false}, {0}};
	struct scene scene = {.replies = replies, .argv = ARGV("templates")};
	struct outcome *o = scene_play(&scene);

	CHECK_INT(o->code, 1);
	CHECK_TEXT(o->err,
		"cloche: A key is needed.\ncloche: No key was found: --key-file is not given, "
		"$CLOCHE_KEY is not set, and /nonexistent/admin.key: No such file or directory.\n");
	scene.key = KEY;
	o = scene_play(&scene);
	check_has(o->err, "The key came from $CLOCHE_KEY.");
}

TEST(cli_puts_no_second_header_into_a_request)
{
	const struct reply replies[] = {{0}};
	struct outcome *o = scene_play(&(struct scene){
		.replies = replies, .key = "clo\tX-Evil: 1", .argv = ARGV("templates")});

	CHECK_INT(o->code, 1);
	check_has(o->err, "What is in $CLOCHE_KEY is no key");
	CHECK_TEXT(o->asked, "");
}

TEST(cli_says_which_socket_was_tried)
{
	const struct reply replies[] = {{0}};
	struct outcome *o = scene_play(&(struct scene){
		.replies = replies, .argv = ARGV("ls", "--url", "unix:///nonexistent/api.sock")});

	CHECK_INT(o->code, 1);
	CHECK_TEXT(o->out, "");
	CHECK_TEXT(o->err,
		"cloche: No Cloche daemon answers at /nonexistent/api.sock (No such file or "
		"directory). Start it with 'systemctl start cloche' or 'sudo cloched', or say "
		"where it is "
		"with --url or $CLOCHE_URL.\n");
}

TEST(cli_lists_all_pages_in_aligned_columns)
{
	const struct reply replies[] = {
		{"GET /v1/sandboxes?label=a%3Db%26c&limit=100", 200,
			"{\"sandboxes\":[{\"id\":\"sb-1\","
			"\"state\":\"running\",\"template\":\"python\",\"tenant\":\"acme\","
			"\"policy\":{\"name\":"
			"\"deny-all\"},\"labels\":{\"x\":\"y\"},\"limits\":{\"memory_bytes\":"
			"1048576},"
			"\"created_at\":\"2026-11-21T21:40:00Z\"}],\"next_cursor\":\"n\"}",
			false},
		{"GET /v1/sandboxes?label=a%3Db%26c&limit=100&cursor=n", 200,
			"{\"sandboxes\":[{\"id\":\"sb-22\"}],\"next_cursor\":null}", false},
		{0}};
	struct outcome *o = scene_play(
		&(struct scene){.replies = replies, .argv = ARGV("ls", "--label", "a=b&c")});

	CHECK_INT(o->code, 0);
	CHECK_TEXT(o->out,
		"ID     STATE    TEMPLATE  TENANT  POLICY     MEMORY  CREATED (UTC)        LABELS\n"
		"sb-1   running  python    acme    deny-all  1.0 MiB  2026-11-21 21:40:00  x=y\n"
		"sb-22  -        -         -       -             0 B  -                    -\n");
}

TEST(cli_json_is_what_the_api_said)
{
	const struct reply replies[] = {
		{"GET /v1/usage", 200, "{ \"tenant\":\"acme\",\"usage\":{\"cpu_ns\":1}}", false},
		{0}};
	struct outcome *o =
		scene_play(&(struct scene){.replies = replies, .argv = ARGV("--json", "usage")});

	CHECK_INT(o->code, 0);
	CHECK_TEXT(o->out, "{ \"tenant\":\"acme\",\"usage\":{\"cpu_ns\":1}}\n");
}

TEST(cli_usage_shows_budgets)
{
	const struct reply replies[] = {
		{"GET /v1/sandboxes/sb-1/usage", 200,
			"{\"sandbox\":\"sb-1\",\"ended\":false,\"usage\":{},\"budgets\":{"
			"\"bytes_out\":{\"limit\":1048576,\"used\":1048576},"
			"\"connections\":{\"limit\":1000,\"used\":12},\"per_seconds\":60}}",
			false},
		{0}};
	struct outcome *o =
		scene_play(&(struct scene){.replies = replies, .argv = ARGV("usage", "sb-1")});

	CHECK_INT(o->code, 0);
	CHECK(strstr(o->out, "budget sent         1.0 MiB of 1.0 MiB per "));
	CHECK(strstr(o->out, "budget connections  12 of 1"));
	CHECK(!strstr(o->out, "DNS queries"));
}

TEST(cli_encodes_what_goes_into_a_path)
{
	const struct reply replies[] = {
		{"DELETE /v1/sandboxes/..%2Ftenants%2Facme", 404, NULL, false}, {0}};
	struct outcome *o = scene_play(
		&(struct scene){.replies = replies, .argv = ARGV("rm", "../tenants/acme")});

	CHECK_INT(o->code, 1);
	check_has(o->asked, "DELETE /v1/sandboxes/..%2Ftenants%2Facme HTTP/1.1");
}

TEST(cli_events_end_with_what_was_there_at_the_start)
{
	const struct reply replies[] = {{"GET /v1/events?after=0&sandbox=sb-1&limit=1000", 200,
						"{\"seq\":4,\"type\":\"a.b\",\"time\":\"2020-01-"
						"01T00:00:00.000Z\",\"x\":\"\\u001b[2J\"}\n",
						false},
		{"GET /v1/events?after=4&sandbox=sb-1&limit=1000", 200,
			"{\"seq\":5,\"type\":\"api.call\",\"time\":\"2999-01-01T00:00:00.000Z\"}\n",
			false},
		{0}};
	struct outcome *o =
		scene_play(&(struct scene){.replies = replies, .argv = ARGV("logs", "sb-1")});

	CHECK_INT(o->code, 0);
	check_has(o->out, "x=\\x1b[2J\n");
	check_has(o->out, "api.call");
	check_lacks(o->asked, "after=5");
}

TEST(cli_key_create_prints_only_the_key)
{
	const struct reply replies[] = {
		{"POST /v1/keys", 201, "{\"id\":\"ck_1\",\"key\":\"" KEY "\"}", false}, {0}};
	struct outcome *o = scene_play(&(struct scene){
		.replies = replies, .argv = ARGV("key", "create", "--tenant", "acme")});

	CHECK_INT(o->code, 0);
	CHECK_TEXT(o->out, KEY "\n");
	check_has(o->asked, "{\"tenant\":\"acme\"}");
}

TEST(cli_tenant_set_sends_budgets_as_they_are_written)
{
	const struct reply replies[] = {
		{"PATCH /v1/tenants/acme", 200, "{\"name\":\"acme\"}", false}, {0}};
	struct outcome *o = scene_play(&(struct scene){.replies = replies,
		.argv = ARGV("tenant", "set", "acme", "--budget", "connections=5", "--budget",
			"bytes_out=1GiB", "--budget=per=1h")});

	CHECK_INT(o->code, 0);
	CHECK_TEXT(o->out, "acme\n");
	check_has(o->asked,
		"{\"budgets\":{\"connections\":5,\"bytes_out\":\"1GiB\",\"per\":\"1h\"}}");
	o = scene_play(&(struct scene){
		.replies = replies, .argv = ARGV("tenant", "set", "acme", "--no-budgets")});
	CHECK_INT(o->code, 0);
	check_has(o->asked, "{\"budgets\":null}");
}

TEST(cli_help_and_mistakes_need_no_daemon)
{
	const struct {
		char *const *argv;
		int code;
		const char *out, *err;
	} rows[] = {
		{(char *[]){"cloche", "--help", NULL}, 0, "policy reload", ""},
		{(char *[]){"cloche", "run", "--help", NULL}, 0, "--memory SIZE", ""},
		{(char *[]){"cloche", "help", "exec", NULL}, 0, "cloche exec ID", ""},
		{(char *[]){"cloche", "version", NULL}, 0, "cloche 0.", ""},
		{(char *[]){"cloche", "policy", NULL}, 2, "", "policy show"},
		{(char *[]){"cloche", "policy", "nosuch", NULL}, 2, "",
			"There is no command \"policy nosuch\"."},
		{(char *[]){"cloche", "nosuch", NULL}, 2, "", "There is no command \"nosuch\"."},
		{(char *[]){"cloche", "ls", "--nosuch", NULL}, 2, "",
			"There is no option --nosuch."},
		{(char *[]){"cloche", "run", "ls", NULL}, 125, "", "after \"--\""},
	};
	const struct reply replies[] = {{0}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome *o =
			scene_play(&(struct scene){.replies = replies, .argv = rows[i].argv});

		CHECK_INT(o->code, rows[i].code);
		check_has(o->out, rows[i].out);
		check_has(o->err, rows[i].err);
		CHECK_TEXT(o->asked, "");
	}
}
