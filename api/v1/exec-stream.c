/* What the client is told: lines while the command runs (NDJSON, or server-sent events), or one
 * object at its end. */
#include <errno.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/http/stream.h"
#include "api/text/json.h"
#include "api/v1/exec.h"
#include "api/v1/ids.h"
#include "api/v1/signals.h"
#include "supervisor/base/utf8.h"
#include "supervisor/wire/exec-end.h"

static const char *const stream_names[EXEC_N_STREAMS] = {"stdout", "stderr"};

static void write_identity(struct writer *writer, const struct exec *exec)
{
	char id[ID_SIZE];

	id_write_exec(exec->id, id);
	json_write_text(writer, "exec_id", id);
	json_write_number(writer, "pid", exec->pid);
}

static void write_end(struct writer *writer, const struct wire_exec_exited *end)
{
	const char *reason = wire_exec_end_name(end->end);
	char name[SIGNAL_NAME_SIZE];

	json_write_name(writer, "exit_code");
	if (end->signal != 0 || end->end == WIRE_EXEC_END_SANDBOX)
		writer_text(writer, "null");
	else
		writer_print(writer, "%d", end->code);
	if (end->signal != 0) {
		signal_write_name(end->signal, name);
		json_write_text(writer, "signal", name);
	} else {
		json_write_null(writer, "signal");
	}
	json_write_text(writer, "reason", reason ? reason : "exited");
}

static void write_usage(struct writer *writer, const struct wire_exec_exited *end)
{
	json_write_boolean(writer, "pids_limit_hit", end->pids_limit_hit);
	json_write_name(writer, "usage");
	json_write_open(writer, '{');
	json_write_number(writer, "user_us", end->user_us);
	json_write_number(writer, "system_us", end->system_us);
	json_write_number(writer, "wall_us", end->wall_us);
	json_write_number(writer, "max_rss_bytes", end->max_rss_bytes);
	json_write_close(writer, '}');
}

static void write_truncated(struct writer *writer, const struct exec *exec)
{
	json_write_boolean(writer, "stdout_truncated", exec->pipes[EXEC_STDOUT].truncated);
	json_write_boolean(writer, "stderr_truncated", exec->pipes[EXEC_STDERR].truncated);
}

/* ---- one object */

static bool write_collected(struct writer *writer, const char *name, const struct exec_pipe *pipe)
{
	const struct writer *collected = &pipe->collected;
	bool cut_short;
	size_t valid = utf8_valid_size(collected->bytes, collected->size, &cut_short);
	/* The limit may have cut a character in two: its beginning does not make text binary. */
	bool is_text = valid == collected->size || (pipe->truncated && cut_short);

	json_write_name(writer, name);
	if (is_text)
		json_write_string(writer, collected->bytes, valid);
	else
		json_write_base64(writer, collected->bytes, collected->size);
	return is_text;
}

void exec_respond_result(struct exec *exec)
{
	struct writer *writer = &exec->request->answer;
	bool stdout_is_text, stderr_is_text;

	json_write_open(writer, '{');
	write_identity(writer, exec);
	write_end(writer, &exec->end);
	stdout_is_text = write_collected(writer, "stdout", &exec->pipes[EXEC_STDOUT]);
	stderr_is_text = write_collected(writer, "stderr", &exec->pipes[EXEC_STDERR]);
	json_write_text(writer, "stdout_encoding", stdout_is_text ? "utf-8" : "base64");
	json_write_text(writer, "stderr_encoding", stderr_is_text ? "utf-8" : "base64");
	write_truncated(writer, exec);
	write_usage(writer, &exec->end);
	json_write_close(writer, '}');
	respond_json(exec->request, 200);
}

void exec_respond_detached(struct exec *exec)
{
	struct writer *writer = &exec->request->answer;

	json_write_open(writer, '{');
	write_identity(writer, exec);
	json_write_close(writer, '}');
	respond_json(exec->request, 202);
}

/* ---- lines */

static struct writer *line_begin(struct exec *exec, const char *type)
{
	struct writer *writer = stream_writer(exec->request);

