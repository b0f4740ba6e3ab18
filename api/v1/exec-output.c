/* Reading what a command writes and writing what it reads, as the pipes take and give it.
 *
 * A pipe is watched level-triggered: one read per round, so that a command that writes without end
 * does not keep others waiting. While the client does not take what is there, the pipe is not
 * watched, fills, and stops the command. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "api/http/server.h"
#include "api/http/stream.h"
#include "api/v1/exec.h"

#define READ_BYTES (32 * 1024)
#define COLLECT_BYTES_MIN 4096
/* Nothing that was written before the end is further back than the largest pipe (pipe(7)). */
#define DRAIN_BYTES_MAX (1024 * 1024)

static void pipe_unwatch(struct exec_pipe *pipe)
{
	pipe->source = loop_source_free(pipe->source);
}

static void pipe_close(struct exec_pipe *pipe)
{
	pipe_unwatch(pipe);
	if (pipe->fd >= 0)
		close(pipe->fd);
	pipe->fd = -1;
}

static enum exec_stream stream_of(const struct exec_pipe *pipe)
{
	return pipe == &pipe->exec->pipes[EXEC_STDERR] ? EXEC_STDERR : EXEC_STDOUT;
}

/* The rest is read and dropped. */
static void pipe_truncate(struct exec_pipe *pipe)
{
	struct exec *exec = pipe->exec;

	if (pipe->truncated)
		return;
	pipe->truncated = true;
	if (exec->request && exec->form != REQUEST_FORM_JSON)
		exec_stream_truncated(exec, stream_of(pipe));
}

/* Makes room to read into without copying; 0 when the limit is reached. */
static size_t pipe_room(struct exec_pipe *pipe)
{
	struct writer *collected = &pipe->collected;
	size_t left = pipe->exec->output_limit - pipe->n_taken;
	size_t wanted = collected->size > COLLECT_BYTES_MIN ? collected->size : COLLECT_BYTES_MIN;
	size_t room;

	if (left == 0)
		return 0;
	if (collected->room > collected->size) {
		room = collected->room - collected->size;
		return room < left ? room : left;
	}
	if (!server_hold(pipe->exec->server, wanted))
		return 0;
	pipe->held += wanted;
	if (!writer_reserve(collected, wanted))
		return 0;
	room = collected->room - collected->size;
	return room < left ? room : left;
}

/* Returns what read(2) returned, or -errno. */
static ssize_t read_some(int fd, void *bytes, size_t size)
{
	ssize_t got;

	do
		got = read(fd, bytes, size);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t pipe_collect(struct exec_pipe *pipe)
{
	size_t room = pipe->truncated ? 0 : pipe_room(pipe);
	char dropped[READ_BYTES];
	ssize_t got;

	if (room > 0) {
		got = read_some(pipe->fd, pipe->collected.bytes + pipe->collected.size, room);
		if (got > 0) {
			pipe->collected.size += (size_t)got;
			pipe->n_taken += (size_t)got;
		}
		return got;
	}
	got = read_some(pipe->fd, dropped, sizeof(dropped));
	if (got > 0)
		pipe_truncate(pipe);
	return got;
}

static ssize_t pipe_forward(struct exec_pipe *pipe)
{
	struct exec *exec = pipe->exec;
	char bytes[READ_BYTES];
	ssize_t got = read_some(pipe->fd, bytes, sizeof(bytes));
	size_t left = exec->output_limit - pipe->n_taken, size;

	if (got <= 0 || pipe->truncated)
		return got;
	size = (size_t)got < left ? (size_t)got : left;
	if (size > 0)
		exec_stream_output(exec, stream_of(pipe), bytes, size);
	pipe->n_taken += size;
	if (size < (size_t)got)
		pipe_truncate(pipe);
	return got;
}

static ssize_t pipe_discard(struct exec_pipe *pipe)
{
	char bytes[READ_BYTES];

	return read_some(pipe->fd, bytes, sizeof(bytes));
}

static ssize_t pipe_read(struct exec_pipe *pipe)
{
	struct exec *exec = pipe->exec;
	ssize_t got;

	if (!exec->request)
		got = pipe_discard(pipe);
	else if (exec->form == REQUEST_FORM_JSON)
		got = pipe_collect(pipe);
	else
		got = pipe_forward(pipe);
	if (got == 0 || (got < 0 && got != -EAGAIN))
		pipe_close(pipe);
	return got;
}

static bool is_blocked(const struct exec *exec)
{
	return exec->request && exec->request->stream && stream_is_full(exec->request);
}

static void on_readable(
	struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct exec_pipe *pipe = userdata;
	struct exec *exec = pipe->exec;

	if (exec->exited) {
		exec_settle(exec);
		return;
	}
	pipe_read(pipe);
	if (exec->request && exec->request->stream)
		stream_flush(exec->request);
	if (!is_blocked(exec))
		return;
	for (size_t i = 0; i < EXEC_N_STREAMS; i++)
		pipe_unwatch(&exec->pipes[i]);
}

static int pipe_watch(struct exec_pipe *pipe)
{
	if (pipe->fd < 0 || pipe->source)
		return 0;
	return loop_add_fd(server_loop(pipe->exec->server), pipe->fd, EPOLLIN, on_readable, pipe,
		&pipe->source);
}

static void input_close(struct exec *exec)
{
	exec->input_source = loop_source_free(exec->input_source);
	if (exec->input_fd >= 0)
		close(exec->input_fd);
	exec->input_fd = -1;
}

/* A command that closes its standard input early is not wrong: what is left is dropped. */
static void input_write(struct exec *exec)
{
	while (exec->input_written < exec->input_size) {
		ssize_t written = write(exec->input_fd, exec->input + exec->input_written,
			exec->input_size - exec->input_written);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EAGAIN)
			return;
		if (written < 0)
			break;
		exec->input_written += (size_t)written;
	}
	input_close(exec);
}

