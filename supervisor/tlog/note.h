/* C2SP signed notes: a text of whole lines, an empty line, and a signature line
 * "— name base64(4-byte key hash || Ed25519 signature)". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/digest/ed25519.h"

#define NOTE_DASH "\xe2\x80\x94 " /* U+2014 and a blank: begins a signature line */
#define NOTE_NAME_SIZE 64
#define NOTE_VKEY_SIZE 128 /* name+hash+base64, with a NUL */
#define NOTE_SIZE 1280     /* any note of ours, with a NUL */

/* Whom a signature is checked against. */
struct note_verifier {
	char name[NOTE_NAME_SIZE];
	uint8_t public[ED25519_PUBLIC_BYTES];
};

/* Writes `name+hash+key` as notes have it, without a line feed. */
void note_vkey(const struct note_verifier *verifier, char ret_vkey[NOTE_VKEY_SIZE]);
/* Reads one; a line feed may follow. Returns 0 or -EINVAL. */
int note_vkey_parse(const char *vkey, struct note_verifier *ret_verifier);

/* Signs `text` (it ends with a line feed). Returns 0, -E2BIG or -EIO. */
int note_sign(const struct ed25519_key *key, const char *name, const char *text,
	char ret_note[NOTE_SIZE]);
/* Whether the note is exactly a text and one signature line of `verifier`; `*ret_text_bytes` is how
 * much of it is text. */
bool note_verify(const struct note_verifier *verifier, const char *note, size_t *ret_text_bytes);
