#include "supervisor/inspect/inspect.h"

#include <string.h>

#include "supervisor/inspect/http-parts.h"
#include "supervisor/inspect/name.h"

#define TLS_FIRST_BYTE 22 /* RFC 8446, 5.1: a record of type handshake */

void inspect_init(struct inspect *inspect, const char *name, uint16_t port, bool needs_tls)
{
	memset(inspect, 0, sizeof(*inspect));
	inspect->name = name;
	inspect->port = port;
	inspect->needs_tls = needs_tls;
}

static enum inspect_reason tell_protocol(struct inspect *inspect, uint8_t first)
{
	if (first == TLS_FIRST_BYTE) {
		inspect->protocol = INSPECT_TLS;
		inspect_tls_init(&inspect->tls, inspect->name);
		return INSPECT_FINE;
	}
	if (!http_is_token(first))
		return INSPECT_NEITHER;
	inspect->protocol = INSPECT_HTTP;
	inspect_http_init(&inspect->http, inspect->name, inspect->port);
	return inspect->needs_tls ? INSPECT_NEEDS_TLS : INSPECT_FINE;
}

static enum inspect_verdict settle(
	struct inspect *inspect, enum inspect_verdict verdict, enum inspect_reason reason)
{
	switch (verdict) {
	case INSPECT_GO_ON:
		break;
	case INSPECT_DONE:
		inspect->done = true;
		break;
	case INSPECT_REFUSE:
		inspect->reason = reason;
		break;
	}
	return verdict;
}

enum inspect_verdict inspect_feed(
	struct inspect *inspect, const uint8_t *bytes, size_t n_bytes, size_t *ret_release)
{
	enum inspect_verdict verdict = INSPECT_REFUSE;

	*ret_release = 0;
	if (inspect->protocol == INSPECT_UNKNOWN && n_bytes > 0 && inspect->reason == INSPECT_FINE)
		inspect->reason = tell_protocol(inspect, bytes[0]);
	if (inspect->reason != INSPECT_FINE)
		return INSPECT_REFUSE;
	if (inspect->done) {
		*ret_release = n_bytes;
		return INSPECT_DONE;
	}
	switch (inspect->protocol) {
	case INSPECT_UNKNOWN:
		return INSPECT_GO_ON;
	case INSPECT_TLS:
		verdict = inspect_tls_feed(&inspect->tls, bytes, n_bytes, ret_release);
		return settle(inspect, verdict, inspect->tls.reason);
	case INSPECT_HTTP:
		verdict = inspect_http_feed(&inspect->http, bytes, n_bytes, ret_release);
		return settle(inspect, verdict, inspect->http.reason);
	}
	return verdict;
}

bool inspect_awaits_server(const struct inspect *inspect)
{
	return inspect->protocol == INSPECT_HTTP && inspect->http.awaits_server && !inspect->done;
}

enum inspect_verdict inspect_server_said(
	struct inspect *inspect, const uint8_t *bytes, size_t n_bytes)
{
	if (inspect->reason != INSPECT_FINE)
		return INSPECT_REFUSE;
	if (inspect->done)
		return INSPECT_DONE;
	if (!inspect_awaits_server(inspect))
		return INSPECT_GO_ON;
	return settle(inspect, inspect_http_server_said(&inspect->http, bytes, n_bytes),
		inspect->http.reason);
}

void inspect_said(const struct inspect *inspect, char ret_said[INSPECT_SAID_SIZE])
{
	ret_said[0] = '\0';
	switch (inspect->protocol) {
	case INSPECT_UNKNOWN:
		break;
	case INSPECT_TLS:
		inspect_name_show(
			inspect->tls.said, inspect->tls.n_said, ret_said, INSPECT_SAID_SIZE);
		break;
	case INSPECT_HTTP:
		memcpy(ret_said, inspect->http.said, INSPECT_SAID_SIZE);
		break;
	}
}
