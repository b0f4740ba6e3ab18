/* The header, the one question and the OPT record are read in this order and must fill the message.
 * ldns reads names and records one by one: of a whole message it would read as many records as the
 * sender claims. */
#include "supervisor/resolve/question.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#define HEADER_SIZE 12
#define FLAG_RESPONSE 0x8000
#define FLAG_TRUNCATED 0x0200
#define FLAG_RECURSION_DESIRED 0x0100
#define FLAG_CHECKING_DISABLED 0x0010
#define EDNS_VERSION(ttl) ((ttl) >> 16 & 0xff)

static bool is_plain(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	       byte == '_';
}

/* Text of the name on the wire, which is whole and uncompressed. */
static void read_text(struct question *question)
{
	const uint8_t *label = question->wire;
	size_t used = 0;

	question->is_plain = *label != 0;
	for (; *label; label += 1 + *label) {
		if (used > 0 && used + 1 < sizeof(question->name))
			question->name[used++] = '.';
		for (size_t i = 1; i <= *label; i++) {
			uint8_t byte = label[i];

			if (byte >= 'A' && byte <= 'Z')
				byte += 'a' - 'A';
			question->is_plain &= is_plain(byte);
			if (is_plain(byte) && used + 1 < sizeof(question->name))
				question->name[used++] = (char)byte;
			else if (!is_plain(byte) && used + 4 < sizeof(question->name))
				used += (size_t)snprintf(&question->name[used],
					sizeof(question->name) - used, "\\%03u", (unsigned)byte);
		}
	}
	question->name[used] = '\0';
}

static int read_name(const uint8_t *message, size_t size, size_t *at, struct question *question)
{
	ldns_rdf *name = NULL;
	size_t begin = *at, wire_size;

	if (begin >= size || ldns_wire2dname(&name, message, size, at) != LDNS_STATUS_OK)
		return QUESTION_FORMERR;
	wire_size = ldns_rdf_size(name);
	/* Compressed: there is nothing before it that it could rightly point to. */
	if (wire_size > sizeof(question->wire) || wire_size != *at - begin) {
		ldns_rdf_deep_free(name);
		return QUESTION_FORMERR;
	}
	question->wire_size = (uint8_t)wire_size;
	memcpy(question->wire, ldns_rdf_data(name), wire_size);
	ldns_rdf_deep_free(name);
	read_text(question);
	return 0;
}

static int read_question(const uint8_t *message, size_t size, size_t *at, struct question *question)
{
	int r = read_name(message, size, at, question);

	if (r != 0)
		return r;
	if (size - *at < 4)
		return QUESTION_FORMERR;
	question->type = ldns_read_uint16(&message[*at]);
	question->class = ldns_read_uint16(&message[*at + 2]);
	question->has_name = true;
	*at += 4;
	return 0;
}

/* None is of use to us, but they must be well formed (RFC 6891, 6.1.2). */
static bool options_are_whole(const ldns_rr *record)
{
	const ldns_rdf *options = ldns_rr_rd_count(record) ? ldns_rr_rdf(record, 0) : NULL;
	size_t left = options ? ldns_rdf_size(options) : 0;
	const uint8_t *at = options ? ldns_rdf_data(options) : NULL;

	while (left >= 4) {
		size_t length = 4u + ldns_read_uint16(at + 2);

		if (length > left)
			return false;
		at += length;
		left -= length;
	}
	return left == 0;
}

static int read_options(const ldns_rr *record, struct question *question)
{
	uint16_t udp_size = ldns_rr_get_class(record);

	/* TSIG and SIG(0) are no business of a program in a sandbox. */
	if (ldns_rr_get_type(record) != LDNS_RR_TYPE_OPT ||
		ldns_rdf_size(ldns_rr_owner(record)) != 1 || !options_are_whole(record))
		return QUESTION_FORMERR;
	question->edns = true;
	if (!question->over_tcp && udp_size > QUESTION_UDP_SIZE_MIN)
		question->answer_size_max =
			udp_size < QUESTION_UDP_SIZE_MAX ? udp_size : QUESTION_UDP_SIZE_MAX;
	return EDNS_VERSION(ldns_rr_ttl(record)) == 0 ? 0 : QUESTION_BADVERS;
}

static int read_additional(
	const uint8_t *message, size_t size, size_t *at, struct question *question)
{
	ldns_rr *record = NULL;
	int r;

	if (*at >= size ||
		ldns_wire2rr(&record, message, size, at, LDNS_SECTION_ADDITIONAL) != LDNS_STATUS_OK)
		return QUESTION_FORMERR;
	r = read_options(record, question);
	ldns_rr_free(record);
	return r;
}

static int read_body(const uint8_t *message, size_t size, struct question *question)
{
	uint16_t n_additional = ldns_read_uint16(&message[10]);
	size_t at = HEADER_SIZE;
	int r;

	if (size > QUESTION_MESSAGE_MAX || ldns_read_uint16(&message[4]) != 1 ||
		ldns_read_uint16(&message[6]) != 0 || ldns_read_uint16(&message[8]) != 0 ||
		n_additional > 1)
		return QUESTION_FORMERR;
	r = read_question(message, size, &at, question);
	if (r == 0 && n_additional > 0)
		r = read_additional(message, size, &at, question);
	if (r == 0 && at != size)
		r = QUESTION_FORMERR;
	return r;
}

int question_parse(
	const uint8_t *message, size_t size, bool over_tcp, struct question *ret_question)
{
	struct question question = {.over_tcp = over_tcp};
	uint16_t flags;
	int r;

	if (size < HEADER_SIZE)
		return -EBADMSG;
	flags = ldns_read_uint16(&message[2]);
	/* An answer to an answer may be answered, and so on for ever. */
	if (flags & FLAG_RESPONSE)
		return -EBADMSG;
	question.id = ldns_read_uint16(message);
	question.opcode = flags >> 11 & 0xf;
	question.recursion_desired = flags & FLAG_RECURSION_DESIRED;
	question.checking_disabled = flags & FLAG_CHECKING_DISABLED;
	question.answer_size_max = over_tcp ? UINT16_MAX : QUESTION_UDP_SIZE_MIN;
	if (question.opcode != LDNS_PACKET_QUERY)
		r = QUESTION_NOTIMP;
	else if (flags & FLAG_TRUNCATED)
		r = QUESTION_FORMERR;
	else
		r = read_body(message, size, &question);
	if (r == 0 && question.class != LDNS_RR_CLASS_IN)
		r = QUESTION_REFUSED;
	*ret_question = question;
	return r;
}
