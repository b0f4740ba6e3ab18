#include "supervisor/resolve/answer.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

#define EDE_HEADER_SIZE 2 /* the code, before the text */

static void cleanup_packet(ldns_pkt **packet)
{
	ldns_pkt_free(*packet);
}

#define _cleanup_packet_ _cleanup_(cleanup_packet)

/* A record that is named as the question is, on the heap; NULL without memory. */
static ldns_rr *record_new(const struct question *question)
{
	ldns_rr *record = ldns_rr_new();
	ldns_rdf *owner =
		ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, question->wire_size, question->wire);

	if (!record || !owner) {
		ldns_rr_free(record);
		if (owner)
			ldns_rdf_deep_free(owner);
		return NULL;
	}
	ldns_rr_set_owner(record, owner);
	ldns_rr_set_type(record, (ldns_rr_type)question->type);
	ldns_rr_set_class(record, (ldns_rr_class)question->class);
	return record;
}

static int push(ldns_pkt *packet, ldns_pkt_section section, ldns_rr *record)
{
	if (record && ldns_pkt_push_rr(packet, section, record))
		return 0;
	ldns_rr_free(record);
	return -ENOMEM;
}

static int push_question(ldns_pkt *packet, const struct question *question)
{
	ldns_rr *record = record_new(question);

	if (record)
		ldns_rr_set_question(record, true);
	return push(packet, LDNS_SECTION_QUESTION, record);
}

static int begin(const struct question *question, uint16_t rcode, ldns_pkt **ret_packet)
{
	_cleanup_packet_ ldns_pkt *packet = ldns_pkt_new();

	if (!packet)
		return -ENOMEM;
	ldns_pkt_set_id(packet, question->id);
	ldns_pkt_set_qr(packet, true);
	ldns_pkt_set_opcode(packet, (ldns_pkt_opcode)question->opcode);
	ldns_pkt_set_rd(packet, question->recursion_desired);
	ldns_pkt_set_cd(packet, question->checking_disabled);
	ldns_pkt_set_ra(packet, true);
	ldns_pkt_set_rcode(packet, rcode & 0xf);
	if (question->edns) {
		ldns_pkt_set_edns_udp_size(packet, QUESTION_UDP_SIZE_MAX);
		ldns_pkt_set_edns_extended_rcode(packet, (uint8_t)(rcode >> 4));
	}
	if (question->has_name && push_question(packet, question) < 0)
		return -ENOMEM;
	*ret_packet = steal_ptr(&packet);
	return 0;
}

/* Text that is cut in the middle of a character would be no UTF-8, which RFC 8914 wants. */
static size_t text_size(const char *text)
{
	size_t size = text ? strnlen(text, ANSWER_TEXT_MAX + 1) : 0;

	if (size <= ANSWER_TEXT_MAX)
		return size;
	size = ANSWER_TEXT_MAX;
	while (size > 0 && ((uint8_t)text[size] & 0xc0) == 0x80)
		size--;
	return size;
}

/* The packet takes the list, and frees it with all that is in it. */
static int set_reason(ldns_pkt *packet, enum answer_reason reason, const char *text)
{
	uint8_t data[EDE_HEADER_SIZE + ANSWER_TEXT_MAX];
	size_t size = text_size(text);
	ldns_edns_option_list *list = ldns_edns_option_list_new();
	ldns_edns_option *option;

	if (!list)
		return -ENOMEM;
	ldns_write_uint16(data, (uint16_t)reason);
	if (size > 0)
		memcpy(&data[EDE_HEADER_SIZE], text, size);
	option = ldns_edns_new_from_data(LDNS_EDNS_EDE, EDE_HEADER_SIZE + size, data);
	if (!option || !ldns_edns_option_list_push(list, option)) {
		if (option)
			ldns_edns_deep_free(option);
		ldns_edns_option_list_deep_free(list);
		return -ENOMEM;
	}
	ldns_pkt_set_edns_option_list(packet, list);
	return 0;
}

/* -EMSGSIZE: does not fit. */
static int write_packet(const ldns_pkt *packet, const struct question *question,
	uint8_t *ret_message, size_t *ret_size)
{
	uint8_t *wire = NULL;
	size_t size;
	int r = 0;

	if (ldns_pkt2wire(&wire, packet, &size) != LDNS_STATUS_OK)
		return -ENOMEM;
	if (size > question->answer_size_max || size > ANSWER_SIZE_MAX) {
		r = -EMSGSIZE;
	} else {
		memcpy(ret_message, wire, size);
		*ret_size = size;
	}
	free(wire);
	return r;
}

