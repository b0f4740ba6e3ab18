#include "api/export/sink.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/log.h"

static void attempt(struct sink *sink)
{
	sink->n_attempts++;
	if (sink->kind == WIRE_EXPORT_WEBHOOK)
		webhook_attempt(sink);
	else
		syslog_attempt(sink);
}

static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	attempt(userdata);
}

struct sink *sink_new(struct exporter *exporter, const struct wire_export_sink *wire)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->exporter = exporter;
	sink->id = wire->sink;
	sink->cursor = wire->cursor;
	sink->kind = wire->kind;
	sink->internal = wire->internal == 1;
	sink->ocsf = wire->ocsf == 1;
	sink->delay_ms = SINK_DELAY_FIRST_MS;
	sink->fd = -1;
	memcpy(sink->secret, wire->secret, sizeof(sink->secret));
	memcpy(sink->url_text, wire->url, sizeof(sink->url_text));
	if ((sink->kind == WIRE_EXPORT_WEBHOOK && url_parse(sink->url_text, &sink->url)) ||
		loop_add_timer(exporter->loop, on_timer, sink, &sink->timer) < 0) {
		free(sink);
		return NULL;
	}
	sink->next = exporter->sinks;
	exporter->sinks = sink;
	return sink;
}

struct sink *sink_free(struct sink *sink)
{
	struct sink **place = &sink->exporter->sinks;

	while (*place != sink)
		place = &(*place)->next;
	*place = sink->next;
	webhook_fini(sink);
	syslog_fini(sink);
	loop_source_free(sink->timer);
	explicit_bzero(sink, sizeof(*sink));
	free(sink);
	return NULL;
}

static void tell(struct sink *sink, enum wire_export_outcome outcome, const char *error)
{
	struct wire_export_state body = {
		.sink = sink->id, .cursor = sink->cursor, .outcome = outcome};

	snprintf(body.error, sizeof(body.error), "%s", error);
	channel_send(sink->exporter->channel, WIRE_EXPORT_STATE, 0, &body, sizeof(body), NULL, 0,
		NULL, 0);
}

void sink_read(struct sink *sink)
{
	const struct wire_export_read body = {.sink = sink->id, .after = sink->cursor};

	channel_send(sink->exporter->channel, WIRE_EXPORT_READ, ++sink->exporter->last_cookie,
		&body, sizeof(body), NULL, 0, NULL, 0);
}

int sink_take(struct sink *sink, const struct wire_export_records *records, const char *lines,
	size_t size)
{
	int r;

	if (records->next < sink->cursor || (records->n_records == 0) != (size == 0))
		return -EPROTO;
	sink->batch_next = records->next;
	if (size == 0) {
		sink->cursor = records->next;
		tell(sink, WIRE_EXPORT_PASSED, "");
		sink_read(sink);
		return 0;
	}
	r = sink->kind == WIRE_EXPORT_WEBHOOK ? webhook_take(sink, lines, size)
					      : syslog_take(sink, lines, size);
	if (r == 0)
		attempt(sink);
	return r;
}

void sink_delivered(struct sink *sink)
{
	sink->cursor = sink->batch_next;
	sink->delay_ms = SINK_DELAY_FIRST_MS;
	sink->n_attempts = 0;
	tell(sink, WIRE_EXPORT_DELIVERED, "");
	sink_read(sink);
}

/* Half of the delay and a random part of the other half, so that receivers which failed together
 * are not called together. */
static uint64_t jittered(uint64_t delay_ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = UINT32_MAX / 2;
	return delay_ms / 2 + delay_ms / 2 * random / UINT32_MAX;
}

void sink_failed(struct sink *sink, uint64_t wait_seconds, const char *format, ...)
{
	uint64_t delay_ms = jittered(sink->delay_ms);
	char error[WIRE_REASON_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, sizeof(error), format, arguments);
	va_end(arguments);
	tell(sink, WIRE_EXPORT_FAILED, error);
	if (delay_ms < wait_seconds * 1000)
		delay_ms = wait_seconds * 1000;
	loop_timer_arm(sink->timer, delay_ms, 0);
	sink->delay_ms =
		sink->delay_ms * 2 < SINK_DELAY_MAX_MS ? sink->delay_ms * 2 : SINK_DELAY_MAX_MS;
}
