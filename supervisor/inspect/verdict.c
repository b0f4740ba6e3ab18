#include "supervisor/inspect/verdict.h"

#include <stddef.h>

static const struct {
	const char *word, *sentence;
} TEXTS[] = {
	[INSPECT_FINE] = {"fine", "There is nothing against it."},
	[INSPECT_OTHER_NAME] = {"other-name", "The request asks for another name."},
	[INSPECT_NO_NAME] = {"no-name", "The request does not say which name it asks for."},
	[INSPECT_TWO_NAMES] = {"two-names", "The request has more than one Host."},
	[INSPECT_BAD_NAME] = {"bad-name", "What the request asks for is not a host name."},
	[INSPECT_OTHER_PORT] = {"other-port", "The request asks for another port."},
	[INSPECT_NEEDS_TLS] = {"needs-tls", "The policy wants TLS here: use https."},
	[INSPECT_NEITHER] = {"neither", "This is neither TLS nor HTTP/1."},
	[INSPECT_TLS_BROKEN] = {"tls-broken", "The TLS hello is malformed."},
	[INSPECT_TOO_LONG] = {"too-long", "The head of the request is too long."},
	[INSPECT_REQUEST_LINE] = {"request-line", "The request line is malformed."},
	[INSPECT_FIELD] = {"field", "A header line is malformed or not relayed."},
	[INSPECT_FRAMING] = {"framing", "Where the request ends can be read in two ways."},
	[INSPECT_CHUNK] = {"chunk", "A chunk is malformed, or has an extension or a trailer."},
	[INSPECT_CONNECT] = {"connect", "CONNECT is for proxies: connect to the name itself."},
	[INSPECT_HTTP2] = {"http2", "HTTP/2 without TLS is not relayed: use HTTP/1.1 or https."},
	[INSPECT_UPGRADE] = {"upgrade",
		"Only WebSocket may be upgraded to, in the first request of a connection."},
	[INSPECT_TOO_EARLY] = {"too-early", "Bytes came before the server agreed to the upgrade."},
};

#define N_TEXTS (sizeof(TEXTS) / sizeof(TEXTS[0]))
_Static_assert(N_TEXTS == INSPECT_TOO_EARLY + 1, "a text for every reason");

const char *inspect_reason_word(enum inspect_reason reason)
{
	return (size_t)reason < N_TEXTS ? TEXTS[reason].word : "unknown";
}

const char *inspect_reason_sentence(enum inspect_reason reason)
{
	return (size_t)reason < N_TEXTS ? TEXTS[reason].sentence : "It is not known why.";
}
