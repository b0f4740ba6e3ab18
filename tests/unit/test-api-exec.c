/* exec and code with an answer at the end: pipes, ends, limits, and clients that leave. */
#include "supervisor/wire/strings.h"
#include "tests/harness/check.h"
#include "tests/harness/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD "{\"exec_id\":\"ex-000000000000001a\",\"pid\":7,"

TEST(sends_every_member_of_a_command)
{
	const struct wire_exec_start *start;
	const char *tail;

	command_begin("", "{\"argv\":[\"ls\",\"-l\"],\"cwd\":\"/tmp\",\"env\":{\"A\":\"1\"},"
			  "\"timeout_seconds\":2,\"uid\":0,\"gid\":65534}");
	start = (const void *)command.question.body;
	CHECK_INT(start->sandbox, 0xab);
	CHECK_INT(start->timeout_ms, 2000);
	CHECK_INT(start->uid, 0);
	CHECK_INT(start->gid, 65534);
	CHECK_INT(start->argc, 2);
	CHECK_INT(start->n_env, 1);
	CHECK_INT(start->flags, 0);
	tail = (const char *)(start + 1);
	CHECK(wire_strings_valid(tail, command.question.size - sizeof(*start), 4));
	CHECK_TEXT(wire_strings_next(&tail), "ls");
	CHECK_TEXT(wire_strings_next(&tail), "-l");
	CHECK_TEXT(wire_strings_next(&tail), "A=1");
	CHECK_TEXT(wire_strings_next(&tail), "/tmp");
	command_started(false);
	command_writes(command.out, "out \"quoted\"\n");
	command_writes(command.err, "err\n");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT,
		.code = 3,
		.user_us = 1,
		.system_us = 2,
		.wall_us = 3,
		.max_rss_bytes = 4096,
		.pids_limit_hit = 1});
	command_reads(200, HEAD
		"\"exit_code\":3,\"signal\":null,\"reason\":\"exited\","
		"\"stdout\":\"out \\\"quoted\\\"\\n\",\"stderr\":\"err\\n\","
		"\"stdout_encoding\":\"utf-8\",\"stderr_encoding\":\"utf-8\","
		"\"stdout_truncated\":false,\"stderr_truncated\":false,\"pids_limit_hit\":true,"
		"\"usage\":{\"user_us\":1,\"system_us\":2,\"wall_us\":3,\"max_rss_bytes\":4096}}");
	command_end();
}

TEST(runs_shell_text_and_defaults)
{
	const struct wire_exec_start *start;
	const char *tail;

	command_begin("", "{\"command\":\"echo hi\"}");
	start = (const void *)command.question.body;
	CHECK_INT(start->uid, 1000);
	CHECK_INT(start->gid, 1000);
	CHECK_INT(start->argc, 3);
	tail = (const char *)(start + 1);
	CHECK_TEXT(wire_strings_next(&tail), "sh");
	CHECK_TEXT(wire_strings_next(&tail), "-c");
	CHECK_TEXT(wire_strings_next(&tail), "echo hi");
	CHECK_TEXT(wire_strings_next(&tail), "");
	api_answer_error(&command.api, &command.question, WIRE_CODE_COMMAND, "there is no sh");
	command_reads(422,
		"{\"type\":\"urn:cloche:error:command\",\"title\":\"Command could not be "
		"started\",\"status\":422,\"detail\":\"there is no sh\"}");
	command_end();
}

static void reads_end(struct wire_exec_exited row, const char *part)
{
	command_ask(api_connect(&command.api), "", "{\"argv\":[\"x\"]}");
	command_started(false);
	command_exited(row);
	command_reads_part(200, part);
	close(command.client);
	close(command.out);
	close(command.err);
}

TEST(tells_how_a_command_ended)
{
	api_start(&command.api, NULL);
	reads_end((struct wire_exec_exited){.end = WIRE_EXEC_END_SIGNAL, .signal = SIGSEGV},
		"\"exit_code\":null,\"signal\":\"SIGSEGV\",\"reason\":\"signaled\"");
	reads_end((struct wire_exec_exited){.end = WIRE_EXEC_END_TIMEOUT, .signal = SIGKILL},
		"\"exit_code\":null,\"signal\":\"SIGKILL\",\"reason\":\"timeout\"");
	reads_end((struct wire_exec_exited){.end = WIRE_EXEC_END_OOM, .code = 137},
		"\"exit_code\":137,\"signal\":null,\"reason\":\"oom\"");
	reads_end((struct wire_exec_exited){.end = WIRE_EXEC_END_SANDBOX},
		"\"exit_code\":null,\"signal\":null,\"reason\":\"sandbox_ended\"");
	reads_end((struct wire_exec_exited){.end = WIRE_EXEC_END_KILLED, .signal = SIGTERM},
		"\"exit_code\":null,\"signal\":\"SIGTERM\",\"reason\":\"killed\"");
	CHECK_INT(api_stop(&command.api), 0);
}

