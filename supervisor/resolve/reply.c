#include "supervisor/resolve/reply.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/resolve/question.h"
#include "supervisor/resolve/rebuild.h"

#define HEADER_SIZE 12
#define FLAG_RESPONSE 0x8000
#define FLAG_AUTHORITATIVE 0x0400
#define FLAG_TRUNCATED 0x0200
#define FLAG_RECURSION_AVAILABLE 0x0080
#define RECORDS_MAX 64 /* of the answer section; the rest is not read */
#define CHAIN_MAX 8

struct records {
	ldns_rr *at[RECORDS_MAX];
	size_t n;
};

static bool is_plain(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	       byte == '_';
}

bool reply_name_is_valid(const char *name)
{
	size_t label_size = 0, size;
	bool digits = true; /* the label so far */

	for (size = 0; name[size]; size++) {
		bool begins = label_size == 0;

		if (size >= 253)
			return false;
		if (name[size] == '.') {
			if (begins)
				return false;
			label_size = 0;
			digits = true;
			continue;
		}
		if (!is_plain(name[size]) || ++label_size > LDNS_MAX_LABELLEN)
			return false;
		digits = digits && name[size] >= '0' && name[size] <= '9';
	}
	return label_size > 0 && !digits;
}

static void cleanup_packet(ldns_pkt **packet)
{
	ldns_pkt_free(*packet);
}

int reply_write_query(const struct reply_question *question, uint8_t *ret_message, size_t *ret_size)
{
	_cleanup_(cleanup_packet) ldns_pkt *packet = NULL;
	ldns_rdf *name;
	uint8_t *wire = NULL;
	size_t size;

	if (!reply_name_is_valid(question->name))
		return -EINVAL;
	name = ldns_dname_new_frm_str(question->name);
	if (!name)
		return -ENOMEM;
	packet = ldns_pkt_query_new(name, (ldns_rr_type)question->type, LDNS_RR_CLASS_IN, LDNS_RD);
	if (!packet) {
		ldns_rdf_deep_free(name);
		return -ENOMEM;
	}
	ldns_pkt_set_id(packet, question->id);
	if (question->edns)
		ldns_pkt_set_edns_udp_size(packet, REPLY_UDP_SIZE);
	if (ldns_pkt2wire(&wire, packet, &size) != LDNS_STATUS_OK)
		return -ENOMEM;
	if (size <= REPLY_QUERY_SIZE_MAX) {
		memcpy(ret_message, wire, size);
		*ret_size = size;
	}
	free(wire);
	return size <= REPLY_QUERY_SIZE_MAX ? 0 : -EINVAL;
}

/* Whether the question section is ours; moves `*at` behind it. */
static bool is_our_question(const struct reply_question *question, const ldns_rdf *name,
	const uint8_t *message, size_t size, size_t *at)
{
	ldns_rdf *said = NULL;
	bool same;

	if (*at >= size || ldns_wire2dname(&said, message, size, at) != LDNS_STATUS_OK)
		return false;
	same = ldns_dname_compare(said, name) == 0;
	ldns_rdf_deep_free(said);
	if (!same || *at > size || size - *at < 4 ||
		ldns_read_uint16(&message[*at]) != question->type ||
		ldns_read_uint16(&message[*at + 2]) != LDNS_RR_CLASS_IN)
		return false;
	*at += 4;
	return true;
}

static bool read_records(
	const uint8_t *message, size_t size, size_t at, size_t n, struct records *ret_records)
{
	for (size_t i = 0; i < n && i < RECORDS_MAX; i++) {
		ldns_rr *record = NULL;

		if (at >= size || ldns_wire2rr(&record, message, size, &at, LDNS_SECTION_ANSWER) !=
					  LDNS_STATUS_OK)
			return false;
		ret_records->at[ret_records->n++] = record;
	}
	return true;
}

static void cleanup_records(struct records *records)
{
	for (size_t i = 0; i < records->n; i++)
		ldns_rr_free(records->at[i]);
}

static void lower_ttl(struct reply_answer *answer, const ldns_rr *record)
{
	uint32_t ttl = ldns_rr_ttl(record);

	/* RFC 2181, 8: with the highest bit it means nothing. */
	if (ttl & 0x80000000)
		ttl = 0;
	if (ttl < answer->ttl_seconds)
		answer->ttl_seconds = ttl;
}

static bool is_of(const ldns_rr *record, const ldns_rdf *owner, ldns_rr_type type)
{
	return ldns_rr_get_type(record) == type && ldns_rr_get_class(record) == LDNS_RR_CLASS_IN &&
	       ldns_rr_rd_count(record) >= 1 &&
	       ldns_dname_compare(ldns_rr_owner(record), owner) == 0;
}

static void add_address(struct reply_answer *answer, const ldns_rdf *data)
{
	struct abi_address address = {.bytes = {[10] = 0xff, [11] = 0xff}};

	if (ldns_rdf_size(data) == 4)
		memcpy(&address.bytes[12], ldns_rdf_data(data), 4);
	else if (ldns_rdf_size(data) == 16)
		memcpy(address.bytes, ldns_rdf_data(data), 16);
	else
		return;
	if (answer->n_addresses < REPLY_ADDRESSES_MAX)
		answer->addresses[answer->n_addresses++] = address;
}

