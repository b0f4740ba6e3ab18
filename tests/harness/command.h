/* A command whose supervisor and whose program the test plays: for the tests of exec. */
#pragma once

#include "tests/harness/api.h"

#define EXEC_PATH "/v1/sandboxes/sb-00000000000000ab/exec"
#define CODE_PATH "/v1/sandboxes/sb-00000000000000ab/code"
#define EXEC_USAGE "\"usage\":{\"user_us\":0,\"system_us\":0,\"wall_us\":0,\"max_rss_bytes\":0}}"

/* The one command of a test; `out`, `err`, `in` are its own ends of its pipes, -1: none. */
struct command {
	struct api api;
	int client;
	struct frame question;
	int out, err, in;
};

extern struct command command;

/* Starts cloche-api and a client that asks for a command with `headers` and `body`. */
void command_begin(const char *headers, const char *body);
/* The same on the connection `fd` of a cloche-api that runs. */
void command_ask(int fd, const char *headers, const char *body);
/* Starts cloche-api and a client that has not asked yet. */
void command_connect(void);
void command_started(bool with_input);
/* `row.exec` is filled in. */
void command_exited(struct wire_exec_exited row);
void command_writes(int fd, const char *text);
/* The client's answer is this, or has this part. */
void command_reads(unsigned status, const char *body);
void command_reads_part(unsigned status, const char *part);
/* The next question is to kill it, and is done. */
void command_is_killed(void);
/* Closes what is open; cloche-api must end in order. */
void command_end(void);
