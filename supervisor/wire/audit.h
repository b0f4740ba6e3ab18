/* Forms of supervisor/wire/api.h: what those ask for and get who check the audit log. */
#pragma once

#include "supervisor/wire/api.h"

/* Cursor: the epoch to begin with. */
struct wire_audit_keys_query {
	struct wire_caller caller;
	uint64_t cursor;
};

struct wire_audit_key_row {
	uint32_t epoch, reserved;
	char key[128];          /* name+hash+key */
	char certificate[1280]; /* a note by the key before it; empty for the first */
};

struct wire_audit_proof_query {
	struct wire_caller caller;
	uint64_t sequence; /* 0: of growth, from `from` to `size` */
	uint64_t from;
	uint64_t size; /* of the tree; 0: the newest checkpoint's */
};

#define WIRE_PROOF_HASHES_MAX 65

struct wire_audit_proof {
	uint64_t sequence, from, size; /* as asked, `size` filled in */
	uint32_t n_hashes, note_size, record_size, reserved;
	uint8_t leaf[32];
	uint8_t hashes[WIRE_PROOF_HASHES_MAX][32];
};
