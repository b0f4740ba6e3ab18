#include "supervisor/inspect/tls-hello.h"

#include "supervisor/inspect/name.h"

#define SESSION_ID_MAX 32
#define RANDOM_BYTES 32

/* RFC 6066, 3; RFC 8446, 4.2; RFC 9849, 5: encrypted_client_hello */
enum extension {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_EARLY_DATA = 42,
	EXTENSION_VERSIONS = 43,
	EXTENSION_ECH = 0xfe0d,
};

/* The hello is a row of fields of fixed size, each of which may announce bytes to skip. */
enum step {
	STEP_MESSAGE,      /* type, length of the message */
	STEP_VERSION,      /* then the random */
	STEP_SESSION,      /* length of the session id, then it */
	STEP_SUITES,       /* likewise the cipher suites */
	STEP_COMPRESSIONS, /* likewise the compression methods */
	STEP_EXTENSIONS,   /* length of all extensions */
	STEP_EXTENSION,    /* type and length of one, then it */
	STEP_NAMES,        /* length of the list of server names */
	STEP_NAME_ENTRY,   /* type and length of a name */
	STEP_NAME,         /* its bytes */
	STEP_END,          /* of the message */
};

static const uint8_t FIELD_BYTES[] = {
	[STEP_MESSAGE] = 4,
	[STEP_VERSION] = 2,
	[STEP_SESSION] = 1,
	[STEP_SUITES] = 2,
	[STEP_COMPRESSIONS] = 1,
	[STEP_EXTENSIONS] = 2,
	[STEP_EXTENSION] = 4,
	[STEP_NAMES] = 2,
	[STEP_NAME_ENTRY] = 3,
	[STEP_NAME] = 1,
	[STEP_END] = 0,
};

static uint32_t number(const uint8_t *bytes, size_t n_bytes)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n_bytes; i++)
		value = value << 8 | bytes[i];
	return value;
}

static enum inspect_reason go_to(struct inspect_tls *tls, enum step step)
{
	tls->step = step;
	return INSPECT_FINE;
}

/* `skip` bytes of the message, then `step`. They must be there. */
static enum inspect_reason skip_to(struct inspect_tls *tls, uint32_t skip, enum step step)
{
	tls->skip_left = skip;
	tls->step = step;
	return skip <= tls->message_left ? INSPECT_FINE : INSPECT_TLS_BROKEN;
}

static enum inspect_reason begin_message(struct inspect_tls *tls)
{
	uint32_t length = number(tls->field + 1, 3);

	if (tls->field[0] != TLS_CLIENT_HELLO)
		return INSPECT_TLS_BROKEN;
	if (length > INSPECT_HELD_MAX)
		return INSPECT_TOO_LONG;
	tls->message_left = length;
	tls->has_name = false;
	tls->n_said = 0;
	return go_to(tls, STEP_VERSION);
}

static enum inspect_reason next_extension(struct inspect_tls *tls)
{
	return go_to(tls, tls->extensions_left > 0 ? STEP_EXTENSION : STEP_END);
}

static enum inspect_reason begin_extension(struct inspect_tls *tls)
{
	uint32_t type = number(tls->field, 2), length = number(tls->field + 2, 2);

	if (tls->extensions_left < 4 || tls->extensions_left - 4 < length)
		return INSPECT_TLS_BROKEN;
	tls->extensions_left -= 4 + length;
	tls->has_ech |= type == EXTENSION_ECH;
	tls->has_early |= type == EXTENSION_EARLY_DATA;
	tls->offers_1_3 |= type == EXTENSION_VERSIONS;
	if (type == EXTENSION_SERVER_NAME) {
		if (tls->has_name)
			return INSPECT_TLS_BROKEN;
		tls->has_name = true;
		tls->extension_left = length;
		return go_to(tls, STEP_NAMES);
	}
	tls->skip_left = length;
	return next_extension(tls);
}

/* RFC 6066, 3: a list, but of one name of each type, and host_name is the only type. */
static enum inspect_reason begin_name(struct inspect_tls *tls)
{
	uint32_t length = number(tls->field + 1, 2);

