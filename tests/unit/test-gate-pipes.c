#include <errno.h>
#include <unistd.h>

#include "supervisor/gate/flows/pipes.h"
#include "tests/harness/check.h"

TEST(emptied_pipe_is_used_again)
{
	struct pipes pipes = {0};
	struct pipe *first = pipes_take(&pipes, true);

	CHECK(first);
	pipes_give(&pipes, first, true);
	CHECK_INT(pipes.n_all, 1);
	CHECK(pipes_take(&pipes, true) == first);
	pipes_give(&pipes, first, true);
	pipes_fini(&pipes);
	CHECK_INT(pipes.n_all, 0);
}

TEST(bytes_left_in_a_pipe_reach_no_other_borrower)
{
	struct pipes pipes = {0};
	struct pipe *pipe = pipes_take(&pipes, true);
	char byte;

	CHECK_INT(write(pipe->write_fd, "secret", 6), 6);
	pipes_give(&pipes, pipe, false);
	CHECK_INT(pipes.n_all, 0);
	pipe = pipes_take(&pipes, true);
	CHECK(read(pipe->read_fd, &byte, 1) < 0);
	CHECK_INT(errno, EAGAIN);
	pipes_give(&pipes, pipe, true);
	pipes_fini(&pipes);
}

TEST(pipes_are_bounded_and_so_is_their_stock)
{
	struct pipe *taken[PIPES_MAX];
	struct pipes pipes = {0};

	CHECK(!pipes_take(&pipes, false));
	for (size_t i = 0; i < PIPES_MAX; i++) {
		taken[i] = pipes_take(&pipes, true);
		if (!taken[i] && errno == EMFILE)
			check_skip("needs %d descriptors", 2 * PIPES_MAX);
		CHECK(taken[i]);
	}
	CHECK(!pipes_take(&pipes, true));
	for (size_t i = 0; i < PIPES_MAX; i++)
		pipes_give(&pipes, taken[i], true);
	CHECK_INT(pipes.n_all, PIPES_STOCK_MAX);
	pipes_fini(&pipes);
}