int answer_address(const struct question *question, const struct abi_address *address,
	uint32_t ttl_seconds, uint8_t *ret_message, size_t *ret_size)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	_cleanup_packet_ ldns_pkt *packet = NULL;
	bool is_ipv4 = question->type == QUESTION_A;
	ldns_rdf *data;
	ldns_rr *record;
	int r;

	if (!question->has_name || (!is_ipv4 && question->type != QUESTION_AAAA) ||
		(is_ipv4 && memcmp(address->bytes, mapped, sizeof(mapped)) != 0))
		return -EINVAL;
	r = begin(question, QUESTION_NOERROR, &packet);
	if (r < 0)
		return r;
	record = record_new(question);
	data = is_ipv4 ? ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, 4, &address->bytes[12])
		       : ldns_rdf_new_frm_data(LDNS_RDF_TYPE_AAAA, 16, address->bytes);
	if (!record || !data || !ldns_rr_push_rdf(record, data)) {
		ldns_rr_free(record);
		if (data)
			ldns_rdf_deep_free(data);
		return -ENOMEM;
	}
	ldns_rr_set_ttl(record, ttl_seconds);
	r = push(packet, LDNS_SECTION_ANSWER, record);
	/* The longest name with its address and OPT is below 512 bytes. */
	return r < 0 ? r : write_packet(packet, question, ret_message, ret_size);
}

static int push_data(ldns_pkt *packet, const struct question *question, uint32_t ttl_seconds,
	const uint8_t *bytes, size_t size)
{
	ldns_rr *record = record_new(question);
	/* Whole, so that no name in it is compressed, which SRV must not be (RFC 2782). */
	ldns_rdf *data = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_UNKNOWN, size, bytes);

	if (!record || !data || !ldns_rr_push_rdf(record, data)) {
		ldns_rr_free(record);
		if (data)
			ldns_rdf_deep_free(data);
		return -ENOMEM;
	}
	ldns_rr_set_ttl(record, ttl_seconds);
	return push(packet, LDNS_SECTION_ANSWER, record);
}

static int answer_without_reason(const struct question *question, uint16_t rcode, bool truncated,
	uint8_t *ret_message, size_t *ret_size);

int answer_records(const struct question *question, const struct reply_records *records,
	uint32_t ttl_seconds, uint8_t *ret_message, size_t *ret_size)
{
	_cleanup_packet_ ldns_pkt *packet = NULL;
	int r = begin(question, QUESTION_NOERROR, &packet);

	for (size_t at = 0; r == 0 && at + 2 <= records->size;) {
		size_t size = (size_t)records->bytes[at] << 8 | records->bytes[at + 1];

		r = push_data(packet, question, ttl_seconds, &records->bytes[at + 2], size);
		at += 2 + size;
	}
	if (r == 0)
		r = write_packet(packet, question, ret_message, ret_size);
	if (r == -EMSGSIZE)
		r = answer_without_reason(question, QUESTION_NOERROR, true, ret_message, ret_size);
	return r;
}

int answer_empty(const struct question *question, uint8_t *ret_message, size_t *ret_size)
{
	return answer_refuse(question, QUESTION_NOERROR, ANSWER_NONE, NULL, ret_message, ret_size);
}

static int answer_without_reason(const struct question *question, uint16_t rcode, bool truncated,
	uint8_t *ret_message, size_t *ret_size)
{
	_cleanup_packet_ ldns_pkt *packet = NULL;
	int r = begin(question, rcode, &packet);

	if (r < 0)
		return r;
	ldns_pkt_set_tc(packet, truncated);
	return write_packet(packet, question, ret_message, ret_size);
}

int answer_refuse(const struct question *question, uint16_t rcode, enum answer_reason reason,
	const char *text, uint8_t *ret_message, size_t *ret_size)
{
	_cleanup_packet_ ldns_pkt *packet = NULL;
	int r;

	if (!question->edns || reason == ANSWER_NONE)
		return answer_without_reason(question, rcode, false, ret_message, ret_size);
	r = begin(question, rcode, &packet);
	if (r == 0)
		r = set_reason(packet, reason, text);
	if (r == 0)
		r = write_packet(packet, question, ret_message, ret_size);
	/* RFC 8914, 3: what does not fit loses its reason first, and says so. */
	if (r == -EMSGSIZE)
		r = answer_without_reason(question, rcode, true, ret_message, ret_size);
	return r;
}
