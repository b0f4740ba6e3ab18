/* A command that runs for a request: asked for, fed, read, and told about.
 *
 * It begins with EXEC_START; EXEC_STARTED brings its pipes, EXEC_EXITED its end. What it wrote
 * before it ended is in the pipes then, so they are read until they are empty, not until they are
 * closed: a child in the background may hold them open for ever. A request that ends early kills
 * the command, unless it is detached.
 *
 *   exec.c         reads requests
 *   exec-life.c    start, answers, end
 *   exec-output.c  the pipes
 *   exec-stream.c  what the client is told while it runs, and the result at the end */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/http/request.h"
#include "api/text/fields.h"
#include "api/text/writer.h"
#include "supervisor/base/loop.h"
#include "supervisor/wire/api.h"
#include "supervisor/wire/strings.h"

#define EXEC_OUTPUT_DEFAULT (1024 * 1024)
#define EXEC_OUTPUT_MAX (16 * 1024 * 1024)
#define EXEC_CODE_MAX WIRE_ARGV_BYTES_MAX

struct exec;

enum exec_stream { EXEC_STDOUT = 0, EXEC_STDERR = 1, EXEC_N_STREAMS = 2 };

/* One pipe that the command writes into. */
struct exec_pipe {
	struct exec *exec;
	int fd;                     /* -1: closed */
	struct loop_source *source; /* NULL: not watched */
	struct writer collected;    /* REQUEST_FORM_JSON only */
	size_t held;                /* of `collected`, accounted for */
	size_t n_taken;             /* bytes that count against the limit */
	size_t drain_left;          /* after the end: what may still be read */
	bool truncated;
	char cut_short[4]; /* the beginning of a character whose end has not come yet */
	size_t n_cut_short;
};

struct exec {
	struct request *request; /* NULL: nobody waits for it any more */
	struct server *server;
	struct wire_caller caller;
	uint64_t cookie, id;
	uint32_t pid;
	bool started, exited, detached, over;
	enum request_form form;
	struct exec_pipe pipes[EXEC_N_STREAMS];
	size_t output_limit;

	json_t *input_text; /* holds `input`, or */
	char *input_bytes;  /* holds it */
	const char *input;
	size_t input_size, input_written;
	int input_fd;
	struct loop_source *input_source;

	struct wire_exec_exited end;
};

/* What is asked for, being read. Zeroed but `exec`. */
struct exec_order {
	struct wire_exec_start start;
	struct wire_strings tail; /* argv, env, cwd */
	struct exec *exec;
};

struct exec *exec_new(struct request *request);
/* Closes its pipes and frees it; what runs goes on running. Takes NULL, returns NULL. */
struct exec *exec_free(struct exec *exec);
/* Reads what is asked for, of which `read_program` reads what to run into `tail`, and starts it. */
void exec_take(struct request *request,
	void (*read_program)(struct fields *fields, struct wire_strings *tail));
/* Sends it. Takes order->exec over; what is wrong is responded. */
void exec_start(struct request *request, struct exec_order *order);

/* exec-output.c. Takes `fds` over (-1 is left there): standard output and error, then input. Those
 * of a detached command may lack the outputs, or all. Returns 0 or -errno. */
int exec_output_begin(struct exec *exec, int *fds, size_t n_fds);
/* The client has taken what was there: goes on reading. */
void exec_output_resume(struct exec *exec);
/* Reads what is left after the end. Returns true when nothing is left. */
bool exec_output_drain(struct exec *exec);
void exec_output_close(struct exec *exec);
/* Calls back when a read may have brought the end nearer. */
void exec_settle(struct exec *exec);

/* exec-stream.c */
int exec_stream_begin(struct exec *exec);
void exec_stream_output(struct exec *exec, enum exec_stream stream, const char *bytes, size_t size);
void exec_stream_truncated(struct exec *exec, enum exec_stream stream);
void exec_stream_end(struct exec *exec);
void exec_respond_result(struct exec *exec);
void exec_respond_detached(struct exec *exec);
