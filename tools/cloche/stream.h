/* A running command's answer, line by line (application/x-ndjson): output goes out as it comes, the
 * end is kept. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define STREAM_LINE_MAX (64U << 20)

/* Cuts bytes into lines. Starts with `on_line` and `userdata` set, all else zero. */
struct stream_lines {
	int (*on_line)(const char *line, size_t size, void *userdata); /* without the newline */
	void *userdata;
	char *buffer; /* owned: the begun line */
	size_t size, room;
};

/* For struct http_request: userdata is a struct stream_lines. Returns 0, -EFBIG for a line that is
 * too long, -ENOMEM, or what `on_line` returned. */
int stream_on_data(const char *data, size_t size, void *userdata);
void stream_lines_fini(struct stream_lines *lines);

/* What became of a command. Starts with the fds set, all else zero. */
struct stream_command {
	int stdout_fd, stderr_fd;
	json_t *exit;      /* owned: the line of type "exit" */
	char problem[512]; /* from a line of type "error" */
	bool stdout_truncated, stderr_truncated;
};

/* A line handler; userdata is a struct stream_command. Returns 0, -EPROTO for what is no such line,
 * or -errno of the write (-EPIPE: nobody reads our output). Unknown types are passed over: later
 * daemons may say more. */
int stream_on_command_line(const char *line, size_t size, void *userdata);
void stream_command_fini(struct stream_command *command);

/* The exit code that stands for how a command ended (struct exit_code), and, unless it simply
 * exited, a sentence in `sentence`. */
int stream_exit_code(const json_t *end, char *sentence, size_t size);
