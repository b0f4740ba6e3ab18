#include "supervisor/inspect/tls.h"

#include <string.h>

#include "supervisor/inspect/tls-hello.h"

/* RFC 8446, 5.1 */
enum record_type {
	RECORD_CHANGE_CIPHER = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_DATA = 23,
};

#define RECORD_PLAIN_MAX 16384           /* RFC 8446, 5.1 */
#define RECORD_CIPHER_MAX (16384 + 2048) /* RFC 5246, 6.2.3 */

/* Between "fine" and "refuse": nothing that follows is a hello. */
struct step_result {
	enum inspect_reason reason;
	bool done;
};

void inspect_tls_init(struct inspect_tls *tls, const char *name)
{
	memset(tls, 0, sizeof(*tls));
	tls->name = name;
}

static enum inspect_reason judge_type(const struct inspect_tls *tls, uint8_t type)
{
	if (!tls->has_hello && !tls_hello_begun(tls) && type != RECORD_HANDSHAKE)
		return INSPECT_NEITHER;
	/* RFC 8446, 5.1: nothing comes between the records of one message. */
	if (!tls->has_hello || tls_hello_begun(tls))
		return type == RECORD_HANDSHAKE ? INSPECT_FINE : INSPECT_TLS_BROKEN;
	return type >= RECORD_CHANGE_CIPHER && type <= RECORD_DATA ? INSPECT_FINE
								   : INSPECT_TLS_BROKEN;
}

static struct step_result begin_record(struct inspect_tls *tls)
{
	uint32_t length = (uint32_t)tls->header[3] << 8 | tls->header[4];
	bool plain = !tls->has_hello || tls_hello_begun(tls);

	if (length == 0 || length > (plain ? RECORD_PLAIN_MAX : RECORD_CIPHER_MAX))
		return (struct step_result){.reason = INSPECT_TLS_BROKEN};
	tls->record_left = length;
	return (struct step_result){.done = tls->header[0] == RECORD_DATA && !tls->has_early};
}

static struct step_result take_header(struct inspect_tls *tls, uint8_t byte)
{
	enum inspect_reason reason = INSPECT_FINE;

	tls->header[tls->n_header++] = byte;
	switch (tls->n_header) {
	case 1:
		reason = judge_type(tls, byte);
		break;
	case 2:
		reason = byte == 3 ? INSPECT_FINE : INSPECT_TLS_BROKEN;
		break;
	case 3: /* 1.0 to 1.2; 1.3 says one of them here */
		reason = byte >= 1 && byte <= 3 ? INSPECT_FINE : INSPECT_TLS_BROKEN;
		break;
	case sizeof(tls->header):
		return begin_record(tls);
	}
	return (struct step_result){.reason = reason};
}

static struct step_result take_handshake(struct inspect_tls *tls, uint8_t byte)
{
	struct step_result result = {.reason = INSPECT_FINE};
	bool whole;

	if (tls->has_hello && !tls_hello_begun(tls) && byte != TLS_CLIENT_HELLO) {
		result.done = true; /* the handshake went on, without another hello */
		return result;
	}
	tls->record_left--;
	result.reason = tls_hello_take(tls, byte, &whole);
	if (result.reason != INSPECT_FINE || !whole)
		return result;
	if (tls->record_left > 0)
		result.reason = INSPECT_TLS_BROKEN;
	tls->has_hello = true;
	result.done = !tls->offers_1_3;
	return result;
}

/* Takes some of the bytes: *ret_taken. */
static struct step_result take(
	struct inspect_tls *tls, const uint8_t *bytes, size_t n_bytes, size_t *ret_taken)
{
	struct step_result result = {.reason = INSPECT_FINE};

	*ret_taken = 1;
	if (tls->n_header < sizeof(tls->header)) {
		result = take_header(tls, bytes[0]);
	} else if (tls->header[0] == RECORD_HANDSHAKE) {
		result = take_handshake(tls, bytes[0]);
	} else {
		*ret_taken = n_bytes < tls->record_left ? n_bytes : tls->record_left;
		tls->record_left -= (uint32_t)*ret_taken;
	}
	if (tls->n_header == sizeof(tls->header) && tls->record_left == 0)
		tls->n_header = 0;
	return result;
}

/* Bytes that may yet turn out to be a hello wait for its end. */
static bool must_hold(const struct inspect_tls *tls)
{
	if (!tls->has_hello || tls_hello_begun(tls))
		return true;
	return tls->n_header > 0 &&
	       (tls->n_header < sizeof(tls->header) || tls->header[0] == RECORD_HANDSHAKE);
}

enum inspect_verdict inspect_tls_feed(
	struct inspect_tls *tls, const uint8_t *bytes, size_t n_bytes, size_t *ret_release)
{
	size_t n_all = tls->n_held + n_bytes, n_held = tls->n_held;

	*ret_release = 0;
	for (size_t i = 0; i < n_bytes && tls->reason == INSPECT_FINE;) {
		size_t n_taken;
		struct step_result result = take(tls, bytes + i, n_bytes - i, &n_taken);

		tls->reason = result.reason;
		if (tls->reason == INSPECT_FINE && result.done) {
			*ret_release = n_all;
			return INSPECT_DONE;
		}
		i += n_taken;
		n_held = must_hold(tls) ? n_held + n_taken : 0;
		if (n_held >= INSPECT_HELD_MAX && tls->reason == INSPECT_FINE)
			tls->reason = INSPECT_TOO_LONG;
	}
	if (tls->reason != INSPECT_FINE)
		return INSPECT_REFUSE;
	tls->n_held = (uint32_t)n_held;
	*ret_release = n_all - n_held;
	return INSPECT_GO_ON;
}
