/* exec and code: pipes, ends, streams, and clients that leave. The test is cloched and the command. */
#include "supervisor/wire/strings.h"
#include "tests/harness/api.h"
#include "tests/harness/check.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define EXEC_PATH "/v1/sandboxes/sb-00000000000000ab/exec"
#define CODE_PATH "/v1/sandboxes/sb-00000000000000ab/code"

/* A command that "runs": our ends of its pipes. */
struct command {
	struct api api;
	int client;
	struct frame question;
	int out, err, in; /* -1: none */
};

static struct command command;

static void begin_on(int fd, const char *headers, const char *body)
{
	command.client = fd;
	command.out = command.err = command.in = -1;
	api_request(fd, "POST", EXEC_PATH, headers, body);
	api_expect(&command.api, &command.question, WIRE_API_EXEC_START,
		sizeof(struct wire_exec_start));
}

static void begin(const char *headers, const char *body)
{
	api_start(&command.api, NULL);
	begin_on(api_connect(&command.api), headers, body);
}

static void started(bool with_input)
{
	struct wire_exec_started row = {.exec = 0x1a, .pid = 7};
	int out[2], err[2], in[2], fds[3];

	CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
	fds[0] = out[0];
	fds[1] = err[0];
	command.out = out[1];
	command.err = err[1];
	if (with_input) {
		CHECK(pipe2(in, O_CLOEXEC) == 0);
		fds[2] = in[1];
		command.in = in[0];
	}
	api_answer(&command.api, &command.question, WIRE_API_EXEC_STARTED, &row, sizeof(row), NULL, 0,
		fds, with_input ? 3 : 2);
}

static void exited(struct wire_exec_exited row)
{
	row.exec = 0x1a;
	api_answer(&command.api, &command.question, WIRE_API_EXEC_EXITED, &row, sizeof(row), NULL, 0,
		NULL, 0);
}

static void writes(int fd, const char *text)
{
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
}

static void end(void)
{
	int fds[] = {command.out, command.err, command.in, command.client};

	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	CHECK_INT(api_stop(&command.api), 0);
}

static void reads_json(unsigned status, const char *body)
{
	struct response response;

	api_read(command.client, &response);
	CHECK_INT(response.status, status);
	CHECK_TEXT(response.body, body);
	api_response_fini(&response);
}

static void reads_status(unsigned status, const char *part)
{
	struct response response;

	api_read(command.client, &response);
	if (response.status != status || !strstr(response.body, part))
		CHECK_FAIL("%u %s", response.status, response.body);
	api_response_fini(&response);
}

#define HEAD "{\"exec_id\":\"ex-000000000000001a\",\"pid\":7,"
#define USAGE "\"usage\":{\"user_us\":0,\"system_us\":0,\"wall_us\":0,\"max_rss_bytes\":0}}"

TEST(sends_every_member_of_a_command)
{
	const struct wire_exec_start *start;
	const char *tail;

	begin("", "{\"argv\":[\"ls\",\"-l\"],\"cwd\":\"/tmp\",\"env\":{\"A\":\"1\"},"
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
	started(false);
	writes(command.out, "out \"quoted\"\n");
	writes(command.err, "err\n");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT, .code = 3, .user_us = 1,
		.system_us = 2, .wall_us = 3, .max_rss_bytes = 4096, .pids_limit_hit = 1});
	reads_json(200, HEAD
		"\"exit_code\":3,\"signal\":null,\"reason\":\"exited\","
		"\"stdout\":\"out \\\"quoted\\\"\\n\",\"stderr\":\"err\\n\","
		"\"stdout_encoding\":\"utf-8\",\"stderr_encoding\":\"utf-8\","
		"\"stdout_truncated\":false,\"stderr_truncated\":false,\"pids_limit_hit\":true,"
		"\"usage\":{\"user_us\":1,\"system_us\":2,\"wall_us\":3,\"max_rss_bytes\":4096}}");
	end();
}

TEST(runs_shell_text_and_defaults)
{
	const struct wire_exec_start *start;
	const char *tail;

	begin("", "{\"command\":\"echo hi\"}");
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
	reads_json(422, "{\"type\":\"urn:cloche:error:command\",\"title\":\"Command could not be "
			"started\",\"status\":422,\"detail\":\"there is no sh\"}");
	end();
}

