#include "tools/verify/log/stream-check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tools/verify/log/files.h"
#include "tools/verify/log/streams.h"
#include "tools/verify/tree/proof.h"

struct reader {
	const struct keyring *keyring;
	const char *records_name, *proofs_name;
	struct lines records, proofs;
	struct proof *proof;
	bool proof_waits; /* a proof was read, whose record did not come yet */
	struct stream stream;
	uint64_t first_unproven; /* sequence; 0: none */
	struct checkpoint newest;
	struct stream_summary *summary;
	struct fault *fault;
};

static enum verdict at_record(struct reader *reader, uint64_t sequence)
{
	fault_at(reader->fault, reader->records_name, reader->records.number, sequence);
	return VERDICT_INVALID;
}

static enum verdict at_proof(struct reader *reader, enum verdict verdict)
{
	if (verdict == VERDICT_INVALID)
		fault_at(reader->fault, reader->proofs_name, reader->proofs.number,
			reader->proof->sequence);
	return verdict;
}

static enum verdict next_proof(struct reader *reader)
{
	const char *line, *error;
	size_t size;
	int r;

	if (reader->proof_waits)
		return VERDICT_VALID;
	r = lines_next(&reader->proofs, &line, &size);
	if (r == 0)
		return VERDICT_VALID;
	if (r < 0 && r != -EBADMSG && r != -EMSGSIZE)
		return fault_set(
			reader->fault, FAULT_FAILED, "%s: %s", reader->proofs_name, strerror(-r));
	error = r == -EMSGSIZE ? "the line is too long" : proof_read(line, size, reader->proof);
	if (error) {
		fault_set(reader->fault, FAULT_PROOF, "%s", error);
		return at_proof(reader, VERDICT_INVALID);
	}
	reader->proof_waits = true;
	return VERDICT_VALID;
}

/* Checkpoints of one size must have one root; of different sizes nothing can be said here. */
static enum verdict check_proof(
	struct reader *reader, const struct record *record, const struct hash *leaf)
{
	struct checkpoint checkpoint;
	enum verdict verdict =
		proof_check(reader->keyring, reader->proof, &checkpoint, reader->fault);

	if (!verdict && (!hash_equal(leaf, &reader->proof->leaf) ||
				reader->proof->sequence != record->sequence))
		verdict = fault_set(reader->fault, FAULT_RECORD_CHANGED,
			"the record is not the one that is proven");
	if (!verdict && reader->summary->n_proofs > 0 && checkpoint.size == reader->newest.size &&
		!hash_equal(&checkpoint.root, &reader->newest.root))
		verdict = fault_set(reader->fault, FAULT_FORKED,
			"two checkpoints of one size have different roots");
	if (verdict)
		return at_proof(reader, verdict);
	if (reader->summary->n_proofs == 0 || checkpoint.size > reader->newest.size)
		reader->newest = checkpoint;
	reader->summary->n_proofs++;
	reader->proof_waits = false;
	return VERDICT_VALID;
}

static enum verdict prove(
	struct reader *reader, const struct record *record, const struct hash *leaf)
{
	enum verdict verdict = next_proof(reader);

	if (verdict)
		return verdict;
	if (reader->proof_waits && reader->proof->sequence < record->sequence) {
		fault_set(reader->fault, FAULT_RECORD_DELETED,
			"the record that this proof is of is not in the stream");
		return at_proof(reader, VERDICT_INVALID);
	}
	if (reader->proof_waits && reader->proof->sequence == record->sequence) {
		verdict = check_proof(reader, record, leaf);
		if (!verdict && reader->summary->ended && record->has_head)
			reader->first_unproven = 0; /* the END tells the chain of all before it */
		return verdict;
	}
	if (!reader->first_unproven)
		reader->first_unproven = record->sequence;
	return VERDICT_VALID;
}

static enum verdict take_first(
	struct reader *reader, const struct record *record, const struct hash *leaf)
{
	if (!record_is_start(record) || record->sandbox_sequence != 1) {
		fault_set(reader->fault, FAULT_STREAM,
			"the stream does not begin with its sandbox's START");
		fault_found(reader->fault, "%s, sandbox_seq %" PRIu64, record->type,
			record->sandbox_sequence);
		return VERDICT_INVALID;
	}
	reader->stream = (struct stream){
		.sandbox = record->sandbox, .tenant = record->tenant, .n = 1, .whole = true};
	hash_chain(&reader->stream.head, leaf);
	reader->summary->sandbox = record->sandbox;
	reader->summary->first_sequence = record->sequence;
	return VERDICT_VALID;
}

