#include "supervisor/resolve/rebuild.h"

#include <errno.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

#define NUMBERS_MAX 3

/* What the type's data begins with; MX and SRV then have a name, TXT has texts. */
static const struct form {
	ldns_rr_type type;
	size_t n_numbers;
	bool has_name;
} forms[] = {{LDNS_RR_TYPE_MX, 1, true}, {LDNS_RR_TYPE_SRV, 3, true}, {LDNS_RR_TYPE_TXT, 0, false}};

struct piece {
	uint8_t bytes[REPLY_RECORDS_BYTES_MAX];
	size_t size;
};

static int add(struct piece *piece, const ldns_rdf *data)
{
	size_t size = ldns_rdf_size(data);

	if (size > sizeof(piece->bytes) - piece->size)
		return -EMSGSIZE;
	memcpy(&piece->bytes[piece->size], ldns_rdf_data(data), size);
	piece->size += size;
	return 0;
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Labels of letters, digits, '-' and '_', or the root alone, which says that there is none (RFC
 * 2782, 7505). */
static bool is_host(const ldns_rdf *name)
{
	const uint8_t *bytes = ldns_rdf_data(name);
	size_t size = ldns_rdf_size(name), at = 0;

	while (at < size && bytes[at] > 0) {
		size_t length = bytes[at++];

		if (length > LDNS_MAX_LABELLEN || length > size - at)
			return false;
		for (size_t end = at + length; at < end; at++)
			if (!is_letter(bytes[at]))
				return false;
	}
	return at + 1 == size && size <= LDNS_MAX_DOMAINLEN;
}

static bool is_text(const ldns_rdf *data)
{
	size_t size = ldns_rdf_size(data);

	return ldns_rdf_get_type(data) == LDNS_RDF_TYPE_STR && size >= 1 &&
	       size == 1u + ldns_rdf_data(data)[0];
}

static bool has_form(const ldns_rr *record, const struct form *form)
{
	size_t n = ldns_rr_rd_count(record);

	if (n == 0 || (form->has_name && n != form->n_numbers + 1))
		return false;
	for (size_t i = 0; i < n; i++) {
		const ldns_rdf *data = ldns_rr_rdf(record, i);

		if (i < form->n_numbers) {
			if (ldns_rdf_get_type(data) != LDNS_RDF_TYPE_INT16 ||
				ldns_rdf_size(data) != 2)
				return false;
		} else if (form->has_name) {
			if (ldns_rdf_get_type(data) != LDNS_RDF_TYPE_DNAME || !is_host(data))
				return false;
		} else if (!is_text(data)) {
			return false;
		}
	}
	return true;
}

static const struct form *form_of(const ldns_rr *record)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (forms[i].type == ldns_rr_get_type(record))
			return &forms[i];
	return NULL;
}

int rebuild_record(const ldns_rr *record, struct reply_records *records)
{
	const struct form *form = form_of(record);
	struct piece piece = {.size = 0};

	if (!form || !has_form(record, form))
		return 0;
	for (size_t i = 0; i < ldns_rr_rd_count(record); i++)
		if (add(&piece, ldns_rr_rdf(record, i)) < 0)
			return -EMSGSIZE;
	if (records->n == REPLY_RECORDS_MAX ||
		records->size + 2 + piece.size > sizeof(records->bytes) ||
		records->size + piece.size + (records->n + 1u) * REPLY_RECORD_OVERHEAD >
			sizeof(records->bytes))
		return -EMSGSIZE;
	records->bytes[records->size] = (uint8_t)(piece.size >> 8);
	records->bytes[records->size + 1] = (uint8_t)piece.size;
	memcpy(&records->bytes[records->size + 2], piece.bytes, piece.size);
	records->size = (uint16_t)(records->size + 2 + piece.size);
	records->n++;
	return 0;
}