	if (tls->field[0] != 0 || tls->extension_left != 2 + 3 + length || length == 0)
		return INSPECT_TLS_BROKEN;
	if (length > INSPECT_NAME_MAX)
		return INSPECT_BAD_NAME;
	tls->name_left = (uint16_t)length;
	return go_to(tls, STEP_NAME);
}

static enum inspect_reason take_name(struct inspect_tls *tls)
{
	tls->said[tls->n_said++] = (char)tls->field[0];
	return --tls->name_left > 0 ? INSPECT_FINE : next_extension(tls);
}

/* A field is whole. */
static enum inspect_reason take_field(struct inspect_tls *tls)
{
	const uint8_t *field = tls->field;
	uint32_t length;

	switch ((enum step)tls->step) {
	case STEP_MESSAGE:
		return begin_message(tls);
	case STEP_VERSION: /* 1.0 to 1.2; 1.3 says 1.2 here */
		if (field[0] != 3 || field[1] < 1 || field[1] > 3)
			return INSPECT_TLS_BROKEN;
		return skip_to(tls, RANDOM_BYTES, STEP_SESSION);
	case STEP_SESSION:
		if (field[0] > SESSION_ID_MAX)
			return INSPECT_TLS_BROKEN;
		return skip_to(tls, field[0], STEP_SUITES);
	case STEP_SUITES:
		length = number(field, 2);
		if (length < 2 || length % 2 != 0)
			return INSPECT_TLS_BROKEN;
		return skip_to(tls, length, STEP_COMPRESSIONS);
	case STEP_COMPRESSIONS:
		if (field[0] < 1)
			return INSPECT_TLS_BROKEN;
		/* RFC 5246, 7.4.1.2: a hello may end here. */
		return skip_to(
			tls, field[0], tls->message_left == field[0] ? STEP_END : STEP_EXTENSIONS);
	case STEP_EXTENSIONS:
		tls->extensions_left = number(field, 2);
		if (tls->extensions_left != tls->message_left)
			return INSPECT_TLS_BROKEN;
		return next_extension(tls);
	case STEP_EXTENSION:
		return begin_extension(tls);
	case STEP_NAMES:
		if (tls->extension_left < 2 || number(field, 2) != tls->extension_left - 2)
			return INSPECT_TLS_BROKEN;
		return go_to(tls, STEP_NAME_ENTRY);
	case STEP_NAME_ENTRY:
		return begin_name(tls);
	case STEP_NAME:
		return take_name(tls);
	case STEP_END:
		break;
	}
	return INSPECT_TLS_BROKEN;
}

static enum inspect_reason judge(const struct inspect_tls *tls)
{
	if (!tls->has_name)
		return INSPECT_NO_NAME;
	if (!inspect_name_valid(tls->said, tls->n_said))
		return INSPECT_BAD_NAME;
	return inspect_name_equal(tls->said, tls->n_said, tls->name) ? INSPECT_FINE
								     : INSPECT_OTHER_NAME;
}

bool tls_hello_begun(const struct inspect_tls *tls)
{
	return tls->step != STEP_MESSAGE || tls->n_field > 0;
}

static enum inspect_reason take(struct inspect_tls *tls, uint8_t byte)
{
	if (tls->step != STEP_MESSAGE)
		tls->message_left--;
	if (tls->skip_left > 0) {
		tls->skip_left--;
		return INSPECT_FINE;
	}
	tls->field[tls->n_field++] = byte;
	if (tls->n_field < FIELD_BYTES[tls->step])
		return INSPECT_FINE;
	tls->n_field = 0;
	return take_field(tls);
}

enum inspect_reason tls_hello_take(struct inspect_tls *tls, uint8_t byte, bool *ret_whole)
{
	enum inspect_reason reason = take(tls, byte);
	bool at_end = tls->step == STEP_END && tls->skip_left == 0;

	*ret_whole = false;
	if (reason != INSPECT_FINE || tls->step == STEP_MESSAGE)
		return reason;
	if (at_end != (tls->message_left == 0))
		return INSPECT_TLS_BROKEN;
	if (!at_end)
		return INSPECT_FINE;
	tls->step = STEP_MESSAGE;
	*ret_whole = true;
	return judge(tls);
}