TEST(does_not_wait_for_a_child_that_holds_the_pipes)
{
	command_begin("", "{\"argv\":[\"x\"]}");
	command_started(false);
	command_writes(command.out, "before");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"stdout\":\"before\""); /* both write ends are still open here */
	command_end();
}

TEST(takes_an_end_that_comes_with_the_start)
{
	command_begin("", "{\"argv\":[\"x\"]}");
	command_started(false);
	close(command.out);
	close(command.err);
	command.out = command.err = -1;
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"exit_code\":0");
	command_end();
}

TEST(truncates_output_at_the_limit_and_reads_on)
{
	static char block[4096];
	size_t written = 0;

	memset(block, 'x', sizeof(block));
	command_begin("", "{\"argv\":[\"x\"],\"output_limit_bytes\":10}");
	command_started(false);
	while (written < 1 << 20) /* far more than a pipe holds: it must be read */
		written += (size_t)write(command.out, block, sizeof(block));
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200,
		"\"stdout\":\"xxxxxxxxxx\",\"stderr\":\"\",\"stdout_encoding\":\"utf-8\","
		"\"stderr_encoding\":\"utf-8\",\"stdout_truncated\":true,"
		"\"stderr_truncated\":false");
	command_end();
}

TEST(does_not_call_output_of_just_the_limit_truncated)
{
	command_begin("", "{\"argv\":[\"x\"],\"output_limit_bytes\":4}");
	command_started(false);
	command_writes(command.out, "1234");
	close(command.out);
	command.out = -1;
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"stdout\":\"1234\",\"stderr\":\"\",\"stdout_encoding\":\"utf-8\","
				"\"stderr_encoding\":\"utf-8\",\"stdout_truncated\":false");
	command_end();
}

TEST(encodes_what_is_no_utf8)
{
	command_begin("", "{\"argv\":[\"x\"]}");
	command_started(false);
	command_writes(command.out, "\xff\xfe"
				    "a");
	command_writes(command.err, "gr\xc3\xbc\xc3\x9f");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"stdout\":\"//5h\",\"stderr\":\"gr\xc3\xbc\xc3\x9f\","
				"\"stdout_encoding\":\"base64\",\"stderr_encoding\":\"utf-8\"");
	command_end();
}

TEST(keeps_text_text_when_the_limit_cuts_a_character)
{
	command_begin("", "{\"argv\":[\"x\"],\"output_limit_bytes\":3}");
	command_started(false);
	command_writes(command.out, "ab\xc3\xbc");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"stdout\":\"ab\",\"stderr\":\"\",\"stdout_encoding\":\"utf-8\"");
	command_end();
}

static void reads_input(const char *expected, size_t size)
{
	char *got = malloc(size + 1);
	size_t used = 0;
	ssize_t n;

	while ((n = read(command.in, got + used, size + 1 - used)) > 0)
		used += (size_t)n;
	CHECK_INT(used, size);
	CHECK(memcmp(got, expected, size) == 0);
	free(got);
}

TEST(writes_stdin_and_closes_it)
{
	command_begin("", "{\"argv\":[\"cat\"],\"stdin\":\"gr\\u00fc\"}");
	CHECK_INT(((const struct wire_exec_start *)command.question.body)->flags, WIRE_EXEC_STDIN);
	command_started(true);
	reads_input("gr\xc3\xbc", 4);
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"exit_code\":0");
	command_end();
}

TEST(writes_binary_stdin)
{
	command_begin("", "{\"argv\":[\"cat\"],\"stdin_base64\":\"AP8B\"}");
	command_started(true);
	reads_input("\0\xff\1", 3);
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"exit_code\":0");
	command_end();
}

TEST(writes_stdin_larger_than_a_pipe)
{
	size_t size = 3 << 20;
	char *text = malloc(size + 1), *body = malloc(size + 100);

	memset(text, 'y', size);
	text[size] = '\0';
	sprintf(body, "{\"argv\":[\"cat\"],\"stdin\":\"%s\"}", text);
	command_begin("", body);
	command_started(true);
	reads_input(text, size);
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"exit_code\":0");
	command_end();
	free(text);
	free(body);
}

