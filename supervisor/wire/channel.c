#include "supervisor/wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"

#define QUEUE_BYTES_MAX (8 * 1024 * 1024)
#define MESSAGES_PER_WAKEUP 32

struct queued {
	struct queued *next;
	size_t size, n_fds;
	int fds[WIRE_FDS_MAX];
	_Alignas(8) char bytes[];
};

struct channel {
	struct loop *loop;
	struct loop_source *source;
	int fd;
	bool given_up;
	bool *freed; /* set while a callback runs, so that the caller sees a channel_free() inside
		      */
	channel_message_callback received;
	channel_closed_callback closed;
	void *userdata;
	struct queued *first, **last;
	size_t queued_bytes;
};

static void on_ready(struct loop_source *source, uint32_t events, void *userdata);

int channel_new(struct loop *loop, int fd, channel_message_callback received,
	channel_closed_callback closed, void *userdata, struct channel **ret_channel)
{
	_cleanup_close_ int owned = fd;
	struct channel *channel = calloc(1, sizeof(*channel));
	int r;

	if (!channel)
		return -ENOMEM;
	channel->loop = loop;
	channel->fd = fd;
	channel->received = received;
	channel->closed = closed;
	channel->userdata = userdata;
	channel->last = &channel->first;
	r = fd_set_nonblocking(fd, true);
	if (r == 0)
		r = loop_add_fd(loop, fd, EPOLLIN, on_ready, channel, &channel->source);
	if (r < 0) {
		free(channel);
		return r;
	}
	steal_fd(&owned);
	*ret_channel = channel;
	return 0;
}

static void queued_free(struct queued *queued)
{
	for (size_t i = 0; i < queued->n_fds; i++)
		close(queued->fds[i]);
	free(queued);
}

struct channel *channel_free(struct channel *channel)
{
	if (!channel)
		return NULL;
	if (channel->freed)
		*channel->freed = true;
	loop_source_free(channel->source);
	close(channel->fd);
	while (channel->first) {
		struct queued *queued = channel->first;

		channel->first = queued->next;
		queued_free(queued);
	}
	free(channel);
	return NULL;
}

int channel_fd(const struct channel *channel)
{
	return channel->fd;
}

static void give_up(struct channel *channel, int reason)
{
	if (channel->given_up)
		return;
	channel->given_up = true;
	channel->source = loop_source_free(channel->source);
	channel->closed(channel, reason, channel->userdata);
}

static int send_now(int fd, struct iovec *parts, size_t n_parts, const int *fds, size_t n_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)] = {0};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = n_parts};
	ssize_t sent;

	if (n_fds > 0) {
		struct cmsghdr *header;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(header), fds, sizeof(int) * n_fds);
	}
	do
		sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

static int queue_message(struct channel *channel, const struct iovec *parts, const int *fds,
	size_t n_fds, size_t size)
{
	struct queued *queued;
	size_t used = 0;

	if (channel->queued_bytes + size > QUEUE_BYTES_MAX)
		return -ENOBUFS;
	queued = malloc(sizeof(*queued) + size);
	if (!queued)
		return -ENOMEM;
	queued->next = NULL;
	queued->size = size;
	queued->n_fds = 0;
	for (size_t i = 0; i < 3; i++) {
		if (parts[i].iov_len)
			memcpy(queued->bytes + used, parts[i].iov_base, parts[i].iov_len);
		used += parts[i].iov_len;
	}
	for (size_t i = 0; i < n_fds; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);

		if (copy < 0) {
			queued_free(queued);
			return -errno;
		}
		queued->fds[queued->n_fds++] = copy;
	}
	*channel->last = queued;
	channel->last = &queued->next;
	channel->queued_bytes += size;
	return loop_source_set_events(channel->source, EPOLLIN | EPOLLOUT);
}

int channel_send(struct channel *channel, uint16_t type, uint64_t cookie, const void *body,
	size_t body_size, const void *tail, size_t tail_size, const int *fds, size_t n_fds)
{
	struct wire_header header = {.version = WIRE_VERSION, .type = type, .cookie = cookie};
	size_t size = sizeof(header) + body_size + tail_size;
	struct iovec parts[] = {
		{&header, sizeof(header)}, {(void *)body, body_size}, {(void *)tail, tail_size}};
	int r = -EAGAIN;

	if (size > WIRE_FRAME_MAX || n_fds > WIRE_FDS_MAX)
		return -EMSGSIZE;
	if (channel->given_up)
		return -EPIPE;
	header.size = (uint32_t)size;
	if (!channel->first)
		r = send_now(channel->fd, parts, ARRAY_SIZE(parts), fds, n_fds);
	if (r == -EAGAIN)
		r = queue_message(channel, parts, fds, n_fds, size);
	return r;
}

static int flush(struct channel *channel)
{
	while (channel->first) {
		struct queued *queued = channel->first;
		struct iovec part = {queued->bytes, queued->size};
		int r = send_now(channel->fd, &part, 1, queued->fds, queued->n_fds);

		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		channel->first = queued->next;
		if (!channel->first)
			channel->last = &channel->first;
		channel->queued_bytes -= queued->size;
		queued_free(queued);
	}
	return loop_source_set_events(channel->source, EPOLLIN);
}

static void collect_fds(struct msghdr *header, struct channel_message *message)
{
	struct cmsghdr *part;

	for (part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		message->n_fds = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(message->fds, CMSG_DATA(part), message->n_fds * sizeof(int));
	}
}

/* Returns 1 with a message, 0 when there is none now, -ESHUTDOWN at the end, other -errno. */
static int receive_one(struct channel *channel, struct channel_message *message)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	/* One buffer for all: ten thousand channels would otherwise keep a gigabyte. */
	char *buffer = loop_scratch(channel->loop, WIRE_FRAME_MAX);
	struct iovec part = {buffer, WIRE_FRAME_MAX};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	const struct wire_header *frame = (const void *)buffer;
	ssize_t got;

	if (!buffer)
		return -ENOMEM;
	got = recvmsg(channel->fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	*message = (struct channel_message){
		.header = frame, .body = frame + 1, .fds = {-1, -1, -1, -1}};
	collect_fds(&header, message);
	if (got == 0)
		return -ESHUTDOWN;
	if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)got < sizeof(*frame) ||
		frame->version != WIRE_VERSION || frame->size != (size_t)got)
		return -EPROTO;
	message->body_size = (size_t)got - sizeof(*frame);
	return 1;
}

static void close_left_fds(struct channel_message *message)
{
	for (size_t i = 0; i < message->n_fds; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
}

/* Returns false when the channel is freed or given up. */
static bool receive_all(struct channel *channel)
{
	bool freed = false;

	for (int i = 0; i < MESSAGES_PER_WAKEUP; i++) {
		struct channel_message message = {.n_fds = 0};
		int r = receive_one(channel, &message);

		if (r == 0)
			return true;
		if (r == 1) {
			channel->freed = &freed;
			r = channel->received(channel, &message, channel->userdata);
		}
		close_left_fds(&message);
		if (freed)
			return false;
		channel->freed = NULL;
		if (r < 0) {
			give_up(channel, r == -ESHUTDOWN ? 0 : r);
			return false;
		}
	}
	return true;
}

static void on_ready(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct channel *channel = userdata;
	int r;

	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !receive_all(channel))
		return;
	if (channel->given_up || !(events & EPOLLOUT))
		return;
	r = flush(channel);
	if (r < 0)
		give_up(channel, r);
}