static void reads_end(struct wire_exec_exited row, const char *part)
{
	begin_on(api_connect(&command.api), "", "{\"argv\":[\"x\"]}");
	started(false);
	exited(row);
	reads_status(200, part);
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
	begin("", "{\"argv\":[\"x\"]}");
	started(false);
	writes(command.out, "before");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"stdout\":\"before\""); /* both write ends are still open here */
	end();
}

TEST(takes_an_end_that_comes_with_the_start)
{
	begin("", "{\"argv\":[\"x\"]}");
	started(false);
	close(command.out);
	close(command.err);
	command.out = command.err = -1;
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"exit_code\":0");
	end();
}

TEST(truncates_output_at_the_limit_and_reads_on)
{
	static char block[4096];
	size_t written = 0;

	memset(block, 'x', sizeof(block));
	begin("", "{\"argv\":[\"x\"],\"output_limit_bytes\":10}");
	started(false);
	while (written < 1 << 20) /* far more than a pipe holds: it must be read */
		written += (size_t)write(command.out, block, sizeof(block));
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"stdout\":\"xxxxxxxxxx\",\"stderr\":\"\",\"stdout_encoding\":\"utf-8\","
			  "\"stderr_encoding\":\"utf-8\",\"stdout_truncated\":true,"
			  "\"stderr_truncated\":false");
	end();
}

TEST(does_not_call_output_of_just_the_limit_truncated)
{
	begin("", "{\"argv\":[\"x\"],\"output_limit_bytes\":4}");
	started(false);
	writes(command.out, "1234");
	close(command.out);
	command.out = -1;
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"stdout\":\"1234\",\"stderr\":\"\",\"stdout_encoding\":\"utf-8\","
			  "\"stderr_encoding\":\"utf-8\",\"stdout_truncated\":false");
	end();
}

TEST(encodes_what_is_no_utf8)
{
	begin("", "{\"argv\":[\"x\"]}");
	started(false);
	writes(command.out, "\xff\xfe" "a");
	writes(command.err, "gr\xc3\xbc\xc3\x9f");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"stdout\":\"//5h\",\"stderr\":\"gr\xc3\xbc\xc3\x9f\","
			  "\"stdout_encoding\":\"base64\",\"stderr_encoding\":\"utf-8\"");
	end();
}

TEST(keeps_text_text_when_the_limit_cuts_a_character)
{
	begin("", "{\"argv\":[\"x\"],\"output_limit_bytes\":3}");
	started(false);
	writes(command.out, "ab\xc3\xbc");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"stdout\":\"ab\",\"stderr\":\"\",\"stdout_encoding\":\"utf-8\"");
	end();
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
	begin("", "{\"argv\":[\"cat\"],\"stdin\":\"gr\\u00fc\"}");
	CHECK_INT(((const struct wire_exec_start *)command.question.body)->flags, WIRE_EXEC_STDIN);
	started(true);
	reads_input("gr\xc3\xbc", 4);
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"exit_code\":0");
	end();
}

TEST(writes_binary_stdin)
{
	begin("", "{\"argv\":[\"cat\"],\"stdin_base64\":\"AP8B\"}");
	started(true);
	reads_input("\0\xff\1", 3);
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"exit_code\":0");
	end();
}

TEST(writes_stdin_larger_than_a_pipe)
{
	size_t size = 3 << 20;
	char *text = malloc(size + 1), *body = malloc(size + 100);

	memset(text, 'y', size);
	text[size] = '\0';
	sprintf(body, "{\"argv\":[\"cat\"],\"stdin\":\"%s\"}", text);
	begin("", body);
	started(true);
	reads_input(text, size);
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"exit_code\":0");
	end();
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
	begin("", body);
	started(true);
	close(command.in);
	command.in = -1;
	writes(command.out, "done");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"stdout\":\"done\"");
	end();
	free(body);
}

