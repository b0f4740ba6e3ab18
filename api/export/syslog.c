/* The local syslog: cloched connects the socket, messages are written here, and never waited for.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/export/sink.h"
#include "api/export/syslog-message.h"
#include "supervisor/base/cleanup.h"

static void go_on(struct sink *sink);

static void hang_up(struct sink *sink)
{
	sink->source = loop_source_free(sink->source);
	if (sink->fd >= 0)
		close(steal_fd(&sink->fd));
	sink->message_done = 0; /* a stream is begun anew with a whole message */
}

int syslog_take(struct sink *sink, const char *lines, size_t size)
{
	sink->lines.size = sink->lines_done = 0;
	sink->message.size = sink->message_done = 0;
	writer_bytes(&sink->lines, lines, size);
	if (size == 0 || lines[size - 1] != '\n')
		return -EPROTO;
	return sink->lines.failed ? -ENOMEM : 0;
}

static void on_ready(struct loop_source *source _unused_, uint32_t events, void *userdata)
{
	struct sink *sink = userdata;

	if (!(events & EPOLLOUT) && (events & (EPOLLHUP | EPOLLERR))) {
		hang_up(sink);
		sink_failed(sink, 0, "The syslog socket was closed.");
		return;
	}
	go_on(sink);
}

/* Waits until the socket takes more. */
static void wait_for_room(struct sink *sink)
{
	if (sink->source ? loop_source_set_events(sink->source, EPOLLOUT) < 0
			 : loop_add_fd(sink->exporter->loop, sink->fd, EPOLLOUT, on_ready, sink,
				   &sink->source) < 0) {
		hang_up(sink);
		sink_failed(sink, 0, "The syslog socket cannot be watched.");
	}
}

/* Returns false when nothing is left of the batch. */
static bool next_message(struct sink *sink)
{
	const char *line = sink->lines.bytes + sink->lines_done, *end;
	size_t left = sink->lines.size - sink->lines_done;

	if (sink->message.size > 0)
		return true;
	end = left ? memchr(line, '\n', left) : NULL;
	if (!end)
		return false;
	syslog_message_write(
		&sink->message, sink->exporter->host, line, (size_t)(end - line), !sink->datagram);
	return true;
}

static void message_sent(struct sink *sink)
{
	const char *line = sink->lines.bytes + sink->lines_done;
	const char *end = memchr(line, '\n', sink->lines.size - sink->lines_done);

	sink->lines_done += (size_t)(end + 1 - line);
	sink->message.size = sink->message_done = 0;
}

/* Returns 0 when the message is through. */
static int send_message(struct sink *sink)
{
	ssize_t n = send(sink->fd, sink->message.bytes + sink->message_done,
		sink->message.size - sink->message_done, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	sink->message_done += (size_t)n;
	return sink->message_done < sink->message.size ? -EAGAIN : 0;
}

static void go_on(struct sink *sink)
{
	int r = 0;

	while (r == 0 && next_message(sink)) {
		r = sink->message.failed ? -ENOMEM : send_message(sink);
		if (r == 0)
			message_sent(sink);
	}
	if (r == -EAGAIN) {
		wait_for_room(sink);
		return;
	}
	if (r == 0) {
		sink->source = loop_source_free(sink->source);
		sink_delivered(sink);
		return;
	}
	if (sink->message.failed)
		writer_fini(&sink->message);
	hang_up(sink);
	sink_failed(sink, 0, "The syslog socket takes nothing: %s.", strerror(-r));
}

void syslog_attempt(struct sink *sink)
{
	const struct wire_export_ref body = {.sink = sink->id};

	if (sink->fd >= 0) {
		go_on(sink);
		return;
	}
	if (sink->connecting)
		return;
	sink->connecting = true;
	channel_send(sink->exporter->channel, WIRE_EXPORT_CONNECT, ++sink->exporter->last_cookie,
		&body, sizeof(body), NULL, 0, NULL, 0);
}

void syslog_connected(struct sink *sink, const struct wire_export_socket *wire, int fd)
{
	sink->connecting = false;
	if (fd < 0 || sink->fd >= 0) {
		if (fd >= 0)
			close(fd);
		sink_failed(sink, 0, "The syslog socket cannot be connected: %s.",
			strerror(-wire->error));
		return;
	}
	sink->fd = fd;
	sink->datagram = wire->datagram == 1;
	sink->message.size = 0; /* written for the other kind, maybe */
	go_on(sink);
}

void syslog_fini(struct sink *sink)
{
	hang_up(sink);
	writer_fini(&sink->lines);
	writer_fini(&sink->message);
}
