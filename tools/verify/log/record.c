#include "tools/verify/log/record.h"

enum field {
	FIELD_SEQ,
	FIELD_TYPE,
	FIELD_SANDBOX,
	FIELD_SANDBOX_SEQ,
	FIELD_TENANT,
	FIELD_LOST,
	FIELD_FIRST_SEQ,
	FIELD_LAST_SEQ,
	FIELD_AUDIT,
	N_FIELDS,
};

static const char *const field_names[N_FIELDS] = {
	[FIELD_SEQ] = "seq",
	[FIELD_TYPE] = "type",
	[FIELD_SANDBOX] = "sandbox",
	[FIELD_SANDBOX_SEQ] = "sandbox_seq",
	[FIELD_TENANT] = "tenant_id",
	[FIELD_LOST] = "lost",
	[FIELD_FIRST_SEQ] = "first_seq",
	[FIELD_LAST_SEQ] = "last_seq",
	[FIELD_AUDIT] = "audit",
};

static int hex_digit(char letter)
{
	if (letter >= '0' && letter <= '9')
		return letter - '0';
	return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

static bool read_hex(const char *text, size_t n_bytes, uint8_t *ret_bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool sandbox_read(struct span text, uint64_t *ret_sandbox)
{
	uint8_t bytes[8];
	uint64_t sandbox = 0;

	if (text.size != 19 || memcmp(text.start, "sb-", 3) != 0 ||
		!read_hex(text.start + 3, sizeof(bytes), bytes))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		sandbox = sandbox << 8 | bytes[i];
	*ret_sandbox = sandbox;
	return true;
}

/* {"records":n,"head":"…"} */
static const char *read_end(struct span value, struct record *record)
{
	bool first = true, has_records = false, has_head = false;
	enum scan_type type;
	struct span key, member;
	struct scan scan;

	scan_begin(&scan, value.start, value.size, false);
	scan_open(&scan, '{');
	while (scan_member(&scan, &first, &key) && scan_value(&scan, &type, &member)) {
		if (span_is(key, "records")) {
			if (has_records || type != SCAN_NUMBER ||
				!span_number(member, &record->n_records))
				return "\"audit\" has no number in \"records\", or two";
			has_records = true;
		} else if (span_is(key, "head")) {
			bool is_null = type == SCAN_WORD && span_is(member, "null");

			if (has_head ||
				(!is_null && (type != SCAN_STRING || member.size != 2 * HASH_SIZE ||
						     !read_hex(member.start, HASH_SIZE,
							     record->head.bytes))))
				return "\"audit\" has no hash in \"head\", or two";
			has_head = true;
			record->has_head = !is_null;
		}
	}
	record->has_end = has_records && has_head;
	return record->has_end ? NULL : "\"audit\" is not {\"records\", \"head\"}";
}

static const char *read_number(enum scan_type type, struct span value, uint64_t *ret_value)
{
	if (type != SCAN_NUMBER || !span_number(value, ret_value))
		return "a sequence or count is no whole number";
	return NULL;
}

static const char *read_type(enum scan_type type, struct span value, struct record *record)
{
	if (type != SCAN_STRING || value.size >= sizeof(record->type) ||
		memchr(value.start, '\\', value.size))
		return "\"type\" is no short text";
	memcpy(record->type, value.start, value.size);
	record->type[value.size] = '\0';
	return NULL;
}

static const char *read_field(
	enum field field, enum scan_type type, struct span value, struct record *record)
{
	switch (field) {
	case FIELD_SEQ:
		return read_number(type, value, &record->sequence);
	case FIELD_TYPE:
		return read_type(type, value, record);
	case FIELD_SANDBOX:
		record->has_sandbox = true;
		if (type != SCAN_STRING || !sandbox_read(value, &record->sandbox))
			return "\"sandbox\" is no sandbox's id";
		return NULL;
	case FIELD_SANDBOX_SEQ:
		if (read_number(type, value, &record->sandbox_sequence) ||
			record->sandbox_sequence == 0)
			return "\"sandbox_seq\" is no sequence";
		return NULL;
	case FIELD_TENANT:
		return read_number(type, value, &record->tenant);
	case FIELD_LOST: /* other records may say other things by these names */
		record->has_lost = !read_number(type, value, &record->lost);
		return NULL;
	case FIELD_FIRST_SEQ:
	case FIELD_LAST_SEQ:
		record->has_range = !read_number(type, value,
			field == FIELD_FIRST_SEQ ? &record->first_sequence
						 : &record->last_sequence);
		return NULL;
	case FIELD_AUDIT:
	case N_FIELDS:
		break;
	}
	return NULL;
}

/* What each type must have besides. */
static const char *check_type(struct record *record, unsigned seen, struct span end)
{
	const unsigned range = 1u << FIELD_FIRST_SEQ | 1u << FIELD_LAST_SEQ;

	if (!(seen & 1u << FIELD_SEQ) || record->sequence == 0)
		return "it has no \"seq\"";
	if (!(seen & 1u << FIELD_TYPE))
		return "it has no \"type\"";
	if (record->sandbox_sequence && !record->has_sandbox)
		return "it has \"sandbox_seq\" and no \"sandbox\"";
	if (strcmp(record->type, "audit.lost") == 0 && !record->has_lost)
		return "it has no number in \"lost\"";
	if (strcmp(record->type, "audit.retention") == 0 &&
		(!record->has_range || (seen & range) != range))
		return "it has no numbers in \"first_seq\" and \"last_seq\"";
	if (strcmp(record->type, "sandbox.end") == 0 && record->sandbox_sequence)
		return end.start ? read_end(end, record) : "it has no \"audit\"";
	return NULL;
}

bool record_is_start(const struct record *record)
{
	return strcmp(record->type, "sandbox.create") == 0 ||
	       strcmp(record->type, "sandbox.adopt") == 0;
}

static enum field find_field(struct span key)
{
	enum field field = 0;

	/* Most keys are none of these: their first letter says so. */
	while (field < N_FIELDS && (key.size == 0 || key.start[0] != field_names[field][0] ||
					   !span_is(key, field_names[field])))
		field++;
	return field;
}

const char *record_read(const char *line, size_t size, struct record *ret_record)
{
	struct span key, value, end = {0};
	const char *error = NULL;
	enum scan_type type;
	unsigned seen = 0;
	bool first = true;
	struct scan scan;

	memset(ret_record, 0, sizeof(*ret_record));
	scan_begin(&scan, line, size, false);
	scan_open(&scan, '{');
	while (!error && scan_member(&scan, &first, &key) && scan_value(&scan, &type, &value)) {
		enum field field = find_field(key);

		if (memchr(key.start, '\\', key.size))
			error = "a key with an escape, which the log does not write";
		if (field == N_FIELDS)
			continue;
		if (seen & 1u << field)
			error = "a key that matters is there twice";
		seen |= 1u << field;
		if (field == FIELD_AUDIT && type == SCAN_OBJECT)
			end = value;
		if (!error)
			error = read_field(field, type, value, ret_record);
	}
	if (error)
		return error;
	if (!scan_ends(&scan))
		return scan.error;
	return check_type(ret_record, seen, end);
}