static void expect_kill(void)
{
	const struct wire_exec_kill *kill;
	static struct frame frame;

	kill = api_expect(&command.api, &frame, WIRE_API_EXEC_KILL, sizeof(*kill));
	CHECK_INT(kill->exec, 0x1a);
	CHECK_INT(kill->signal, SIGKILL);
	CHECK_TEXT(kill->caller.key, API_KEY);
	api_answer(&command.api, &frame, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
}

TEST(a_client_that_leaves_kills_the_command)
{
	begin("", "{\"argv\":[\"sleep\",\"1000\"]}");
	started(false);
	close(command.client);
	command.client = -1;
	expect_kill();
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_KILLED, .signal = SIGKILL});
	end();
}

TEST(a_tcp_client_that_leaves_kills_the_command)
{
	api_start(&command.api, NULL);
	begin_on(api_connect_tcp(&command.api), "", "{\"argv\":[\"sleep\",\"1000\"]}");
	started(false);
	close(command.client);
	command.client = -1;
	expect_kill();
	end();
}

TEST(a_client_that_leaves_before_the_start_kills_at_the_start)
{
	begin("", "{\"argv\":[\"sleep\",\"1000\"]}");
	close(command.client);
	command.client = api_connect(&command.api);
	/* One more request shows that the leaving was seen. */
	api_request(command.client, "GET", "/healthz", "", NULL);
	reads_status(200, "ok");
	started(false);
	expect_kill();
	end();
}

TEST(a_streaming_client_that_leaves_kills_the_command)
{
	char buffer[4096];

	begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"sleep\",\"1000\"]}");
	started(false);
	api_read_until(command.client, "\"type\":\"start\"", buffer, sizeof(buffer));
	close(command.client);
	command.client = -1;
	expect_kill();
	end();
}

TEST(a_unix_client_that_only_stops_sending_is_still_served)
{
	begin("", "{\"argv\":[\"x\"]}");
	shutdown(command.client, SHUT_WR);
	started(false);
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	reads_status(200, "\"exit_code\":0");
	end();
}

TEST(detached_commands_are_let_go)
{
	static char block[4096];

	begin("", "{\"argv\":[\"x\"],\"detach\":true}");
	CHECK_INT(((const struct wire_exec_start *)command.question.body)->flags, WIRE_EXEC_DETACH);
	started(false);
	reads_json(202, "{\"exec_id\":\"ex-000000000000001a\",\"pid\":7}");
	close(command.client);
	for (int i = 0; i < 256; i++) /* its output is read and dropped */
		CHECK_INT(write(command.out, block, sizeof(block)), sizeof(block));
	command.client = api_connect(&command.api);
	api_request(command.client, "GET", "/healthz", "", NULL);
	reads_status(200, "ok");
	CHECK(api_is_quiet(&command.api));
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	end();
}

TEST(detached_commands_may_come_without_pipes)
{
	struct wire_exec_started row = {.exec = 0x1a, .pid = 7};

	begin("", "{\"argv\":[\"x\"],\"detach\":true}");
	api_answer(&command.api, &command.question, WIRE_API_EXEC_STARTED, &row, sizeof(row), NULL, 0,
		NULL, 0);
	reads_json(202, "{\"exec_id\":\"ex-000000000000001a\",\"pid\":7}");
	end();
}

#define LINE_HEAD "\"exec_id\":\"ex-000000000000001a\",\"pid\":7"

static void chunk_seen(const char *text)
{
	static char buffer[1 << 16];

	api_read_until(command.client, text, buffer, sizeof(buffer));
}

TEST(streams_lines_while_it_runs)
{
	begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"x\"]}");
	started(false);
	chunk_seen("Content-Type: application/x-ndjson");
	chunk_seen("{\"type\":\"start\"," LINE_HEAD "}\n");
	writes(command.out, "one\n");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"one\\n\",\"encoding\":\"utf-8\"}\n");
	writes(command.err, "\xff");
	chunk_seen("{\"type\":\"stderr\",\"data\":\"/w==\",\"encoding\":\"base64\"}\n");
	writes(command.out, "two");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT, .code = 1});
	chunk_seen("{\"type\":\"stdout\",\"data\":\"two\",\"encoding\":\"utf-8\"}\n");
	chunk_seen("{\"type\":\"exit\"," LINE_HEAD ",\"exit_code\":1,\"signal\":null,"
		   "\"reason\":\"exited\",\"stdout_truncated\":false,\"stderr_truncated\":false,"
		   "\"pids_limit_hit\":false," USAGE "\n");
	chunk_seen("\r\n0\r\n\r\n");
	end();
}

