/* A ClientHello, byte by byte, without the records around it. */
#pragma once

#include "supervisor/inspect/tls.h"

#define TLS_CLIENT_HELLO 1 /* RFC 8446, 4: the type of the message, its first byte */

/* Some of its bytes came, others must come. */
bool tls_hello_begun(const struct inspect_tls *tls);

/* Takes the next byte. *ret_whole: it was the last, the hello is judged, another may begin. */
enum inspect_reason tls_hello_take(struct inspect_tls *tls, uint8_t byte, bool *ret_whole);
