/* Checkpoints, keys and proofs of the audit log. Checkpoints and keys are for every key: they hold
 * hashes and totals, no records. A proof of a record is for those who may read it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/control/request.h"
#include "supervisor/wire/audit.h"
#include "supervisor/wire/strings.h"

#define KEY_ROWS_MAX 64 /* of one answer: a certificate is long */

_Static_assert(AUDIT_NOTE_SIZE == sizeof(((struct wire_audit_key_row *)0)->certificate) &&
		       AUDIT_VKEY_SIZE == sizeof(((struct wire_audit_key_row *)0)->key) &&
		       AUDIT_PROOF_HASHES_MAX == WIRE_PROOF_HASHES_MAX,
	"forms hold what the log hands out");

static void fail(struct request *request, int error)
{
	switch (error) {
	case -ENOENT:
		request_fail(request, WIRE_CODE_NOT_FOUND,
			"There is no such record, it was removed, or it is not yours to see.");
		return;
	case -ERANGE:
		request_fail(request, WIRE_CODE_CONFLICT,
			"No checkpoint covers that yet; the newest one covers %llu records. Try "
			"again in a second.",
			(unsigned long long)audit_sealed_size(request->control->core->audit));
		return;
	case -ESRCH:
		request_fail(request, WIRE_CODE_NOT_FOUND, "There is no checkpoint of that size.");
		return;
	case -EBADMSG:
		request_fail(request, WIRE_CODE_INTERNAL,
			"The audit log's files are damaged; cloche-verify says where.");
		return;
	default:
		request_fail(request, WIRE_CODE_INTERNAL, "The audit log cannot be read: %s.",
			strerror(-error));
	}
}

void handle_audit_checkpoint(struct request *request, const void *body _unused_,
	const char *tail _unused_, size_t tail_size _unused_)
{
	const struct wire_page page = {.n_rows = 1};
	char note[AUDIT_NOTE_SIZE];
	int r = audit_checkpoint(request->control->core->audit, note);

	if (r == -ENOENT)
		fail(request, -ESRCH);
	else if (r < 0)
		fail(request, r);
	else
		request_answer(
			request, WIRE_API_AUDIT_NOTE, &page, sizeof(page), note, strlen(note));
}

void handle_audit_keys(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_audit_keys_query *query = body;
	struct audit *audit = request->control->core->audit;
	uint64_t epoch = query->cursor ? query->cursor : 1;
	struct rows rows = {0};
	int r = 0;

	for (; rows.page.n_rows < KEY_ROWS_MAX && epoch <= audit_key_epoch(audit); epoch++) {
		struct wire_audit_key_row row = {.epoch = (uint32_t)epoch};

		r = audit_key(audit, row.epoch, row.key, row.certificate);
		if (r < 0)
			break;
		rows_add(&rows, &row, sizeof(row), NULL, 0);
	}
	if (r < 0) {
		free(rows.bytes);
		fail(request, r == -ENOENT ? -EBADMSG : r);
		return;
	}
	rows.page.next_cursor = epoch <= audit_key_epoch(audit) ? epoch : 0;
	rows_answer(&rows, request, WIRE_API_AUDIT_KEYS_REPLY);
}

static void answer(struct request *request, const struct wire_audit_proof_query *query,
	const struct audit_proof *proof)
{
	struct wire_audit_proof form = {.sequence = query->sequence,
		.from = query->from,
		.size = proof->size,
		.n_hashes = proof->n_hashes};
	char tail[AUDIT_NOTE_SIZE + AUDIT_READ_MIN];

	memcpy(form.leaf, proof->leaf, sizeof(form.leaf));
	memcpy(form.hashes, proof->hashes, proof->n_hashes * sizeof(form.hashes[0]));
	if (query->sequence) {
		form.note_size = (uint32_t)strlen(proof->note);
		form.record_size = (uint32_t)proof->record_bytes;
		memcpy(tail, proof->note, form.note_size);
		memcpy(tail + form.note_size, proof->record, form.record_size);
	}
	request_answer(request, WIRE_API_AUDIT_PROOF_REPLY, &form, sizeof(form), tail,
		form.note_size + form.record_size);
}

void handle_audit_proof(struct request *request, const void *body, const char *tail _unused_,
	size_t tail_size _unused_)
{
	const struct wire_audit_proof_query *query = body;
	struct audit *audit = request->control->core->audit;
	struct audit_proof *proof = calloc(1, sizeof(*proof));
	int r = -ENOMEM;

	if (proof && query->sequence)
		r = audit_prove(audit, query->sequence, query->size, request->tenant_id, proof);
	else if (proof)
		r = audit_prove_growth(audit, query->from, query->size, proof);
	if (r < 0)
		fail(request, r);
	else
		answer(request, query, proof);
	free(proof);
}
