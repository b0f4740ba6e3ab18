/* cloched and cloche-init, PID 1 of a sandbox. Read by freestanding code: integers only.
 *
 * cloche-init listens on a path that only cloched can reach, serves one connection at a time and
 * greets it; when the connection ends it waits for the next one, and what runs goes on running. */
#pragma once

#include "supervisor/wire/frame.h"

enum wire_init_type {
	WIRE_INIT_HELLO = 1,   /* init → cloched, first: struct wire_init_hello */
	WIRE_INIT_EXEC = 2,    /* cloched → init: struct wire_init_exec + tail, 3 fds */
	WIRE_INIT_STARTED = 3, /* init → cloched: struct wire_init_started */
	WIRE_INIT_EXITED = 4,  /* init → cloched: struct wire_init_exited */
	WIRE_INIT_REFUSED = 5, /* init → cloched: struct wire_init_refused */
	WIRE_INIT_KILL = 6,    /* cloched → init: struct wire_init_kill */
	WIRE_INIT_JOIN = 7, /* cloched → init: no body, 1 fd: a v1 `tasks` file to write "0" to */
	WIRE_INIT_JOINED = 8, /* init → cloched: struct wire_init_joined */
	/* cloched → init: no body, 1 fd: a Landlock ruleset, or none: only listed files are
	 * programs from here on. */
	WIRE_INIT_RESTRICT = 9,
	WIRE_INIT_RESTRICTED = 10, /* init → cloched: struct wire_init_joined */
};

#define WIRE_INIT_EXECS_MAX 256  /* commands of one sandbox running at once */
#define WIRE_INIT_FILTER_MAX 512 /* instructions of the second seccomp filter */

/* The header's cookie names the command in all messages about it; it is never 0. */
struct wire_init_hello {
	uint32_t n_running; /* commands still running from earlier connections */
	uint32_t reserved;
	uint64_t cookies[WIRE_INIT_EXECS_MAX];
};

/* Tail: `argc` argument strings, `n_env` "NAME=value" strings, one working directory, all
 * NUL-terminated; then `n_filter` times 8 bytes of struct sock_filter, unaligned.
 * fds: standard input, output, error. */
struct wire_init_exec {
	uint32_t uid, gid; /* inside the sandbox */
	uint32_t argc, n_env;
	uint32_t n_filter;   /* at least 1: PID 1's own filter is wider than any policy */
	uint32_t open_files; /* RLIMIT_NOFILE, both limits; can only go down; 0: as it is */
};

struct wire_init_started {
	uint32_t pid; /* inside */
	uint32_t reserved;
};

struct wire_init_exited {
	uint32_t status; /* as from wait4(2) */
	uint32_t reserved;
	uint64_t user_us, system_us, max_rss_bytes; /* the command and its waited-for children */
	uint64_t wall_us;
};

enum wire_init_stage {
	WIRE_INIT_STAGE_MESSAGE = 1, /* the message is malformed, or too many commands run */
	WIRE_INIT_STAGE_FORK = 2,
	WIRE_INIT_STAGE_CWD = 3,
	WIRE_INIT_STAGE_IDENTITY = 4,
	WIRE_INIT_STAGE_PRIVILEGES = 5,
	WIRE_INIT_STAGE_FILTER = 6,
	WIRE_INIT_STAGE_EXEC = 7,
};

/* The command did not start. */
struct wire_init_refused {
	uint32_t stage; /* enum wire_init_stage */
	int32_t error;  /* negative errno */
};

/* Sends `signal` to the command's process group and to every process of its session. */
struct wire_init_kill {
	int32_t signal;
	uint32_t reserved;
};

struct wire_init_joined {
	int32_t error; /* 0 or negative errno */
	uint32_t reserved;
};
