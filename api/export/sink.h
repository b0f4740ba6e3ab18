/* One receiver of audit records: reads a batch, delivers it, tells cloched, reads the next. A batch
 * that was not delivered is tried again, later each time, until it is. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/export/delivery.h"
#include "api/export/transfers.h"
#include "api/text/url.h"
#include "supervisor/base/loop.h"
#include "supervisor/resolve/upstream.h"
#include "supervisor/wire/channel.h"
#include "supervisor/wire/export.h"

#define SINK_DELAY_FIRST_MS 500
#define SINK_DELAY_MAX_MS (300 * 1000)

/* What all sinks share. */
struct exporter {
	struct loop *loop;
	struct channel *channel;
	struct transfers *transfers;
	struct upstream *upstream; /* NULL until CONFIG */
	struct sink *sinks;
	uint64_t last_cookie;
	char host[256]; /* this machine's name */
};

struct sink {
	struct exporter *exporter;
	struct sink *next;
	uint64_t id, cursor;
	uint32_t kind; /* enum wire_export_kind */
	bool internal, ocsf;
	uint8_t secret[WIRE_WEBHOOK_SECRET_BYTES];
	char url_text[WIRE_URL_SIZE];
	struct url url;
	uint64_t batch_next; /* the cursor once the batch is delivered */
	struct loop_source *timer;
	uint64_t delay_ms, n_attempts;

	/* webhook.c */
	struct delivery delivery;
	struct upstream_query *query;
	struct transfer *transfer;

	/* syslog.c */
	int fd;
	bool datagram, connecting;
	struct loop_source *source;
	struct writer lines;   /* the batch */
	size_t lines_done;     /* bytes of it whose messages were sent */
	struct writer message; /* the one that is being sent */
	size_t message_done;
};

struct sink *sink_new(struct exporter *exporter, const struct wire_export_sink *wire);
struct sink *sink_free(struct sink *sink);

/* Asks for what follows the cursor. */
void sink_read(struct sink *sink);
/* A batch came: `lines` are whole. -EPROTO or -ENOMEM when it cannot be used. */
int sink_take(struct sink *sink, const struct wire_export_records *records, const char *lines,
	size_t size);

/* The batch is through. */
void sink_delivered(struct sink *sink);
/* It is not; tried again after a while, at least `wait_seconds`. */
void sink_failed(struct sink *sink, uint64_t wait_seconds, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Of each kind: begin to deliver what was taken; give back what is held. */
int webhook_take(struct sink *sink, const char *lines, size_t size);
void webhook_attempt(struct sink *sink);
void webhook_fini(struct sink *sink);
int syslog_take(struct sink *sink, const char *lines, size_t size);
void syslog_attempt(struct sink *sink);
void syslog_fini(struct sink *sink);
/* cloched's answer to CONNECT; takes `fd` (-1: none). */
void syslog_connected(struct sink *sink, const struct wire_export_socket *wire, int fd);
