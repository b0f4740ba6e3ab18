#include "supervisor/gate/flows/pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static struct pipe *make(struct pipes *pipes)
{
	struct pipe *pipe = malloc(sizeof(*pipe));
	int ends[2], size_bytes;

	if (!pipe)
		return NULL;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pipe);
		return NULL;
	}
	*pipe = (struct pipe){.read_fd = ends[0], .write_fd = ends[1]};
	/* Refused beyond the user's share: the pipe then stays as it is, of one page perhaps. */
	size_bytes = fcntl(pipe->write_fd, F_SETPIPE_SZ, PIPE_BYTES);
	pipe->size_bytes = size_bytes > 0 ? (size_t)size_bytes : PIPE_BYTES_MIN;
	pipes->n_all++;
	return pipe;
}

static void unmake(struct pipes *pipes, struct pipe *pipe)
{
	close(pipe->read_fd);
	close(pipe->write_fd);
	free(pipe);
	pipes->n_all--;
}

struct pipe *pipes_take(struct pipes *pipes, bool may_make)
{
	struct pipe *pipe = pipes->stock;

	if (pipe) {
		pipes->stock = pipe->next;
		pipes->n_stock--;
		return pipe;
	}
	return may_make && pipes->n_all < PIPES_MAX ? make(pipes) : NULL;
}

void pipes_give(struct pipes *pipes, struct pipe *pipe, bool empty)
{
	if (!empty || pipes->n_stock >= PIPES_STOCK_MAX) {
		unmake(pipes, pipe);
		return;
	}
	pipe->next = pipes->stock;
	pipes->stock = pipe;
	pipes->n_stock++;
}

void pipes_fini(struct pipes *pipes)
{
	while (pipes->stock)
		unmake(pipes, pipes_take(pipes, false));
}
