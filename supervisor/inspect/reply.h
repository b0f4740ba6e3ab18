/* What a refused client is told: a TLS alert, or a page of text that says who refused and what to
 * do.
 */
#pragma once

#include <stddef.h>

#include "supervisor/inspect/inspect.h"

#define INSPECT_REPLY_MAX 2048
#define INSPECT_ALERT_BYTES 7

enum inspect_alert { /* RFC 8446, 6.2 */
	INSPECT_ALERT_ACCESS_DENIED = 49,
	INSPECT_ALERT_DECODE_ERROR = 50,
	INSPECT_ALERT_INTERNAL_ERROR = 80,
	INSPECT_ALERT_UNRECOGNIZED_NAME = 112,
};

struct inspect_page {
	unsigned int status; /* 400, 403, 502, 504 */
	const char *reason;  /* one word, for Cloche-Reason */
	const char *policy;  /* its name */
	const char *name;    /* that the connection is for */
	const char *said;    /* that the request asked for; NULL or "": the same, or none */
	const char *why;     /* a sentence */
	const char *advice;  /* a sentence; NULL: ask for a rule */
};

/* A fatal alert in a record of its own. Returns INSPECT_ALERT_BYTES. */
size_t inspect_reply_alert(enum inspect_alert alert, char ret_bytes[INSPECT_ALERT_BYTES]);

/* An HTTP/1.1 answer, complete, that closes the connection. Returns its length, at most `size`
 * (INSPECT_REPLY_MAX is enough). */
size_t inspect_reply_page(const struct inspect_page *page, char *ret_bytes, size_t size);

/* The bytes for the client after INSPECT_REFUSE by `inspect`, whose policy is named `policy`. 0:
 * there is nothing to say that it would understand, or an earlier answer may be under way: only
 * close. */
size_t inspect_reply(
	const struct inspect *inspect, const char *policy, char *ret_bytes, size_t size);

/* The same, when the relay itself refuses or fails after the check and nothing came from the
 * server: alert to TLS, page to HTTP. `page->said` may be NULL. */
size_t inspect_reply_late(const struct inspect *inspect, enum inspect_alert alert,
	const struct inspect_page *page, char *ret_bytes, size_t size);
