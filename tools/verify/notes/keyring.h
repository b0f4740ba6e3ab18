/* The keys of a log, by epoch: each is certified by the one before it, and one of them was given by
 * whoever checks. */
#pragma once

#include "tools/verify/fault.h"
#include "tools/verify/notes/note.h"

#define KEYRING_EPOCHS_MAX 4096

struct epoch {
	struct note_key key;
	uint64_t since; /* tree size at which it took over */
};

struct keyring {
	struct epoch *epochs;
	size_t n, pinned; /* index of the key that was given */
	size_t first;     /* number of epochs[0] */
};

/* `key`: a verifier key, or a file whose first line is one. `directory` (in `dir_fd`; NULL: none)
 * holds NNNNNN.pub and NNNNNN.cert. */
enum verdict keyring_open(struct keyring *keyring, const char *key, int dir_fd,
	const char *directory, struct fault *fault);
void keyring_fini(struct keyring *keyring);

/* Reads a checkpoint from a note and checks that the log's key signed it, in its time. `*ret_epoch`
 * is an index. The fault has no place yet. */
enum verdict keyring_check(const struct keyring *keyring, const struct note *note,
	struct checkpoint *ret_checkpoint, size_t *ret_epoch, struct fault *fault);
/* The same for a note on its own: what was signed before the given key's time is refused, as
 * anybody can make an elder of a key. */
enum verdict keyring_check_alone(const struct keyring *keyring, struct span bytes,
	struct checkpoint *ret_checkpoint, struct fault *fault);
