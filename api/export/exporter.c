#include "api/export/exporter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/export/sink.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"
#include "supervisor/wire/strings.h"

static struct sink *find(const struct exporter *exporter, uint64_t id)
{
	struct sink *sink = exporter->sinks;

	while (sink && sink->id != id)
		sink = sink->next;
	return sink;
}

static int on_config(struct exporter *exporter, const struct channel_message *message)
{
	const struct wire_export_config *config = message->body;

	if (message->body_size != sizeof(*config) || exporter->upstream ||
		config->n_resolvers > WIRE_GATE_RESOLVERS_MAX)
		return -EPROTO;
	return upstream_new(
		exporter->loop, config->resolvers, config->n_resolvers, &exporter->upstream);
}

static int on_sink(struct exporter *exporter, const struct channel_message *message)
{
	const struct wire_export_sink *wire = message->body;
	struct sink *sink;

	if (message->body_size != sizeof(*wire) || !WIRE_TEXT_VALID(wire->url) ||
		!exporter->upstream || find(exporter, wire->sink) ||
		(wire->kind != WIRE_EXPORT_WEBHOOK && wire->kind != WIRE_EXPORT_SYSLOG))
		return -EPROTO;
	sink = sink_new(exporter, wire);
	if (sink)
		sink_read(sink);
	else
		log_error("sink %lu cannot be used", (unsigned long)wire->sink);
	return 0;
}

static int on_gone(struct exporter *exporter, const struct channel_message *message)
{
	const struct wire_export_ref *ref = message->body;
	struct sink *sink;

	if (message->body_size != sizeof(*ref))
		return -EPROTO;
	sink = find(exporter, ref->sink);
	if (sink)
		sink_free(sink);
	return 0;
}

static int on_records(struct exporter *exporter, const struct channel_message *message)
{
	const struct wire_export_records *records = message->body;
	struct sink *sink;

	if (message->body_size < sizeof(*records))
		return -EPROTO;
	sink = find(exporter, records->sink);
	return sink ? sink_take(sink, records, (const char *)(records + 1),
			      message->body_size - sizeof(*records))
		    : 0;
}

static int on_socket(struct exporter *exporter, struct channel_message *message)
{
	const struct wire_export_socket *wire = message->body;
	struct sink *sink;

	if (message->body_size != sizeof(*wire) || message->n_fds != (wire->error ? 0 : 1))
		return -EPROTO;
	sink = find(exporter, wire->sink);
	if (!sink)
		return 0;
	if (sink->kind != WIRE_EXPORT_SYSLOG)
		return -EPROTO;
	syslog_connected(sink, wire, message->n_fds ? steal_fd(&message->fds[0]) : -1);
	return 0;
}

static int on_message(
	struct channel *channel _unused_, struct channel_message *message, void *userdata)
{
	switch ((enum wire_export_type)message->header->type) {
	case WIRE_EXPORT_CONFIG:
		return on_config(userdata, message);
	case WIRE_EXPORT_SINK:
		return on_sink(userdata, message);
	case WIRE_EXPORT_GONE:
		return on_gone(userdata, message);
	case WIRE_EXPORT_RECORDS:
		return on_records(userdata, message);
	case WIRE_EXPORT_SOCKET:
		return on_socket(userdata, message);
	case WIRE_EXPORT_READ:
	case WIRE_EXPORT_STATE:
	case WIRE_EXPORT_CONNECT:
		break;
	}
	return -EPROTO;
}

/* cloched starts the next one, which is told the cursors again. */
static void on_closed(struct channel *channel _unused_, int reason, void *userdata)
{
	struct exporter *exporter = userdata;

	if (reason && reason != -ECONNRESET && reason != -EPIPE)
		log_error("the supervisor's socket: %s", strerror(-reason));
	loop_stop(exporter->loop, reason == -EPROTO ? EXIT_FAILURE : EXIT_SUCCESS);
}

int exporter_new(struct loop *loop, int fd, struct transfers *transfers, const char *host,
	struct exporter **ret_exporter)
{
	struct exporter *exporter = calloc(1, sizeof(*exporter));
	int r;

	if (!exporter) {
		close(fd);
		transfers_free(transfers);
		return -ENOMEM;
	}
	exporter->loop = loop;
	exporter->transfers = transfers;
	snprintf(exporter->host, sizeof(exporter->host), "%s", host);
	r = channel_new(loop, fd, on_message, on_closed, exporter, &exporter->channel);
	if (r < 0) {
		exporter_free(exporter);
		return r;
	}
	*ret_exporter = exporter;
	return 0;
}

struct exporter *exporter_free(struct exporter *exporter)
{
	if (!exporter)
		return NULL;
	while (exporter->sinks)
		sink_free(exporter->sinks);
	transfers_free(exporter->transfers);
	upstream_free(exporter->upstream);
	channel_free(exporter->channel);
	free(exporter);
	return NULL;
}
