#include "tests/harness/command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness/check.h"

struct command command;

void command_ask(int fd, const char *headers, const char *body)
{
	command.client = fd;
	command.out = command.err = command.in = -1;
	api_request(fd, "POST", EXEC_PATH, headers, body);
	api_expect(&command.api, &command.question, WIRE_API_EXEC_START,
		sizeof(struct wire_exec_start));
}

void command_begin(const char *headers, const char *body)
{
	api_start(&command.api, NULL);
	command_ask(api_connect(&command.api), headers, body);
}

void command_started(bool with_input)
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
	api_answer(&command.api, &command.question, WIRE_API_EXEC_STARTED, &row, sizeof(row), NULL,
		0, fds, with_input ? 3 : 2);
}

void command_exited(struct wire_exec_exited row)
{
	row.exec = 0x1a;
	api_answer(&command.api, &command.question, WIRE_API_EXEC_EXITED, &row, sizeof(row), NULL,
		0, NULL, 0);
}

void command_writes(int fd, const char *text)
{
	CHECK_INT(write(fd, text, strlen(text)), strlen(text));
}

void command_end(void)
{
	int fds[] = {command.out, command.err, command.in, command.client};

	for (size_t i = 0; i < 4; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	CHECK_INT(api_stop(&command.api), 0);
}

void command_reads(unsigned status, const char *body)
{
	struct response response;

	api_read(command.client, &response);
	CHECK_INT(response.status, status);
	CHECK_TEXT(response.body, body);
	api_response_fini(&response);
}

void command_reads_part(unsigned status, const char *part)
{
	struct response response;

	api_read(command.client, &response);
	if (response.status != status || !strstr(response.body, part))
		CHECK_FAIL("%u %s", response.status, response.body);
	api_response_fini(&response);
}

void command_is_killed(void)
{
	const struct wire_exec_kill *kill;
	static struct frame frame;

	kill = api_expect(&command.api, &frame, WIRE_API_EXEC_KILL, sizeof(*kill));
	CHECK_INT(kill->exec, 0x1a);
	CHECK_INT(kill->signal, SIGKILL);
	CHECK_TEXT(kill->caller.key, API_KEY);
	api_answer(&command.api, &frame, WIRE_API_DONE, NULL, 0, NULL, 0, NULL, 0);
}

void command_connect(void)
{
	api_start(&command.api, NULL);
	command.client = api_connect(&command.api);
	command.out = command.err = command.in = -1;
}
