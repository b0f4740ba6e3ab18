/* cloche-api and cloched: receivers of audit records. As api.h, whose types these bodies have. */
#pragma once

#include "supervisor/wire/api.h"

#define WIRE_URL_SIZE 1024
#define WIRE_WEBHOOK_SECRET_BYTES 32

/* A URL that audit records are sent to. */
struct wire_webhook_create {
	struct wire_caller caller;
	char url[WIRE_URL_SIZE];     /* checked by cloche-api; not read by cloched */
	char tenant[WIRE_NAME_SIZE]; /* whose records; empty: all that the key may see */
	char type[WIRE_TYPES_SIZE], verdict[WIRE_VERDICT_SIZE];
	uint8_t ocsf;
	uint8_t internal; /* 1: may be this host or its networks; administrators only */
	uint8_t has_after;
	uint8_t reserved[5];
	uint64_t after; /* begin after this sequence; else with what comes from now on */
};

struct wire_webhook_ref {
	struct wire_caller caller;
	uint64_t webhook;
};

struct wire_webhook_row {
	uint64_t webhook;
	uint64_t created_ns;
	uint64_t cursor; /* all up to this sequence was delivered, or does not match */
	uint64_t last;   /* the newest sequence of the log */
	uint64_t success_ns, failure_ns, n_failures;
	uint8_t ocsf, internal;
	uint8_t reserved[6];
	char url[WIRE_URL_SIZE];
	char tenant[WIRE_NAME_SIZE]; /* empty: everybody's */
	char type[WIRE_TYPES_SIZE], verdict[WIRE_VERDICT_SIZE];
	char error[WIRE_REASON_SIZE];
};

struct wire_webhook {
	struct wire_webhook_row row;
	uint8_t secret[WIRE_WEBHOOK_SECRET_BYTES];
};