TEST(streams_server_sent_events)
{
	begin("Accept: text/event-stream\r\n", "{\"argv\":[\"x\"]}");
	started(false);
	chunk_seen("Content-Type: text/event-stream");
	chunk_seen("event: start\ndata: {\"type\":\"start\"," LINE_HEAD "}\n\n");
	writes(command.out, "a\nb");
	chunk_seen("event: stdout\ndata: {\"type\":\"stdout\",\"data\":\"a\\nb\","
		   "\"encoding\":\"utf-8\"}\n\n");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	chunk_seen("event: exit\ndata: {\"type\":\"exit\"");
	end();
}

TEST(joins_characters_that_two_reads_split)
{
	begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"x\"]}");
	started(false);
	writes(command.out, "a\xe2\x82");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"a\",\"encoding\":\"utf-8\"}\n");
	writes(command.out, "\xac!");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"\xe2\x82\xac\",\"encoding\":\"utf-8\"}\n");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"!\",\"encoding\":\"utf-8\"}\n");
	writes(command.out, "\xe2");
	writes(command.err, "sync");
	chunk_seen("\"data\":\"sync\"");
	writes(command.out, "x");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"4g==\",\"encoding\":\"base64\"}\n");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"x\",\"encoding\":\"utf-8\"}\n");
	writes(command.out, "\xf0\x9f");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	chunk_seen("{\"type\":\"stdout\",\"data\":\"8J8=\",\"encoding\":\"base64\"}\n");
	chunk_seen("\"type\":\"exit\"");
	end();
}

TEST(streams_are_truncated_once_at_their_limit)
{
	begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"x\"],\"output_limit_bytes\":3}");
	started(false);
	writes(command.out, "12345");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"123\",\"encoding\":\"utf-8\"}\n");
	chunk_seen("{\"type\":\"truncated\",\"stream\":\"stdout\"}\n");
	writes(command.out, "678");
	writes(command.err, "9");
	chunk_seen("{\"type\":\"stderr\",\"data\":\"9\"");
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	chunk_seen("{\"type\":\"exit\"," LINE_HEAD ",\"exit_code\":0,\"signal\":null,"
		   "\"reason\":\"exited\",\"stdout_truncated\":true,\"stderr_truncated\":false");
	end();
}

/* Returns how much the command could write before it had to wait for a second. */
static size_t write_until_blocked(int fd)
{
	static char block[65536];
	struct pollfd writable = {.fd = fd, .events = POLLOUT};
	size_t written = 0;

	memset(block, 'z', sizeof(block));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (poll(&writable, 1, 1000) == 1) {
		ssize_t n = write(fd, block, sizeof(block));

		if (n > 0)
			written += (size_t)n;
		CHECK(written < 64 << 20);
	}
	return written;
}

TEST(a_slow_reader_stops_the_command_and_nobody_else)
{
	size_t written;
	int other;
	struct response response;
	char *text;

	begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"yes\"]}");
	started(false);
	written = write_until_blocked(command.out);
	CHECK(written < 4 << 20);
	other = api_connect(&command.api);
	api_request(other, "GET", "/healthz", "", NULL);
	api_read(other, &response);
	CHECK_INT(response.status, 200);
	api_response_fini(&response);
	close(other);
	/* Nothing is lost: what the end finds in pipe and buffers arrives when it is read. */
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	api_read(command.client, &response);
	CHECK_INT(response.status, 200);
	text = response.body;
	for (; *text; text++)
		written -= *text == 'z';
	CHECK_INT(written, 0);
	CHECK(strstr(response.body, "\"type\":\"exit\""));
	api_response_fini(&response);
	end();
}

