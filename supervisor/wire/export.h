/* cloched and cloche-export, which sends audit records to whoever asked for them.
 *
 * cloche-export holds no key and asks for no range of its own: it names a sink, and cloched reads
 * what that sink may see. It is told of its sinks when it starts and when one comes or goes. */
#pragma once

#include "supervisor/wire/gate.h"
#include "supervisor/wire/webhooks.h"

#define WIRE_EXPORT_RECORDS_MAX 256 /* of one batch */

enum wire_export_type {
	WIRE_EXPORT_CONFIG = 1, /* cloched → export, first: struct wire_export_config */
	WIRE_EXPORT_SINK = 2,   /* cloched → export: struct wire_export_sink */
	WIRE_EXPORT_GONE = 3, /* cloched → export: struct wire_export_ref; it is not named again */
	/* export → cloched: struct wire_export_read → RECORDS, when there are some; one at a time
	 * for each sink */
	WIRE_EXPORT_READ = 4,
	WIRE_EXPORT_RECORDS = 5, /* struct wire_export_records + tail: whole JSON lines */
	WIRE_EXPORT_STATE = 6,   /* export → cloched, one way: struct wire_export_state */
	/* export → cloched: struct wire_export_ref of a syslog sink → SOCKET */
	WIRE_EXPORT_CONNECT = 7,
	WIRE_EXPORT_SOCKET = 8, /* struct wire_export_socket; 1 fd if `error` is 0 */
};

struct wire_export_config {
	uint32_t n_resolvers; /* 0: no name can be resolved */
	uint32_t reserved;
	struct wire_gate_resolver resolvers[WIRE_GATE_RESOLVERS_MAX];
};

enum wire_export_kind {
	WIRE_EXPORT_WEBHOOK = 1,
	WIRE_EXPORT_SYSLOG = 2,
};

struct wire_export_sink {
	uint64_t sink;
	uint64_t cursor; /* what was delivered before */
	uint32_t kind;   /* enum wire_export_kind */
	uint8_t internal;
	uint8_t ocsf;
	uint8_t reserved[2];
	uint8_t secret[WIRE_WEBHOOK_SECRET_BYTES];
	char url[WIRE_URL_SIZE]; /* of a webhook */
};

struct wire_export_ref {
	uint64_t sink;
};

struct wire_export_read {
	uint64_t sink;
	uint64_t after; /* not smaller than the cursor */
};

struct wire_export_records {
	uint64_t sink;
	uint64_t next; /* the cursor once these are delivered */
	uint32_t n_records;
	uint32_t reserved;
};

enum wire_export_outcome {
	WIRE_EXPORT_PASSED = 1,    /* nothing up to the cursor was to be sent */
	WIRE_EXPORT_DELIVERED = 2, /* all up to the cursor was */
	WIRE_EXPORT_FAILED = 3,    /* an attempt failed; it will be tried again */
};

struct wire_export_state {
	uint64_t sink;
	uint64_t cursor;
	uint32_t outcome; /* enum wire_export_outcome */
	uint32_t reserved;
	char error[WIRE_REASON_SIZE]; /* for a person, with WIRE_EXPORT_FAILED */
};

struct wire_export_socket {
	uint64_t sink;
	int32_t error;    /* negative errno; 0: connected */
	uint8_t datagram; /* 1: one message each; 0: a stream */
	uint8_t reserved[3];
};