static enum verdict take_next(
	struct reader *reader, const struct record *record, const struct hash *leaf)
{
	bool ended = false;
	enum verdict verdict;

	if (record->sandbox != reader->stream.sandbox)
		return fault_set(reader->fault, FAULT_STREAM, "the record is of another sandbox");
	if (reader->summary->ended)
		return fault_set(reader->fault, FAULT_STREAM, "a record comes after the END");
	if (record->sequence <= reader->summary->last_sequence)
		return fault_set(reader->fault, FAULT_RECORD_REORDERED,
			"the record comes after a later one");
	verdict = stream_take(&reader->stream, record, leaf, &ended, reader->fault);
	reader->summary->ended = ended;
	return verdict;
}

static enum verdict take_line(struct reader *reader, const char *line, size_t size)
{
	struct record record;
	const char *error = size > RECORD_BYTES_MAX ? "the line is longer than any record"
						    : record_read(line, size, &record);
	enum verdict verdict;
	struct hash leaf;

	if (!error && !record.has_sandbox)
		error = "it is of no sandbox";
	if (error) {
		fault_set(reader->fault, FAULT_RECORD_MALFORMED, "%s", error);
		return at_record(reader, 0);
	}
	/* What strangers did about a sandbox, and what came before and after, is not its stream's.
	 */
	if (!record.sandbox_sequence && (!reader->summary->n_records || reader->summary->ended ||
						record.tenant != reader->stream.tenant)) {
		reader->summary->n_outside++;
		return VERDICT_VALID;
	}
	hash_leaf(line, size, &leaf);
	verdict = reader->summary->n_records ? take_next(reader, &record, &leaf)
					     : take_first(reader, &record, &leaf);
	if (verdict == VERDICT_INVALID)
		return at_record(reader, record.sequence);
	reader->summary->n_records++;
	reader->summary->last_sequence = record.sequence;
	return verdict ? verdict : prove(reader, &record, &leaf);
}

static enum verdict take_end(struct reader *reader)
{
	enum verdict verdict = next_proof(reader);

	if (verdict)
		return verdict;
	if (reader->proof_waits) {
		fault_set(reader->fault, FAULT_RECORD_DELETED,
			"the record that this proof is of is not in the stream");
		return at_proof(reader, VERDICT_INVALID);
	}
	if (reader->summary->n_records == 0)
		return fault_set(
			reader->fault, FAULT_FAILED, "%s holds no record", reader->records_name);
	if (reader->first_unproven) {
		fault_set(reader->fault, FAULT_UNSIGNED, "%s",
			reader->summary->ended ? "neither this record nor the END has a proof"
					       : "this record has no proof, and there is no END");
		fault_at(reader->fault, reader->records_name, 0, reader->first_unproven);
		return VERDICT_INVALID;
	}
	reader->summary->tree_size = reader->newest.size;
	return VERDICT_VALID;
}

static enum verdict take_all(struct reader *reader)
{
	enum verdict verdict = VERDICT_VALID;

	while (!verdict) {
		const char *line;
		size_t size;
		int r = lines_next(&reader->records, &line, &size);

		if (r == 0)
			return take_end(reader);
		if (r > 0) {
			verdict = take_line(reader, line, size);
		} else if (r == -EBADMSG || r == -EMSGSIZE) {
			fault_set(reader->fault, FAULT_RECORD_MALFORMED, "%s",
				r == -EBADMSG ? "the line is cut off" : "the line is too long");
			verdict = at_record(reader, 0);
		} else {
			verdict = fault_set(reader->fault, FAULT_FAILED, "%s: %s",
				reader->records_name, strerror(-r));
		}
	}
	return verdict;
}

enum verdict stream_check(const struct keyring *keyring, int records_fd, const char *records_name,
	int proofs_fd, const char *proofs_name, struct stream_summary *ret_summary,
	struct fault *fault)
{
	struct reader reader = {.keyring = keyring,
		.records_name = records_name,
		.proofs_name = proofs_name,
		.summary = ret_summary,
		.fault = fault,
		.proof = malloc(sizeof(*reader.proof))};
	enum verdict verdict;

	*ret_summary = (struct stream_summary){0};
	if (!reader.proof || lines_init(&reader.records, records_fd, 4 * RECORD_BYTES_MAX) < 0 ||
		lines_init(&reader.proofs, proofs_fd, PROOF_BYTES_MAX) < 0)
		verdict = fault_set(fault, FAULT_FAILED, "memory is out");
	else
		verdict = take_all(&reader);
	lines_fini(&reader.records);
	lines_fini(&reader.proofs);
	free(reader.proof);
	return verdict;
}
