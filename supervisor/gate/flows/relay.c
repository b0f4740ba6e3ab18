#include "supervisor/gate/flows/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/gate/inlets/inlet.h"

/* A sandbox whose peers read slowly may keep this many pipes filled; beyond, its bytes are copied.
 */
#define PIPES_HELD_PER_SANDBOX_MAX 32
#define QUICK_BYTES 16384 /* up to this many at once are copied, not spliced */
/* Bytes that the kernel may hold unsent in a socket of ours before it stops being writable; without
 * this, a slow reader makes it hold net.ipv4.tcp_wmem[2], 4 MiB. */
#define UNSENT_BYTES_MAX (128 * 1024)
#define UNSENT_BOUND_BYTES 16384 /* is set once so many were sent: most connections end before */

/* What the failed side sent before is still worth taking, unless taking is what failed. */
void relay_fail(struct flow *flow, int side, int error, bool can_take)
{
	flow->sides[side].failed = true;
	flow->sides[side].readable = can_take;
	if (flow->error == 0)
		flow->error = error;
}

/* Keeps a pipe only while bytes are in it. */
static void settle_pipe(struct flow *flow, struct direction *direction)
{
	if (!direction->pipe || direction->held_bytes > 0)
		return;
	pipes_give(&flow->listener->gate->pipes, direction->pipe, true);
	direction->pipe = NULL;
	flow->listener->n_pipes_held--;
}

static void drop_pipe(struct flow *flow, struct direction *direction)
{
	if (!direction->pipe)
		return;
	pipes_give(&flow->listener->gate->pipes, direction->pipe, direction->held_bytes == 0);
	direction->pipe = NULL;
	direction->held_bytes = 0;
	flow->listener->n_pipes_held--;
}

static bool borrow_pipe(struct flow *flow, const struct side *sender, struct direction *direction)
{
	struct listener *listener = flow->listener;

	if (direction->pipe)
		return true;
	if (sender->urgent || (sender == &flow->sides[OUTER] && inlet_awaits_server(flow)))
		return false;
	if (listener->n_pipes_held >= PIPES_HELD_PER_SANDBOX_MAX)
		return false;
	direction->pipe = pipes_take(&listener->gate->pipes, gate_has_fds(listener->gate, 2));
	if (!direction->pipe)
		return false;
	listener->n_pipes_held++;
	return true;
}

/* epoll(7): less than was asked for means that there is no more, and what comes makes a new edge.
 * An end that was there already made its edge before, and urgent data stops a read in front of it.
 */
void relay_note_read(struct side *side, size_t got, size_t wanted)
{
	if (got < wanted && !side->ending && !side->urgent)
		side->readable = false;
}

/* Takes bytes into the empty pipe. EAGAIN therefore means that the socket is empty, never that the
 * pipe is full. Returns whether there is something to send on. */
