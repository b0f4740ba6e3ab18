/* What the checkers of this room say about bytes, and why they refuse. */
#pragma once

/* A caller holds at most this many bytes that were fed and not released: a TLS hello with its
 * record headers, the head of an HTTP request. What does not fit is refused. */
#define INSPECT_HELD_MAX 65536
#define INSPECT_SAID_SIZE 256 /* the name that a client asked for, printable, cut, with its NUL */

enum inspect_verdict {
	INSPECT_GO_ON,  /* nothing against it so far; the bytes that follow must be fed too */
	INSPECT_DONE,   /* nothing more to look at: everything held and all that follows may go */
	INSPECT_REFUSE, /* final; nothing that is held may go */
};

enum inspect_reason {
	INSPECT_FINE,
	INSPECT_OTHER_NAME, /* asks for a name that the connection is not for */
	INSPECT_NO_NAME, /* asks for no name: a hello without server name, a request without Host */
	INSPECT_TWO_NAMES,    /* two Host fields */
	INSPECT_BAD_NAME,     /* what it asks for is no host name */
	INSPECT_OTHER_PORT,   /* Host or target with a port that the connection is not for */
	INSPECT_NEEDS_TLS,    /* HTTP where the rule wants TLS */
	INSPECT_NEITHER,      /* neither TLS nor HTTP/1 */
	INSPECT_TLS_BROKEN,   /* a hello that RFC 8446 does not allow */
	INSPECT_TOO_LONG,     /* more than INSPECT_HELD_MAX before it can be judged */
	INSPECT_REQUEST_LINE, /* not METHOD SP TARGET SP HTTP/1.x CRLF */
	INSPECT_FIELD,        /* a header line that RFC 9112 does not allow, or a form of old */
	INSPECT_FRAMING,      /* the request's end can be read in two ways */
	INSPECT_CHUNK,     /* a chunk that RFC 9112 does not allow, or an extension or a trailer */
	INSPECT_CONNECT,   /* a proxy's method */
	INSPECT_HTTP2,     /* HTTP/2 without TLS, by its preface or by upgrade */
	INSPECT_UPGRADE,   /* to something other than WebSocket, or not in the first request */
	INSPECT_TOO_EARLY, /* bytes after an upgrade that the server has not agreed to */
};

/* A word for records and for the header field Cloche-Reason: "other-name". Static. */
const char *inspect_reason_word(enum inspect_reason reason);

/* Why, as a sentence for people. Static. */
const char *inspect_reason_sentence(enum inspect_reason reason);