TEST(survives_a_command_that_closes_its_stdin)
{
	size_t size = 1 << 20;
	char *body = malloc(size + 100);

	memset(body, 'y', size + 99);
	memcpy(body, "{\"argv\":[\"x\"],\"stdin\":\"", 23);
	strcpy(body + size, "\"}");
	command_begin("", body);
	command_started(true);
	close(command.in);
	command.in = -1;
	command_writes(command.out, "done");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"stdout\":\"done\"");
	command_end();
	free(body);
}

TEST(a_client_that_leaves_kills_the_command)
{
	command_begin("", "{\"argv\":[\"sleep\",\"1000\"]}");
	command_started(false);
	close(command.client);
	command.client = -1;
	command_is_killed();
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_KILLED, .signal = SIGKILL});
	command_end();
}

TEST(a_tcp_client_that_leaves_kills_the_command)
{
	api_start(&command.api, NULL);
	command_ask(api_connect_tcp(&command.api), "", "{\"argv\":[\"sleep\",\"1000\"]}");
	command_started(false);
	close(command.client);
	command.client = -1;
	command_is_killed();
	command_end();
}

TEST(a_client_that_leaves_before_the_start_kills_at_the_start)
{
	command_begin("", "{\"argv\":[\"sleep\",\"1000\"]}");
	close(command.client);
	command.client = api_connect(&command.api);
	/* One more request shows that the leaving was seen. */
	api_request(command.client, "GET", "/healthz", "", NULL);
	command_reads_part(200, "ok");
	command_started(false);
	command_is_killed();
	command_end();
}

TEST(a_unix_client_that_only_stops_sending_is_still_served)
{
	command_begin("", "{\"argv\":[\"x\"]}");
	shutdown(command.client, SHUT_WR);
	command_started(false);
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_reads_part(200, "\"exit_code\":0");
	command_end();
}

TEST(detached_commands_are_let_go)
{
	static char block[4096];

	command_begin("", "{\"argv\":[\"x\"],\"detach\":true}");
	CHECK_INT(((const struct wire_exec_start *)command.question.body)->flags, WIRE_EXEC_DETACH);
	command_started(false);
	command_reads(202, "{\"exec_id\":\"ex-000000000000001a\",\"pid\":7}");
	close(command.client);
	for (int i = 0; i < 256; i++) /* its output is read and dropped */
		CHECK_INT(write(command.out, block, sizeof(block)), sizeof(block));
	command.client = api_connect(&command.api);
	api_request(command.client, "GET", "/healthz", "", NULL);
	command_reads_part(200, "ok");
	CHECK(api_is_quiet(&command.api));
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	command_end();
}

TEST(detached_commands_may_come_without_pipes)
{
	struct wire_exec_started row = {.exec = 0x1a, .pid = 7};

	command_begin("", "{\"argv\":[\"x\"],\"detach\":true}");
	api_answer(&command.api, &command.question, WIRE_API_EXEC_STARTED, &row, sizeof(row), NULL,
		0, NULL, 0);
	command_reads(202, "{\"exec_id\":\"ex-000000000000001a\",\"pid\":7}");
	command_end();
}

