/* GET /v1/audit/checkpoint, /keys, /proof, /consistency: what cloche-verify checks a log by.
 *
 * The forms of proofs are those that cloche-verify reads; a record goes out as the bytes that were
 * hashed, inside a JSON string. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "api/http/respond.h"
#include "api/text/json.h"
#include "api/v1/routes.h"
#include "supervisor/wire/audit.h"
#include "supervisor/wire/strings.h"

#define HASH_BYTES 32

static int on_note(struct request *request, const struct answer *answer)
{
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_AUDIT_NOTE) < 0 || rows.page.n_rows != 1 ||
		rows.left == 0)
		return -EPROTO;
	writer_bytes(&request->answer, rows.next, rows.left);
	respond(request, 200, "text/plain; charset=utf-8");
	return ANSWER_LAST;
}

void audit_checkpoint_read(struct request *request)
{
	request_ask(request, WIRE_API_AUDIT_CHECKPOINT, &request->caller, sizeof(request->caller),
		NULL, 0, on_note);
}

/* ---- keys */

static int on_keys(struct request *request, const struct answer *answer);

static void ask_keys(struct request *request, uint64_t cursor)
{
	const struct wire_audit_keys_query query = {.caller = request->caller, .cursor = cursor};

	request_ask(request, WIRE_API_AUDIT_KEYS, &query, sizeof(query), NULL, 0, on_keys);
}

static int on_keys(struct request *request, const struct answer *answer)
{
	struct writer *writer = &request->answer;
	struct wire_audit_key_row row;
	struct answer_rows rows;

	if (answer_rows_begin(&rows, answer, WIRE_API_AUDIT_KEYS_REPLY) < 0)
		return -EPROTO;
	if (writer->size == 0) {
		json_write_open(writer, '{');
		json_write_name(writer, "keys");
		json_write_open(writer, '[');
	}
	for (uint32_t i = 0; i < rows.page.n_rows; i++) {
		if (answer_rows_take(&rows, &row, sizeof(row)) < 0 || !WIRE_TEXT_VALID(row.key) ||
			!WIRE_TEXT_VALID(row.certificate))
			return -EPROTO;
		json_write_open(writer, '{');
		json_write_number(writer, "epoch", row.epoch);
		json_write_text(writer, "key", row.key);
		if (row.certificate[0])
			json_write_text(writer, "certificate", row.certificate);
		json_write_close(writer, '}');
	}
	if (rows.left)
		return -EPROTO;
	if (rows.page.next_cursor) {
		ask_keys(request, rows.page.next_cursor);
		return ANSWER_LAST;
	}
	json_write_close(writer, ']');
	json_write_close(writer, '}');
	respond_json(request, 200);
	return ANSWER_LAST;
}

void audit_keys_list(struct request *request)
{
	ask_keys(request, 0);
}

/* ---- proofs */

static void write_hashes(struct writer *writer, const struct wire_audit_proof *proof)
{
	json_write_name(writer, "hashes");
	json_write_open(writer, '[');
	for (uint32_t i = 0; i < proof->n_hashes; i++)
		json_write_base64(writer, proof->hashes[i], HASH_BYTES);
	json_write_close(writer, ']');
}

static int on_proof(struct request *request, const struct answer *answer)
{
	const struct wire_audit_proof *proof = answer->body;
	struct writer *writer = &request->answer;
	const char *note = (const char *)(proof + 1);

	if (answer->type != WIRE_API_AUDIT_PROOF_REPLY || answer->size < sizeof(*proof) ||
		proof->n_hashes > WIRE_PROOF_HASHES_MAX ||
		answer->size - sizeof(*proof) != (size_t)proof->note_size + proof->record_size)
		return -EPROTO;
	json_write_open(writer, '{');
	if (proof->sequence) {
		json_write_number(writer, "seq", proof->sequence);
		json_write_number(writer, "leaf_index", proof->sequence - 1);
		json_write_number(writer, "tree_size", proof->size);
		json_write_name(writer, "leaf_hash");
		json_write_base64(writer, proof->leaf, HASH_BYTES);
	} else {
		json_write_number(writer, "from", proof->from);
		json_write_number(writer, "to", proof->size);
	}
	write_hashes(writer, proof);
	if (proof->sequence) {
		json_write_name(writer, "checkpoint");
		json_write_string(writer, note, proof->note_size);
		json_write_name(writer, "record");
		json_write_string(writer, note + proof->note_size, proof->record_size);
	}
	json_write_close(writer, '}');
	respond_json(request, 200);
	return ANSWER_LAST;
}

void audit_proof_read(struct request *request)
{
	static const char *const known[] = {"seq", "size", NULL};
	struct wire_audit_proof_query query = {.caller = request->caller};

	if (!request_arguments_check(request, known, NULL) ||
		!request_argument_number(request, "seq", 1, UINT64_MAX, &query.sequence) ||
		!request_argument_number(request, "size", 1, UINT64_MAX, &query.size))
		return;
	if (!query.sequence) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"seq\" is needed: the sequence of the record to prove");
		return;
	}
	request_ask(request, WIRE_API_AUDIT_PROOF, &query, sizeof(query), NULL, 0, on_proof);
}

void audit_consistency_read(struct request *request)
{
	static const char *const known[] = {"from", "to", NULL};
	struct wire_audit_proof_query query = {.caller = request->caller};

	if (!request_arguments_check(request, known, NULL) ||
		!request_argument_number(request, "from", 1, UINT64_MAX, &query.from) ||
		!request_argument_number(request, "to", 1, UINT64_MAX, &query.size))
		return;
	if (!query.from || !query.size) {
		respond_problem(request, WIRE_CODE_INVALID,
			"query: \"from\" and \"to\" are needed: the sizes of two checkpoints");
		return;
	}
	request_ask(request, WIRE_API_AUDIT_PROOF, &query, sizeof(query), NULL, 0, on_proof);
}
