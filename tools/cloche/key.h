/* Where the client finds the key that it shows to the API. */
#pragma once

#include "supervisor/base/failure.h"

#define KEY_STATE_DIR "/var/lib/cloche"
#define KEY_TEXT_SIZE 96

/* Starts zeroed. */
struct key {
	char text[KEY_TEXT_SIZE]; /* empty when none was found */
	char origin[512];         /* where it came from, or where it was looked for: a sentence */
};

/* Takes the key from `file` (--key-file; may be NULL), else from $CLOCHE_KEY, else from admin.key
 * in $CLOCHE_STATE_DIR or /var/lib/cloche. None found is no error: some requests need none. A
 * `file` that cannot be read, or a key with characters that no key has, is -errno with a sentence
 * in `why`. */
int key_find(struct key *key, const char *file, struct failure *why);
