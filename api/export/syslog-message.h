/* A record as a message of RFC 5424: its sequence, type, tenant, sandbox and verdict as structured
 * data, the whole record as its text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "api/text/writer.h"

/* "audit" of an enterprise number that stands for examples (RFC 5612): Cloche has none of its own.
 */
#define SYSLOG_DATA_ID "audit@32473"

/* `host` is this machine's name. With `framed`, the message's length and a space come before it
 * (RFC 6587, 3.4.1: octet counting), as a stream needs. */
void syslog_message_write(
	struct writer *writer, const char *host, const char *line, size_t size, bool framed);