static bool fill(struct flow *flow, int from, struct direction *direction)
{
	struct side *sender = &flow->sides[from];
	ssize_t got = splice(sender->fd, NULL, direction->pipe->write_fd, NULL, PIPE_BYTES,
		SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	direction->is_bulk = got >= QUICK_BYTES;
	if (got > 0)
		direction->held_bytes = (uint32_t)got;
	else if (got == 0)
		direction->at_end = true;
	else if (errno == EAGAIN)
		sender->readable = false;
	else if (errno != EINTR)
		relay_fail(flow, from, -errno, false);
	return got > 0;
}

/* Returns how many bytes the receiver took. */
static size_t send_on(struct flow *flow, int to, struct direction *direction)
{
	struct side *receiver = &flow->sides[to];
	ssize_t sent = splice(direction->pipe->read_fd, NULL, receiver->fd, NULL,
		direction->held_bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (sent > 0) {
		direction->held_bytes -= (uint32_t)sent;
		return (size_t)sent;
	}
	if (sent == 0 || errno == EAGAIN)
		receiver->writable = false;
	else if (errno != EINTR)
		relay_fail(flow, to, -errno, true);
	return 0;
}

/* Bytes that were read already, into the empty pipe. */
static void keep(struct flow *flow, int from, struct direction *direction, const char *bytes,
	size_t size_bytes)
{
	if (write(direction->pipe->write_fd, bytes, size_bytes) == (ssize_t)size_bytes)
		direction->held_bytes = (uint32_t)size_bytes;
	else
		relay_fail(flow, from, -EIO, false);
}

/* One read and one write, where splicing would take a call more and set up more. */
static size_t pass_quickly(struct flow *flow, int from, struct direction *direction)
{
	struct side *sender = &flow->sides[from], *receiver = &flow->sides[!from];
	size_t wanted = direction->pipe->size_bytes < QUICK_BYTES ? direction->pipe->size_bytes
								  : QUICK_BYTES;
	char *buffer = flow->listener->gate->copy_buffer;
	ssize_t got = recv(sender->fd, buffer, wanted, MSG_DONTWAIT), sent;

	if (got == 0)
		direction->at_end = true;
	else if (got < 0 && errno == EAGAIN)
		sender->readable = false;
	else if (got < 0 && errno != EINTR)
		relay_fail(flow, from, -errno, false);
	if (got <= 0)
		return 0;
	relay_note_read(sender, (size_t)got, wanted);
	direction->is_bulk = (size_t)got == wanted;
	sent = send(receiver->fd, buffer, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		receiver->writable = false;
	else if (sent < 0 && errno != EINTR)
		relay_fail(flow, !from, -errno, true);
	if (sent < 0)
		sent = 0;
	if (sent < got && !receiver->failed)
		keep(flow, from, direction, buffer + sent, (size_t)(got - sent));
	return (size_t)sent;
}

static size_t copy(struct flow *flow, int from, struct direction *direction)
{
	struct side *sender = &flow->sides[from], *receiver = &flow->sides[!from];
	char *buffer = flow->listener->gate->copy_buffer;
	ssize_t got = recv(sender->fd, buffer, COPY_BUFFER_BYTES, MSG_PEEK | MSG_DONTWAIT), sent;

	if (got == 0)
		direction->at_end = true;
	else if (got < 0 && errno == EAGAIN)
		sender->readable = false;
	else if (got < 0 && errno != EINTR)
		relay_fail(flow, from, -errno, false);
	if (got <= 0 || (from == OUTER && !inlet_show_server(flow, buffer, (size_t)got)))
		return 0;
	sent = send(receiver->fd, buffer, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == EAGAIN)
		receiver->writable = false;
	else if (sent < 0 && errno != EINTR)
		relay_fail(flow, !from, -errno, true);
	if (sent <= 0)
		return 0;
	/* tcp(7): MSG_TRUNC takes the bytes without copying them. They are there: we saw them. */
	if (recv(sender->fd, NULL, (size_t)sent, MSG_TRUNC | MSG_DONTWAIT) != sent)
		relay_fail(flow, from, -EIO, false);
	if (from == OUTER)
		inlet_server_sent(flow, (size_t)sent);
	return (size_t)sent;
}

static size_t step(struct flow *flow, int from, struct direction *direction)
{
	if (from == INNER && inlet_is_open(flow))
		return inlet_step(flow);
	if (direction->held_bytes > 0)
		return send_on(flow, !from, direction);
	if (!borrow_pipe(flow, &flow->sides[from], direction))
		return copy(flow, from, direction);
	if (!direction->is_bulk)
		return pass_quickly(flow, from, direction);
	return fill(flow, from, direction) ? send_on(flow, !from, direction) : 0;
}

static void pass_end_on(struct flow *flow, int to, struct direction *direction)
{
	direction->shut = true;
	if (shutdown(flow->sides[to].fd, SHUT_WR) < 0)
		relay_fail(flow, to, -errno, true);
}

static void bound_unsent(struct side *side)
{
	const int unsent_bytes = UNSENT_BYTES_MAX;

	setsockopt(side->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof(unsent_bytes));
	side->bounded = true;
}

enum relay_result relay_move(
	struct flow *flow, int from, size_t budget_bytes, size_t *ret_moved_bytes)
{
	struct direction *direction = &flow->directions[from];
	struct side *sender = &flow->sides[from], *receiver = &flow->sides[!from];
	enum relay_result result = RELAY_MORE;
	size_t moved = 0;

	while (moved < budget_bytes && result == RELAY_MORE) {
		bool at_end = direction->at_end && direction->held_bytes == 0;

		/* After a reset, reading gives an end of stream that nobody sent. */
		if (direction->shut || receiver->failed || inlet_is_refused(flow) ||
			(at_end && sender->failed)) {
			result = RELAY_ENDED;
		} else if (at_end) {
			pass_end_on(flow, !from, direction);
		} else if (!receiver->writable ||
			   (direction->held_bytes == 0 && !sender->readable)) {
			result = RELAY_WAITS;
		} else {
			moved += step(flow, from, direction);
		}
	}
	settle_pipe(flow, direction);
	direction->bytes += moved;
	if (direction->bytes >= UNSENT_BOUND_BYTES && !receiver->bounded)
		bound_unsent(receiver);
	*ret_moved_bytes += moved;
	return result;
}

void relay_release(struct flow *flow)
{
	drop_pipe(flow, &flow->directions[INNER]);
	drop_pipe(flow, &flow->directions[OUTER]);
}
