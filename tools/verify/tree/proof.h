/* Proofs as the API hands them out: one JSON object each.
 *
 * Inclusion: {"seq","leaf_index","tree_size","leaf_hash","hashes":[…],"checkpoint","record"};
 * consistency: {"from","to","hashes":[…]}. Hashes are base64; the record is the line itself, and
 * may be left out. */
#pragma once

#include "tools/verify/log/record.h"
#include "tools/verify/notes/keyring.h"
#include "tools/verify/tree/tree.h"

#define PROOF_BYTES_MAX (512 * 1024) /* one in JSON, escapes and all */

struct proof {
	uint64_t sequence, index, size; /* inclusion */
	uint64_t from, to;              /* consistency */
	struct hash leaf, hashes[TREE_PROOF_MAX];
	size_t n_hashes, checkpoint_size, record_size;
	_Bool is_inclusion, is_consistency; /* all of its members are there */
	_Bool has_record;
	char checkpoint[NOTE_BYTES_MAX];
	char record[RECORD_BYTES_MAX];
};

/* Returns NULL or what is wrong. */
const char *proof_read(const char *text, size_t size, struct proof *ret_proof);

/* Whether the log's key signed a tree that has this leaf at this place. With a record in the proof,
 * the leaf must be its. */
enum verdict proof_check(const struct keyring *keyring, const struct proof *proof,
	struct checkpoint *ret_checkpoint, struct fault *fault);