TEST(kills_by_name)
{
	static struct frame frame;
	const struct wire_exec_kill *kill;
	int fd;

	api_start(&command.api, NULL);
	command.client = fd = api_connect(&command.api);
	command.out = command.err = command.in = -1;
	api_request(fd, "DELETE",
		"/v1/sandboxes/sb-00000000000000ab/execs/ex-000000000000001a?signal=SIGTERM", "", NULL);
	kill = api_expect(&command.api, &frame, WIRE_API_EXEC_KILL, sizeof(*kill));
	CHECK_INT(kill->exec, 0x1a);
	CHECK_INT(kill->signal, SIGTERM);
	api_answer(&command.api, &frame, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
	reads_json(204, "");
	api_request(fd, "DELETE",
		"/v1/sandboxes/sb-00000000000000ab/execs/ex-000000000000001a?signal=SIGFOO", "", NULL);
	reads_status(400, "\\\"signal\\\" must be a signal's name");
	api_request(fd, "DELETE", "/v1/sandboxes/sb-00000000000000ab/execs/1a", "", NULL);
	reads_status(404, "is no command's id");
	end();
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

	api_start(&command.api, NULL);
	command.client = api_connect(&command.api);
	command.out = command.err = command.in = -1;
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
		reads_status(404, "urn:cloche:error:not-found");
	}
	end();
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
		{EXEC_PATH, "{\"argv\":[\"a\"],\"cwd\":\"tmp\"}", "/cwd: must be a path that begins", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"uid\":65535}", "/uid: must be a whole number from 0 to "
								"65534", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"detach\":1}", "/detach: must be true or false", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"stdin\":\"\",\"stdin_base64\":\"\"}",
			"either stdin or stdin_base64", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"stdin_base64\":\"a\"}", "is not Base64", 400},
		{EXEC_PATH, "{\"argv\":[\"a\"],\"output_limit_bytes\":16777217}",
			"/output_limit_bytes: must be a whole number from 0 to 16777216", 400},
		{CODE_PATH, "{\"code\":\"1\"}", "/language: is missing", 400},
		{CODE_PATH, "{\"language\":\"perl\",\"code\":\"1\"}", "/language: must be python", 400},
		{CODE_PATH, "{\"language\":\"node\"}", "/code: is missing", 400},
		{CODE_PATH, "{\"language\":\"node\",\"code\":\"1\",\"argv\":[]}", "/argv: unknown key", 400},
		{"/v1/sandboxes/ab/exec", "{}", "\\\"ab\\\" is no sandbox's id", 404},
	};

	api_start(&command.api, NULL);
	command.client = api_connect(&command.api);
	command.out = command.err = command.in = -1;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		api_request(command.client, "POST", rows[i].path, "", rows[i].body);
		reads_status(rows[i].status, rows[i].detail);
	}
	CHECK(api_is_quiet(&command.api));
	end();
}

TEST(refuses_commands_that_are_too_large)
{
	size_t size = 100000;
	char *body = malloc(size + 100);

	api_start(&command.api, NULL);
	command.client = api_connect(&command.api);
	command.out = command.err = command.in = -1;
	memset(body, 'a', size + 99);
	memcpy(body, "{\"argv\":[\"", 10);
	strcpy(body + size, "\"]}");
	api_request(command.client, "POST", EXEC_PATH, "", body);
	reads_status(413, "urn:cloche:error:too-large");
	memset(body, 'a', size + 99);
	memcpy(body, "{\"language\":\"node\",\"code\":\"", 27);
	strcpy(body + size, "\"}");
	api_request(command.client, "POST", CODE_PATH, "", body);
	reads_status(413, "/code: is 99973 bytes long; at most 98304 are allowed");
	CHECK(api_is_quiet(&command.api));
	end();
	free(body);
}

TEST(limits_commands_at_once)
{
	struct server_limits limits = server_default_limits(1024);
	int first;

	limits.n_execs_max = 1;
	api_start(&command.api, &limits);
	begin_on(api_connect(&command.api), "", "{\"argv\":[\"x\"]}");
	first = command.client;
	command.client = api_connect(&command.api);
	api_request(command.client, "POST", EXEC_PATH, "", "{\"argv\":[\"x\"]}");
	reads_status(503, "too many commands run over HTTP at once");
	started(false);
	exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	close(command.client);
	command.client = first;
	reads_status(200, "\"exit_code\":0");
	close(command.out);
	close(command.err);
	begin_on(first, "", "{\"argv\":[\"x\"]}");
	end();
}