	if (exec->form == REQUEST_FORM_SSE)
		writer_print(writer, "event: %s\ndata: ", type);
	json_write_open(writer, '{');
	json_write_text(writer, "type", type);
	return writer;
}

static void line_end(struct exec *exec)
{
	struct writer *writer = stream_writer(exec->request);

	json_write_close(writer, '}');
	writer_text(writer, exec->form == REQUEST_FORM_SSE ? "\n\n" : "\n");
}

static void on_drained(void *userdata)
{
	exec_output_resume(userdata);
}

int exec_stream_begin(struct exec *exec)
{
	bool sse = exec->form == REQUEST_FORM_SSE;
	int r = stream_begin(exec->request, 200, sse ? "text/event-stream" : "application/x-ndjson",
		on_drained, exec);

	if (r < 0)
		return r;
	write_identity(line_begin(exec, "start"), exec);
	line_end(exec);
	stream_flush(exec->request);
	return 0;
}

static void write_chunk(
	struct exec *exec, enum exec_stream stream, const char *bytes, size_t size, bool is_text)
{
	struct writer *writer = line_begin(exec, stream_names[stream]);

	json_write_name(writer, "data");
	if (is_text)
		json_write_string(writer, bytes, size);
	else
		json_write_base64(writer, bytes, size);
	json_write_text(writer, "encoding", is_text ? "utf-8" : "base64");
	line_end(exec);
}

/* Completes the character that the last chunk left unfinished with the first of `bytes`. Returns
 * how many of them it used. What cannot become a character is sent as it is. */
static size_t complete_character(
	struct exec *exec, enum exec_stream stream, const char *bytes, size_t size)
{
	struct exec_pipe *pipe = &exec->pipes[stream];
	size_t used = 0;
	bool cut_short = true;

	while (pipe->n_cut_short > 0 && used < size && cut_short) {
		char *sequence = pipe->cut_short;
		size_t valid;

		sequence[pipe->n_cut_short++] = bytes[used++];
		valid = utf8_valid_size(sequence, pipe->n_cut_short, &cut_short);
		if (valid == 0 && cut_short)
			continue;
		if (valid == 0) {
			pipe->n_cut_short--;
			used--;
		}
		write_chunk(exec, stream, sequence, pipe->n_cut_short, valid > 0);
		pipe->n_cut_short = 0;
	}
	return used;
}

void exec_stream_output(struct exec *exec, enum exec_stream stream, const char *bytes, size_t size)
{
	struct exec_pipe *pipe = &exec->pipes[stream];
	size_t used = complete_character(exec, stream, bytes, size), valid;
	bool cut_short;

	bytes += used;
	size -= used;
	if (size == 0)
		return;
	valid = utf8_valid_size(bytes, size, &cut_short);
	if (valid < size && !cut_short) {
		write_chunk(exec, stream, bytes, size, false);
		return;
	}
	if (valid > 0)
		write_chunk(exec, stream, bytes, valid, true);
	pipe->n_cut_short = size - valid;
	memcpy(pipe->cut_short, bytes + valid, size - valid);
}

static void flush_cut_short(struct exec *exec, enum exec_stream stream)
{
	struct exec_pipe *pipe = &exec->pipes[stream];

	if (pipe->n_cut_short > 0)
		write_chunk(exec, stream, pipe->cut_short, pipe->n_cut_short, false);
	pipe->n_cut_short = 0;
}

void exec_stream_truncated(struct exec *exec, enum exec_stream stream)
{
	struct writer *writer;

	exec->pipes[stream].n_cut_short = 0;
	writer = line_begin(exec, "truncated");
	json_write_text(writer, "stream", stream_names[stream]);
	line_end(exec);
}

void exec_stream_end(struct exec *exec)
{
	struct writer *writer;

	for (size_t i = 0; i < EXEC_N_STREAMS; i++)
		flush_cut_short(exec, (enum exec_stream)i);
	writer = line_begin(exec, "exit");
	write_identity(writer, exec);
	write_end(writer, &exec->end);
	write_truncated(writer, exec);
	write_usage(writer, &exec->end);
	line_end(exec);
	stream_finish(exec->request);
}
