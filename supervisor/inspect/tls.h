/* The ClientHello of a TLS connection, found in a stream of bytes that arrives in any pieces,
 * checked for the name that it asks for. Nothing but that name is kept.
 *
 * A server may ask for a second hello (RFC 8446, 4.1.4: HelloRetryRequest), and some take the name
 * from that one. So the client's records are followed until no further hello can come. Not seen:
 * renegotiation inside of TLS 1.2, and the name inside of an encrypted hello (ECH: the outer
 * counts).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/inspect/verdict.h"

struct inspect_tls {
	const char *name;
	enum inspect_reason reason;
	bool has_hello;  /* the first was whole and asked for `name` */
	bool has_ech;    /* has an encrypted hello, or pretends (GREASE) */
	bool has_early;  /* application data may come before another hello */
	bool offers_1_3; /* there may be another hello */
	bool has_name;   /* this hello has the extension */
	uint8_t step;    /* of the hello: what `field` is (tls-hello.c) */
	uint8_t n_field; /* bytes of it under way */
	uint8_t field[4];
	uint8_t header[5]; /* of the record under way */
	uint8_t n_header;
	uint32_t record_left;
	uint32_t skip_left; /* of the hello: not looked at */
	uint32_t message_left, extensions_left, extension_left;
	uint32_t n_held;
	uint16_t name_left, n_said;
	char said[INSPECT_SAID_SIZE]; /* the server name, `n_said` bytes as they came */
};

/* Borrows `name` (lower case, no dot at its end). */
void inspect_tls_init(struct inspect_tls *tls, const char *name);

/* Looks at the client's next `n_bytes`. *ret_release: how many bytes, from the oldest that was not
 * released, may be sent on now. */
enum inspect_verdict inspect_tls_feed(
	struct inspect_tls *tls, const uint8_t *bytes, size_t n_bytes, size_t *ret_release);