static void on_writable(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct exec *exec = userdata;

	if (events & EPOLLERR)
		input_close(exec);
	else
		input_write(exec);
}

/* The pipes are fresh, so no other status flag is lost. The command's ends are descriptions of
 * their own and stay blocking. */
static int take_fd(int *fds, size_t index, int *ret_fd)
{
	*ret_fd = fds[index];
	fds[index] = -1;
	return fcntl(*ret_fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int exec_output_begin(struct exec *exec, int *fds, size_t n_fds)
{
	size_t n_outputs = n_fds >= EXEC_N_STREAMS ? EXEC_N_STREAMS : 0;
	int r = 0;

	for (size_t i = 0; i < n_outputs && r == 0; i++) {
		r = take_fd(fds, i, &exec->pipes[i].fd);
		if (r == 0)
			r = pipe_watch(&exec->pipes[i]);
	}
	if (r < 0 || n_fds == n_outputs)
		return r;
	r = take_fd(fds, n_outputs, &exec->input_fd);
	if (r < 0)
		return r;
	input_write(exec);
	if (exec->input_fd < 0)
		return 0;
	return loop_add_fd(server_loop(exec->server), exec->input_fd, EPOLLOUT, on_writable, exec,
		&exec->input_source);
}

void exec_output_resume(struct exec *exec)
{
	if (exec->exited) {
		exec_settle(exec);
		return;
	}
	for (size_t i = 0; i < EXEC_N_STREAMS; i++) {
		/* Without memory to watch it the output would hang: it is over instead. */
		if (pipe_watch(&exec->pipes[i]) < 0) {
			pipe_truncate(&exec->pipes[i]);
			pipe_close(&exec->pipes[i]);
		}
	}
}

bool exec_output_drain(struct exec *exec)
{
	input_close(exec);
	for (size_t i = 0; i < EXEC_N_STREAMS; i++) {
		struct exec_pipe *pipe = &exec->pipes[i];

		if (!exec->over)
			pipe->drain_left = DRAIN_BYTES_MAX;
		pipe_unwatch(pipe);
	}
	exec->over = true;
	for (size_t i = 0; i < EXEC_N_STREAMS; i++) {
		struct exec_pipe *pipe = &exec->pipes[i];

		while (pipe->fd >= 0 && pipe->drain_left > 0) {
			ssize_t got;

			if (is_blocked(exec)) {
				stream_flush(exec->request);
				return false;
			}
			got = pipe_read(pipe);
			if (got <= 0)
				break;
			pipe->drain_left -=
				(size_t)got < pipe->drain_left ? (size_t)got : pipe->drain_left;
		}
		pipe_close(pipe);
	}
	return true;
}

void exec_output_close(struct exec *exec)
{
	input_close(exec);
	for (size_t i = 0; i < EXEC_N_STREAMS; i++) {
		pipe_close(&exec->pipes[i]);
		server_release(exec->server, exec->pipes[i].held);
		writer_fini(&exec->pipes[i].collected);
	}
}
