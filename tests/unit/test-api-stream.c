/* exec with an answer while it runs: lines, events, characters, and slow readers. */
#include "tests/harness/check.h"
#include "tests/harness/command.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_HEAD "\"exec_id\":\"ex-000000000000001a\",\"pid\":7"

static void chunk_seen(const char *text)
{
	static char buffer[1 << 16];

	api_read_until(command.client, text, buffer, sizeof(buffer));
}

TEST(streams_lines_while_it_runs)
{
	command_begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"x\"]}");
	command_started(false);
	chunk_seen("Content-Type: application/x-ndjson");
	chunk_seen("{\"type\":\"start\"," LINE_HEAD "}\n");
	command_writes(command.out, "one\n");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"one\\n\",\"encoding\":\"utf-8\"}\n");
	command_writes(command.err, "\xff");
	chunk_seen("{\"type\":\"stderr\",\"data\":\"/w==\",\"encoding\":\"base64\"}\n");
	command_writes(command.out, "two");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT, .code = 1});
	chunk_seen("{\"type\":\"stdout\",\"data\":\"two\",\"encoding\":\"utf-8\"}\n");
	chunk_seen("{\"type\":\"exit\"," LINE_HEAD ",\"exit_code\":1,\"signal\":null,"
		   "\"reason\":\"exited\",\"stdout_truncated\":false,\"stderr_truncated\":false,"
		   "\"pids_limit_hit\":false," EXEC_USAGE "\n");
	chunk_seen("\r\n0\r\n\r\n");
	command_end();
}

TEST(streams_server_sent_events)
{
	command_begin("Accept: text/event-stream\r\n", "{\"argv\":[\"x\"]}");
	command_started(false);
	chunk_seen("Content-Type: text/event-stream");
	chunk_seen("event: start\ndata: {\"type\":\"start\"," LINE_HEAD "}\n\n");
	command_writes(command.out, "a\nb");
	chunk_seen("event: stdout\ndata: {\"type\":\"stdout\",\"data\":\"a\\nb\","
		   "\"encoding\":\"utf-8\"}\n\n");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	chunk_seen("event: exit\ndata: {\"type\":\"exit\"");
	command_end();
}

TEST(joins_characters_that_two_reads_split)
{
	command_begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"x\"]}");
	command_started(false);
	command_writes(command.out, "a\xe2\x82");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"a\",\"encoding\":\"utf-8\"}\n");
	command_writes(command.out, "\xac!");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"\xe2\x82\xac\",\"encoding\":\"utf-8\"}\n");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"!\",\"encoding\":\"utf-8\"}\n");
	command_writes(command.out, "\xe2");
	command_writes(command.err, "sync");
	chunk_seen("\"data\":\"sync\"");
	command_writes(command.out, "x");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"4g==\",\"encoding\":\"base64\"}\n");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"x\",\"encoding\":\"utf-8\"}\n");
	command_writes(command.out, "\xf0\x9f");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	chunk_seen("{\"type\":\"stdout\",\"data\":\"8J8=\",\"encoding\":\"base64\"}\n");
	chunk_seen("\"type\":\"exit\"");
	command_end();
}

TEST(streams_are_truncated_once_at_their_limit)
{
	command_begin(
		"Accept: application/x-ndjson\r\n", "{\"argv\":[\"x\"],\"output_limit_bytes\":3}");
	command_started(false);
	command_writes(command.out, "12345");
	chunk_seen("{\"type\":\"stdout\",\"data\":\"123\",\"encoding\":\"utf-8\"}\n");
	chunk_seen("{\"type\":\"truncated\",\"stream\":\"stdout\"}\n");
	command_writes(command.out, "678");
	command_writes(command.err, "9");
	chunk_seen("{\"type\":\"stderr\",\"data\":\"9\"");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	chunk_seen("{\"type\":\"exit\"," LINE_HEAD ",\"exit_code\":0,\"signal\":null,"
		   "\"reason\":\"exited\",\"stdout_truncated\":true,\"stderr_truncated\":false");
	command_end();
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

	command_begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"yes\"]}");
	command_started(false);
	written = write_until_blocked(command.out);
	CHECK(written < 4 << 20);
	other = api_connect(&command.api);
	api_request(other, "GET", "/healthz", "", NULL);
	api_read(other, &response);
	CHECK_INT(response.status, 200);
	api_response_fini(&response);
	close(other);
	/* Nothing is lost: what the end finds in pipe and buffers arrives when it is read. */
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	api_read(command.client, &response);
	CHECK_INT(response.status, 200);
	text = response.body;
	for (; *text; text++)
		written -= *text == 'z';
	CHECK_INT(written, 0);
	CHECK(strstr(response.body, "\"type\":\"exit\""));
	api_response_fini(&response);
	command_end();
}

TEST(a_streaming_client_that_leaves_kills_the_command)
{
	char buffer[4096];

	command_begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"sleep\",\"1000\"]}");
	command_started(false);
	api_read_until(command.client, "\"type\":\"start\"", buffer, sizeof(buffer));
	close(command.client);
	command.client = -1;
	command_is_killed();
	command_end();
}

TEST(a_slow_reader_that_leaves_kills_the_command)
{
	command_begin("Accept: application/x-ndjson\r\n", "{\"argv\":[\"yes\"]}");
	command_started(false);
	write_until_blocked(command.out);
	close(command.client);
	command.client = -1;
	command_is_killed();
	command_end();
}

TEST(streams_to_a_client_of_http_1_0)
{
	char buffer[8192];

	api_start(&command.api, NULL);
	command.client = api_connect(&command.api);
	command.in = -1;
	api_send(command.client,
		"POST " EXEC_PATH " HTTP/1.0\r\nAuthorization: Bearer k\r\n"
		"Accept: application/x-ndjson\r\nContent-Type: application/json\r\n"
		"Content-Length: 14\r\n\r\n{\"argv\":[\"x\"]}");
	api_expect(&command.api, &command.question, WIRE_API_EXEC_START,
		sizeof(struct wire_exec_start));
	command_started(false);
	command_writes(command.out, "hi");
	command_exited((struct wire_exec_exited){.end = WIRE_EXEC_END_EXIT});
	api_read_until(command.client, "\r\n\r\n{\"type\":\"start\"", buffer, sizeof(buffer));
	CHECK(!strstr(buffer, "chunked"));
	api_read_until(command.client, "\"data\":\"hi\"", buffer, sizeof(buffer));
	api_read_until(command.client, "\"type\":\"exit\"", buffer, sizeof(buffer));
	CHECK(api_is_closed(command.client));
	command_end();
}
