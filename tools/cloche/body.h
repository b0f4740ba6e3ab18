/* Request bodies of the API, made from what was typed. */
#pragma once

#include <jansson.h>

#include "tools/cloche/arguments.h"

#define BODY_INPUT_MAX (2U << 20)
#define BODY_OUTPUT_LIMIT (16 << 20) /* the API's largest */

/* Option rows, to be put into a command's table. */
#define BODY_SANDBOX_OPTIONS                                                                       \
	{"template", "NAME", "what it starts from: python, node, shell (python)", false},          \
		{"policy", "NAME", "narrow the tenant's policy by this one", false},               \
		{"label", "KEY=VALUE", "remember this with it", true},                             \
		{"memory", "SIZE", "limit, as 512MiB; can only narrow the policy's", false},       \
		{"disk", "SIZE", "limit of what it may write", false},                             \
		{"cpu", "N", "limit in CPUs, as 1.5", false},                                      \
	{                                                                                          \
		"pids", "N", "limit of processes and threads", false                               \
	}
#define BODY_COMMAND_OPTIONS                                                                       \
	{"cwd", "DIR", "working directory inside (/home/sandbox)", false},                         \
		{"uid", "N", "user inside, 0 to 65534 (1000)", false},                             \
		{"gid", "N", "group inside (1000)", false},                                        \
		{"no-stdin", NULL, "do not pass standard input on", false},                        \
	{                                                                                          \
		"output-limit", "BYTES", "keep so much of each stream (16777216)", false           \
	}
#define BODY_ENV_OPTION                                                                            \
	{                                                                                          \
		"env", "NAME=VALUE", "set a variable; NAME alone passes on yours", true            \
	}

/* POST /v1/sandboxes, but env and timeout. NULL with a sentence in `why`. The caller owns it. */
json_t *body_sandbox(const struct arguments *arguments, struct failure *why);

/* The options of POST …/exec and …/code, but the command and its timeout. Reads standard input to
 * its end if it is no terminal. */
json_t *body_command(const struct arguments *arguments, struct failure *why);

/* Adds {"env": {…}} from every --env. Returns 0 or -EINVAL with a sentence. */
int body_env(json_t *body, const struct arguments *arguments, struct failure *why);

/* Adds {"timeout_seconds": --timeout + `extra`} if --timeout was given. */
int body_timeout(
	json_t *body, const struct arguments *arguments, double extra, struct failure *why);

/* Reads `fd` to its end: text as "stdin" or `text_name`, other bytes as "stdin_base64"; nothing if
 * there is nothing. Returns 0, -EFBIG past BODY_INPUT_MAX, or -errno, with a sentence. */
int body_input(json_t *body, int fd, struct failure *why);
