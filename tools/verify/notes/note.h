/* Signed notes (C2SP signed-note), and what the log signs: checkpoints (C2SP tlog-checkpoint) and
 * certificates of keys. */
#pragma once

#include "tools/verify/log/scan.h"
#include "tools/verify/tree/hash.h"

#define NOTE_BYTES_MAX 16384
#define NOTE_SIGNATURES_MAX 16
#define NOTE_NAME_SIZE 256

struct note_key {
	char name[NOTE_NAME_SIZE];
	uint32_t hash; /* the four bytes that a signature begins with */
	uint8_t public[32];
};

/* "name+hash+base64": a note verifier key, Ed25519. Returns NULL or what is wrong. */
const char *note_key_read(struct span text, struct note_key *ret_key);

struct note_signature {
	struct span name;
	uint32_t hash;
	uint8_t bytes[64];
	bool is_ed25519; /* else of some other length */
};

/* Borrows the text that it was read from. */
struct note {
	struct span text; /* what is signed, with its last line feed */
	struct note_signature signatures[NOTE_SIGNATURES_MAX];
	size_t n_signatures;
};

/* Returns NULL or what is wrong. */
const char *note_read(struct span bytes, struct note *ret_note);
/* 1: signed by the key; 0: has no signature of this name and hash; -1: has one, which is wrong. */
int note_signed_by(const struct note *note, const struct note_key *key);

struct checkpoint {
	char origin[NOTE_NAME_SIZE];
	uint64_t size;
	struct hash root;
	uint64_t number; /* 0: not numbered */
	uint64_t time_ns;
	char reason[16];
	uint64_t lost, seen, emitted, dropped;
};

const char *checkpoint_read(struct span text, struct checkpoint *ret_checkpoint);

struct certificate {
	char origin[NOTE_NAME_SIZE];
	uint64_t epoch, size, time_ns;
	struct note_key key;
};

const char *certificate_read(struct span text, struct certificate *ret_certificate);
