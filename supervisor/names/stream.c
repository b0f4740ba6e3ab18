/* DNS over TCP (RFC 7766): each message behind two bytes of length, several on one connection,
 * answered as their tickets come. A connection is freed by its own events and by the tick only, so
 * that whoever answers a question never sees one vanish. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/names/service.h"

#define ACCEPTS_PER_WAKEUP 8
#define MESSAGES_PER_WAKEUP 32
#define UNANSWERED_MAX 16 /* of one connection; more is not read */
#define OUT_BYTES ((UNANSWERED_MAX + 1) * (ANSWER_SIZE_MAX + 2))

static bool is_full(const struct stream *stream)
{
	size_t room = OUT_BYTES - stream->n_out;

	return stream->n_waiting >= UNANSWERED_MAX ||
	       room < (stream->n_waiting + 1) * (ANSWER_SIZE_MAX + 2);
}

static size_t next_size(const struct stream *stream)
{
	return 2 + ((size_t)stream->in[0] << 8 | stream->in[1]);
}

static bool has_message(const struct stream *stream)
{
	return stream->n_in >= 2 && stream->n_in >= next_size(stream);
}

static void touch(struct stream *stream)
{
	struct names *names = stream->service->names;

	stream->active_ns = clock_monotonic_ns();
	TAILQ_REMOVE(&names->streams, stream, in_names);
	TAILQ_INSERT_TAIL(&names->streams, stream, in_names);
}

/* Only whole messages count as activity. */
static void take_messages(struct stream *stream)
{
	const struct asker asker = {.stream = stream};

	for (int i = 0; i < MESSAGES_PER_WAKEUP && has_message(stream) && !is_full(stream) &&
			!stream->service->is_held && !stream->failed;
		i++) {
		size_t size_bytes = next_size(stream);

		touch(stream);
		if (query_take(stream->service, &asker, stream->in + 2, size_bytes - 2) < 0)
			stream->failed = true;
		stream->n_in -= size_bytes;
		memmove(stream->in, stream->in + size_bytes, stream->n_in);
	}
}

static void receive(struct stream *stream)
{
	ssize_t got;

	if (stream->n_in == sizeof(stream->in) || stream->at_end)
		return;
	got = recv(stream->fd, stream->in + stream->n_in, sizeof(stream->in) - stream->n_in,
		MSG_DONTWAIT);
	if (got > 0)
		stream->n_in += (size_t)got;
	else if (got == 0)
		stream->at_end = true;
	else if (errno != EAGAIN && errno != EINTR)
		stream->failed = true;
	if (stream->n_in >= 2 && next_size(stream) > sizeof(stream->in))
		stream->failed = true;
}

static void send_out(struct stream *stream)
{
	ssize_t sent;

	if (stream->n_out == 0 || stream->failed)
		return;
	sent = send(stream->fd, stream->out, stream->n_out, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0) {
		stream->n_out -= (size_t)sent;
		memmove(stream->out, stream->out + sent, stream->n_out);
	} else if (errno != EAGAIN && errno != EINTR) {
		stream->failed = true;
	}
}

static bool is_over(const struct stream *stream)
{
	return stream->failed || (stream->at_end && !has_message(stream) && stream->n_out == 0 &&
					 stream->n_waiting == 0);
}

static void update(struct stream *stream)
{
	bool reads = !stream->at_end && !stream->service->is_held && !is_full(stream) &&
		     !has_message(stream);

	loop_source_set_events(
		stream->source, (reads ? EPOLLIN : 0u) | (stream->n_out ? EPOLLOUT : 0u));
}

/* What is left over of whole messages, or held back, goes on at the next tick. */
static void on_event(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct stream *stream = userdata;

	if (events & EPOLLERR)
		stream->failed = true;
	send_out(stream);
	if (!stream->failed && !stream->service->is_held && !is_full(stream)) {
		receive(stream);
		take_messages(stream);
		send_out(stream);
	}
	if (is_over(stream))
		stream_free(stream);
	else
		update(stream);
}

static int start(struct names_service *service, int fd)
{
	_cleanup_close_ int owned = fd;
	struct stream *stream = calloc(1, sizeof(*stream));
	const int on = 1;
	int r;

	if (!stream)
		return -ENOMEM;
	stream->out = malloc(OUT_BYTES);
	r = stream->out ? loop_add_fd(service->names->loop, fd, EPOLLIN, on_event, stream,
				  &stream->source)
			: -ENOMEM;
	if (r < 0) {
		free(stream->out);
		free(stream);
		return r;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	stream->service = service;
	stream->fd = steal_fd(&owned);
	stream->active_ns = clock_monotonic_ns();
	TAILQ_INSERT_TAIL(&service->streams, stream, in_service);
	TAILQ_INSERT_TAIL(&service->names->streams, stream, in_names);
	service->n_streams++;
	service->names->n_streams++;
	names_want_tick(service->names);
	return 0;
}

static bool may_accept(const struct names_service *service)
{
	const struct names *names = service->names;

	return service->n_streams < STREAMS_PER_SERVICE_MAX && names->n_streams < STREAMS_MAX &&
	       names->config.has_fds(names->config.userdata, 1);
}

/* A connection too many is closed at once: a client then asks again over a new one. */
void stream_accept(struct names_service *service)
{
	for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
		int fd = accept4(service->tcp_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && errno == EAGAIN)
			return;
		if (fd < 0 && errno != ECONNABORTED) {
			service_hold(service); /* no descriptors, no memory: it stays readable */
			return;
		}
		if (fd >= 0 && !may_accept(service))
			close(fd);
		else if (fd >= 0)
			start(service, fd);
	}
}

void stream_send(struct stream *stream, const uint8_t *message, size_t size_bytes)
{
	if (stream->failed)
		return;
	if (stream->n_out + size_bytes + 2 > OUT_BYTES) {
		stream->failed = true;
		return;
	}
	stream->out[stream->n_out] = (uint8_t)(size_bytes >> 8);
	stream->out[stream->n_out + 1] = (uint8_t)size_bytes;
	memcpy(stream->out + stream->n_out + 2, message, size_bytes);
	stream->n_out += size_bytes + 2;
	send_out(stream);
	update(stream);
}

void stream_expire(struct names *names, uint64_t now_ns)
{
	struct stream *stream = TAILQ_FIRST(&names->streams), *next;

	for (; stream; stream = next) {
		uint64_t due_ns = stream->active_ns + names->config.stream_idle_ms * NS_PER_MS;

		next = TAILQ_NEXT(stream, in_names);
		if (is_over(stream) || due_ns <= now_ns)
			stream_free(stream);
		else if (has_message(stream))
			stream_resume(stream);
	}
}

void stream_free(struct stream *stream)
{
	struct names_service *service = stream->service;

	query_forget(service, stream);
	records_forget(service, stream);
	TAILQ_REMOVE(&service->streams, stream, in_service);
	TAILQ_REMOVE(&service->names->streams, stream, in_names);
	service->n_streams--;
	service->names->n_streams--;
	loop_source_free(stream->source);
	close(stream->fd);
	free(stream->out);
	free(stream);
}

void stream_resume(struct stream *stream)
{
	take_messages(stream);
	update(stream);
}

void stream_count_waiting(struct stream *stream, int change)
{
	stream->n_waiting = (size_t)((ptrdiff_t)stream->n_waiting + change);
	update(stream);
}