TEST(kills_by_name)
{
	static struct frame frame;
	const struct wire_exec_kill *kill;
	int fd;

	command_connect();
	fd = command.client;
	api_request(fd, "DELETE",
		"/v1/sandboxes/sb-00000000000000ab/execs/ex-000000000000001a?signal=SIGTERM", "",
		NULL);
	kill = api_expect(&command.api, &frame, WIRE_API_EXEC_KILL, sizeof(*kill));
	CHECK_INT(kill->exec, 0x1a);
	CHECK_INT(kill->signal, SIGTERM);
	api_answer(&command.api, &frame, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	command_reads(204, "");
	api_request(fd, "DELETE",
		"/v1/sandboxes/sb-00000000000000ab/execs/ex-000000000000001a?signal=SIGFOO", "",
		NULL);
	command_reads_part(400, "\\\"signal\\\" must be a signal's name");
	api_request(fd, "DELETE", "/v1/sandboxes/sb-00000000000000ab/execs/1a", "", NULL);
	command_reads_part(404, "is no command's id");
	command_end();
}

struct language {
	const char *name, *program, *flag;
};

TEST(code_runs_the_language)
{
	static const struct language rows[] = {
		{"python", "python3", "-c"}, {"node", "node", "-e"}, {"shell", "sh", "-c"}};
	const struct wire_exec_start *start;
	char body[128];
	const char *tail;

	command_connect();
	for (size_t i = 0; i < 3; i++) {
		sprintf(body, "{\"language\":\"%s\",\"code\":\"1+1\",\"uid\":0}", rows[i].name);
		api_request(command.client, "POST", CODE_PATH, "", body);
		start = api_expect(
			&command.api, &command.question, WIRE_API_EXEC_START, sizeof(*start));
		CHECK_INT(start->argc, 3);
		CHECK_INT(start->uid, 0);
		tail = (const char *)(start + 1);
		CHECK_TEXT(wire_strings_next(&tail), rows[i].program);
		CHECK_TEXT(wire_strings_next(&tail), rows[i].flag);
		CHECK_TEXT(wire_strings_next(&tail), "1+1");
		api_answer_error(&command.api, &command.question, WIRE_CODE_NOT_FOUND, "no");
		command_reads_part(404, "urn:cloche:error:not-found");
	}
	command_end();
}

struct refused {
	const char *path, *body, *detail;
	unsigned status;
};

TEST(refuses_wrong_commands)
{
	static const struct refused rows[] = {
		{EXEC_PATH, "{}", "give \\\"argv\\\"", 400},
		{EXEC_PATH, "{\"argv\":[]}", "/argv: must be an array of strings", 400},
		{EXEC_PATH, "{\"argv\":[1]}", "/argv: must be an array of strings only", 400},
		{EXEC_PATH, "{\"argv\":[\"\"]}", "/argv: must name a program first", 400},
		{EXEC_PATH, "{\"argv\":[\"a\\u0000b\"]}", "the body is not JSON", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"command\":\"b\"}", "either argv or command", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"arg\":1}", "/arg: unknown key", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"cwd\":\"tmp\"}",
			"/cwd: must be a path that begins", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"uid\":65535}",
			"/uid: must be a whole number from 0 to "
			"65534",
			400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"detach\":1}", "/detach: must be true or false",
			400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"stdin\":\"\",\"stdin_base64\":\"\"}",
			"either stdin or stdin_base64", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"stdin_base64\":\"a\"}", "is not Base64", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"output_limit_bytes\":16777217}",
			"/output_limit_bytes: must be a whole number from 0 to 16777216", 400},
		{CODE_PATH, "{\"code\":\"1\"}", "/language: is missing", 400},
		{CODE_PATH, "{\"language\":\"perl\",\"code\":\"1\"}", "/language: must be python",
			400},
		{CODE_PATH, "{\"language\":\"node\"}", "/code: is missing", 400},
		{CODE_PATH, "{\"language\":\"node\",\"code\":\"1\",\"argv\":[]}",
			"/argv: unknown key", 400},
		{"/v1/sandboxes/ab/exec", "{}", "\\\"ab\\\" is no sandbox's id", 404},
	};

	command_connect();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		api_request(command.client, "POST", rows[i].path, "", rows[i].body);
		command_reads_part(rows[i].status, rows[i].detail);
	}
	CHECK(api_is_quiet(&command.api));
	command_end();
}

TEST(refuses_commands_that_are_too_large)
{
	size_t size = 100000;
	char *body = malloc(size + 100);

	command_connect();
	memset(body, 'a', size + 99);
	memcpy(body, "{\"argv\":[\"", 10);
	strcpy(body + size, "\"]}");
	api_request(command.client, "POST", EXEC_PATH, "", body);
	command_reads_part(413, "urn:cloche:error:too-large");
	memset(body, 'a', size + 99);
	memcpy(body, "{\"language\":\"node\",\"code\":\"", 27);
	strcpy(body + size, "\"}");
	api_request(command.client, "POST", CODE_PATH, "", body);
	command_reads_part(413, "/code: is 99973 bytes long; at most 98304 are allowed");
	CHECK(api_is_quiet(&command.api));
	command_end();
	free(body);
}

TEST(limits_commands_at_once)
{
	struct server_limits limits = server_default_limits(1024);
	int first;

	limits.n_execs_max = 1;
	api_start(&command.api, &limits);
	command_ask(api_connect(&command.api), "", "{\"argv\":[\"x\"]}");
	first = command.client;
	command.client = api_connect(&command.api);
	api_request(command.client, "POST", EXEC_PATH, "", "{\"argv\":[\"x\"]}");
	command_reads_part(503, "too many commands run over HTTP at once");
	command_started(false);
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	close(command.client);
	command.client = first;
	command_reads_part(200, "\"exit_code\":0");
	close(command.out);
	close(command.err);
	command_ask(first, "", "{\"argv\":[\"x\"]}");
	command_end();
}