/* Takes one record of the type that was asked for. */
static void take_record(
	const struct reply_question *question, const ldns_rr *record, struct reply_answer *answer)
{
	if (!question->records)
		add_address(answer, ldns_rr_rdf(record, 0));
	else if (answer->error == 0)
		answer->error = rebuild_record(record, question->records);
	lower_ttl(answer, record);
}

static bool has_some(const struct reply_question *question, const struct reply_answer *answer)
{
	return question->records ? question->records->n > 0 || answer->error
				 : answer->n_addresses > 0;
}

/* Follows the chain from `owner` to what is asked for. False: it is too long, or a circle. */
static bool follow(const struct records *records, const ldns_rdf *owner,
	const struct reply_question *question, struct reply_answer *answer)
{
	for (int depth = 0; depth <= CHAIN_MAX; depth++) {
		const ldns_rr *alias = NULL;

		for (size_t i = 0; i < records->n; i++) {
			const ldns_rr *record = records->at[i];

			if (is_of(record, owner, (ldns_rr_type)question->type)) {
				take_record(question, record, answer);
			} else if (!alias && is_of(record, owner, LDNS_RR_TYPE_CNAME)) {
				alias = record;
			}
		}
		if (has_some(question, answer) || !alias)
			return true;
		lower_ttl(answer, alias);
		owner = ldns_rr_rdf(alias, 0);
	}
	return false;
}

static enum reply_meaning read_answer(const struct reply_question *question, const ldns_rdf *name,
	const uint8_t *message, size_t size, size_t at, struct reply_answer *ret_answer)
{
	_cleanup_(cleanup_records) struct records records = {.n = 0};
	struct reply_answer answer = {.ttl_seconds = REPLY_TTL_MAX_SECONDS};
	bool exists = (ldns_read_uint16(&message[2]) & 0xf) == LDNS_RCODE_NOERROR;

	if (!read_records(message, size, at, ldns_read_uint16(&message[6]), &records))
		return REPLY_FAILED;
	if (question->records)
		question->records->n = question->records->size = 0;
	if (exists && !follow(&records, name, question, &answer))
		return REPLY_FAILED;
	if (!has_some(question, &answer)) {
		answer.error = exists ? -ENODATA : -ENOENT;
		answer.ttl_seconds = REPLY_TTL_NEGATIVE_SECONDS;
	} else if (answer.ttl_seconds < REPLY_TTL_MIN_SECONDS) {
		answer.ttl_seconds = REPLY_TTL_MIN_SECONDS;
	}
	*ret_answer = answer;
	return REPLY_ANSWER;
}

/* What the header says of an answer to our question. */
static enum reply_meaning judge_header(const struct reply_question *question, uint16_t flags,
	uint16_t n_answers, uint16_t n_authority)
{
	uint16_t rcode = flags & 0xf;

	if (flags & FLAG_TRUNCATED)
		return REPLY_TRUNCATED;
	if (question->edns && (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL))
		return REPLY_NO_EDNS;
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
		return REPLY_FAILED;
	/* A referral: this server neither resolves for us nor knows the name itself. */
	if (rcode == LDNS_RCODE_NOERROR && n_answers == 0 && n_authority > 0 &&
		!(flags & (FLAG_AUTHORITATIVE | FLAG_RECURSION_AVAILABLE)))
		return REPLY_FAILED;
	return REPLY_ANSWER;
}

static bool rejects_without_question(uint16_t flags, uint16_t n_questions)
{
	uint16_t rcode = flags & 0xf;

	return n_questions == 0 && (rcode == LDNS_RCODE_FORMERR || rcode == LDNS_RCODE_NOTIMPL);
}

enum reply_meaning reply_read(const struct reply_question *question, const uint8_t *message,
	size_t size, struct reply_answer *ret_answer)
{
	enum reply_meaning meaning;
	size_t at = HEADER_SIZE;
	uint16_t flags, n_questions;
	ldns_rdf *name;

	if (size < HEADER_SIZE || ldns_read_uint16(message) != question->id)
		return REPLY_FOREIGN;
	flags = ldns_read_uint16(&message[2]);
	n_questions = ldns_read_uint16(&message[4]);
	if (!(flags & FLAG_RESPONSE) || (flags >> 11 & 0xf) != LDNS_PACKET_QUERY)
		return REPLY_FOREIGN;
	/* Servers that cannot read a question cannot repeat it. */
	if (rejects_without_question(flags, n_questions))
		return question->edns ? REPLY_NO_EDNS : REPLY_FAILED;
	name = ldns_dname_new_frm_str(question->name);
	if (!name)
		return REPLY_FAILED;
	if (n_questions != 1 || !is_our_question(question, name, message, size, &at))
		meaning = REPLY_FOREIGN;
	else
		meaning = judge_header(question, flags, ldns_read_uint16(&message[6]),
			ldns_read_uint16(&message[8]));
	if (meaning == REPLY_ANSWER)
		meaning = read_answer(question, name, message, size, at, ret_answer);
	ldns_rdf_deep_free(name);
	return meaning;
}
