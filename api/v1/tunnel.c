#include "api/v1/tunnel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/base/cleanup.h"

#define READ_BYTES (32 * 1024)
#define READS_MAX 8 /* of one side in one round of the loop: others want their turn */

struct side {
	struct tunnel *tunnel;
	int fd;
	struct loop_source *source; /* NULL: nothing is wanted of it now */
	char *left;                 /* what it said and the other has not taken; NULL: nothing */
	size_t left_size, left_sent;
	bool ended;   /* it has said all */
	bool told;    /* and the other knows */
	bool hung_up; /* it reads nothing any more either */
};

struct tunnel {
	struct loop *loop;
	struct side sides[2];
	struct loop_source *timer;
	uint64_t idle_ms;
	tunnel_ended_callback ended;
	void *userdata;
};

static struct side *other(struct side *side)
{
	return &side->tunnel->sides[side == side->tunnel->sides];
}

static void unwatch(struct tunnel *tunnel)
{
	for (size_t i = 0; i < 2; i++)
		tunnel->sides[i].source = loop_source_free(tunnel->sides[i].source);
	loop_timer_disarm(tunnel->timer);
}

struct tunnel *tunnel_free(struct tunnel *tunnel)
{
	if (!tunnel)
		return NULL;
	unwatch(tunnel);
	loop_source_free(tunnel->timer);
	for (size_t i = 0; i < 2; i++)
		free(tunnel->sides[i].left);
	free(tunnel);
	return NULL;
}

static void end(struct tunnel *tunnel)
{
	unwatch(tunnel);
	tunnel->ended(tunnel->userdata);
}

static int keep(struct side *side, const char *bytes, size_t size)
{
	side->left = malloc(size);
	if (!side->left)
		return -ENOMEM;
	memcpy(side->left, bytes, size);
	side->left_size = size;
	side->left_sent = 0;
	return 0;
}

/* Returns how much was sent, 0 when nothing can be now, or -errno. */
static ssize_t send_some(int fd, const char *bytes, size_t size)
{
	ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return sent;
}

/* What waits goes first. Returns 0 or -errno. */
static int flush(struct side *side)
{
	ssize_t sent;

	if (!side->left)
		return 0;
	sent = send_some(
		other(side)->fd, side->left + side->left_sent, side->left_size - side->left_sent);
	if (sent < 0)
		return (int)sent;
	side->left_sent += (size_t)sent;
	if (side->left_sent < side->left_size)
		return 0;
	free(side->left);
	side->left = NULL;
	return 0;
}

/* Returns 1 when there may be more, 0 when not now, -errno when it is over. */
static int pass_once(struct side *side)
{
	char *buffer = loop_scratch(side->tunnel->loop, READ_BYTES);
	ssize_t got, sent;

	if (!buffer)
		return -ENOMEM;
	got = recv(side->fd, buffer, READ_BYTES, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (got == 0) {
		side->ended = true;
		return 0;
	}
	sent = send_some(other(side)->fd, buffer, (size_t)got);
	if (sent < 0)
		return (int)sent;
	if (sent < got)
		return keep(side, buffer + sent, (size_t)(got - sent));
	return got == READ_BYTES;
}

static int pass(struct side *side)
{
	int r = flush(side);

	for (size_t i = 0; i < READS_MAX && r >= 0 && !side->left && !side->ended; i++) {
		r = pass_once(side);
		if (r == 0)
			break;
	}
	if (r >= 0 && side->ended && !side->left && !side->told) {
		side->told = true;
		shutdown(other(side)->fd, SHUT_WR);
	}
	return r < 0 ? r : 0;
}

static void on_io(struct loop_source *source, uint32_t events, void *userdata);

/* A side of which nothing is wanted is not watched at all: its hang-up would be reported without
 * end. */
static int watch(struct side *side)
{
	uint32_t events =
		(!side->ended && !side->left ? EPOLLIN : 0) | (other(side)->left ? EPOLLOUT : 0);

	if (events == 0) {
		side->source = loop_source_free(side->source);
		return 0;
	}
	if (side->source)
		return loop_source_set_events(side->source, events);
	return loop_add_fd(side->tunnel->loop, side->fd, events, on_io, side, &side->source);
}

static int go_on(struct tunnel *tunnel)
{
	struct side *sides = tunnel->sides;
	bool is_half = sides[0].ended || sides[1].ended;

	if (pass(&sides[0]) < 0 || pass(&sides[1]) < 0)
		return -EPIPE;
	for (size_t i = 0; i < 2; i++)
		if (sides[i].told && (sides[i].hung_up || other(&sides[i])->told))
			return -EPIPE;
	if (watch(&sides[0]) < 0 || watch(&sides[1]) < 0)
		return -EPIPE;
	return loop_timer_arm(tunnel->timer, is_half ? tunnel->idle_ms / 2 : tunnel->idle_ms, 0);
}

/* An error is found by the call that it fails. */
static void on_io(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct side *side = userdata;

	side->hung_up = side->hung_up || (events & EPOLLHUP);
	if (go_on(side->tunnel) < 0)
		end(side->tunnel);
}

static void on_idle(struct loop_source *source _unused_, void *userdata)
{
	end(userdata);
}

int tunnel_new(struct loop *loop, const int fds[2], uint64_t idle_ms, tunnel_ended_callback ended,
	void *userdata, struct tunnel **ret_tunnel)
{
	struct tunnel *tunnel = calloc(1, sizeof(*tunnel));
	int r;

	if (!tunnel)
		return -ENOMEM;
	*tunnel = (struct tunnel){
		.loop = loop, .idle_ms = idle_ms, .ended = ended, .userdata = userdata};
	for (size_t i = 0; i < 2; i++)
		tunnel->sides[i] = (struct side){.tunnel = tunnel, .fd = fds[i]};
	r = loop_add_timer(loop, on_idle, tunnel, &tunnel->timer);
	if (r == 0)
		r = loop_timer_arm(tunnel->timer, idle_ms, 0);
	for (size_t i = 0; i < 2 && r == 0; i++)
		r = watch(&tunnel->sides[i]);
	if (r < 0) {
		tunnel_free(tunnel);
		return r;
	}
	*ret_tunnel = tunnel;
	return 0;
}

int tunnel_put(struct tunnel *tunnel, size_t from, const void *bytes, size_t size)
{
	int r;

	if (size == 0)
		return 0;
	r = keep(&tunnel->sides[from], bytes, size);
	for (size_t i = 0; i < 2 && r == 0; i++)
		r = watch(&tunnel->sides[i]);
	return r;
}
