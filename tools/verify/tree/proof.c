#include "tools/verify/tree/proof.h"

#include <inttypes.h>

#include "tools/verify/notes/base64.h"

enum field {
	FIELD_SEQ,
	FIELD_INDEX,
	FIELD_SIZE,
	FIELD_LEAF,
	FIELD_HASHES,
	FIELD_CHECKPOINT,
	FIELD_RECORD,
	FIELD_FROM,
	FIELD_TO,
	N_FIELDS,
};

static const char *const field_names[N_FIELDS] = {
	[FIELD_SEQ] = "seq",
	[FIELD_INDEX] = "leaf_index",
	[FIELD_SIZE] = "tree_size",
	[FIELD_LEAF] = "leaf_hash",
	[FIELD_HASHES] = "hashes",
	[FIELD_CHECKPOINT] = "checkpoint",
	[FIELD_RECORD] = "record",
	[FIELD_FROM] = "from",
	[FIELD_TO] = "to",
};

#define BIT(field) (1u << (field))
#define INCLUSION                                                                                  \
	(BIT(FIELD_SEQ) | BIT(FIELD_INDEX) | BIT(FIELD_SIZE) | BIT(FIELD_LEAF) |                   \
		BIT(FIELD_HASHES) | BIT(FIELD_CHECKPOINT))
#define CONSISTENCY (BIT(FIELD_FROM) | BIT(FIELD_TO) | BIT(FIELD_HASHES))

static bool read_hash(enum scan_type type, struct span value, struct hash *ret_hash)
{
	return type == SCAN_STRING &&
	       base64_read(value.start, value.size, ret_hash->bytes, HASH_SIZE) == HASH_SIZE;
}

static bool read_hashes(enum scan_type type, struct span value, struct proof *proof)
{
	bool first = true;
	struct scan scan;

	if (type != SCAN_ARRAY)
		return false;
	scan_begin(&scan, value.start, value.size, true);
	scan_open(&scan, '[');
	while (scan_element(&scan, &first)) {
		struct span text;

		if (proof->n_hashes == TREE_PROOF_MAX || !scan_value(&scan, &type, &text) ||
			!read_hash(type, text, &proof->hashes[proof->n_hashes]))
			return false;
		proof->n_hashes++;
	}
	return true;
}

static bool read_text(
	enum scan_type type, struct span value, char *ret_text, size_t room, size_t *ret_size)
{
	if (type != SCAN_STRING)
		return false;
	*ret_size = span_unescape(value, ret_text, room);
	return *ret_size != (size_t)-1;
}

static bool read_field(
	enum field field, enum scan_type type, struct span value, struct proof *proof)
{
	uint64_t *const numbers[N_FIELDS] = {
		[FIELD_SEQ] = &proof->sequence,
		[FIELD_INDEX] = &proof->index,
		[FIELD_SIZE] = &proof->size,
		[FIELD_FROM] = &proof->from,
		[FIELD_TO] = &proof->to,
	};

	if (numbers[field])
		return type == SCAN_NUMBER && span_number(value, numbers[field]);
	if (field == FIELD_LEAF)
		return read_hash(type, value, &proof->leaf);
	if (field == FIELD_HASHES)
		return read_hashes(type, value, proof);
	if (field == FIELD_CHECKPOINT)
		return read_text(type, value, proof->checkpoint, sizeof(proof->checkpoint),
			&proof->checkpoint_size);
	return read_text(type, value, proof->record, sizeof(proof->record), &proof->record_size);
}

const char *proof_read(const char *text, size_t size, struct proof *ret_proof)
{
	enum scan_type type;
	struct span key, value;
	unsigned seen = 0;
	bool first = true;
	struct scan scan;

	memset(ret_proof, 0, sizeof(*ret_proof));
	scan_begin(&scan, text, size, true);
	scan_open(&scan, '{');
	while (scan_member(&scan, &first, &key) && scan_value(&scan, &type, &value)) {
		enum field field = 0;

		while (field < N_FIELDS && !span_is(key, field_names[field]))
			field++;
		if (field == N_FIELDS)
			continue;
		if (seen & BIT(field))
			return "a member of it is there twice";
		seen |= BIT(field);
		if (!read_field(field, type, value, ret_proof))
			return "a member of it has not the form that it must have";
	}
	if (!scan_ends(&scan))
		return scan.error;
	ret_proof->is_inclusion = (seen & INCLUSION) == INCLUSION;
	ret_proof->is_consistency = (seen & CONSISTENCY) == CONSISTENCY;
	ret_proof->has_record = seen & BIT(FIELD_RECORD);
	if (!ret_proof->is_inclusion && !ret_proof->is_consistency)
		return "it has not the members of a proof";
	return NULL;
}

static enum verdict check_record(const struct proof *proof, struct fault *fault)
{
	struct record record;
	const char *error = record_read(proof->record, proof->record_size, &record);
	struct hash leaf;

	if (error)
		return fault_set(
			fault, FAULT_RECORD_MALFORMED, "what it proves is no record: %s", error);
	hash_leaf(proof->record, proof->record_size, &leaf);
	if (record.sequence != proof->sequence || !hash_equal(&leaf, &proof->leaf))
		return fault_set(
			fault, FAULT_RECORD_CHANGED, "the record is not the one that is proven");
	return VERDICT_VALID;
}

enum verdict proof_check(const struct keyring *keyring, const struct proof *proof,
	struct checkpoint *ret_checkpoint, struct fault *fault)
{
	struct span bytes = {proof->checkpoint, proof->checkpoint_size};
	enum verdict verdict;

	if (!proof->is_inclusion)
		return fault_set(fault, FAULT_PROOF, "it is no proof of inclusion");
	verdict = keyring_check_alone(keyring, bytes, ret_checkpoint, fault);
	if (!verdict && proof->has_record)
		verdict = check_record(proof, fault);
	if (verdict)
		return verdict;
	if (proof->size != ret_checkpoint->size || proof->sequence != proof->index + 1)
		return fault_set(
			fault, FAULT_PROOF, "its numbers contradict each other, or its checkpoint");
	if (!tree_includes(proof->index, proof->size, &proof->leaf, proof->hashes, proof->n_hashes,
		    &ret_checkpoint->root))
		return fault_set(
			fault, FAULT_PROOF, "it does not lead to the root that was signed");
	return VERDICT_VALID;
}
