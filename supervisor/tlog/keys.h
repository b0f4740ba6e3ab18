/* The keys of a log, by epoch. keys/NNNNNN.pub holds the verifier key of an epoch for ever,
 * keys/NNNNNN.cert its certificate by the key before it, and `audit-key` in the state directory the
 * one secret that there is: that of the current epoch.
 *
 * A change: new secret durable beside the old → certificate durable → public key durable → old
 * secret overwritten → new one takes its place. A crash before the public key is there undoes the
 * change at the next start, one after it completes it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/failure.h"
#include "supervisor/tlog/note.h"

#define KEYS_EPOCHS_MAX 999999

struct keys {
	int dir_fd, state_fd; /* audit/ and the state directory; borrowed */
	uint32_t epoch;
	struct note_verifier verifier; /* of this epoch; its name is the log's origin */
	struct ed25519_key *key;
	uint64_t made_ns; /* realtime; of this epoch */
};

/* Makes the first key of a log that begins now. Returns 0 or -errno with `why`. */
int keys_create(
	int dir_fd, int state_fd, const char *origin, struct keys *ret_keys, struct failure *why);
/* Opens what is there, ends or undoes a change that a crash cut short. -ENOENT when the log has no
 * keys, -EBADMSG with `why` when the secret is not that of the newest epoch. */
int keys_open(int dir_fd, int state_fd, struct keys *ret_keys, struct failure *why);
void keys_fini(struct keys *keys);

/* Begins a new epoch for the tree of `size` leaves. On failure the old key stays in force. */
int keys_rotate(struct keys *keys, uint64_t size, struct failure *why);
/* The verifier of an epoch. -ENOENT, -EBADMSG. */
int keys_verifier(const struct keys *keys, uint32_t epoch, struct note_verifier *ret_verifier);
/* Overwrites and removes the secret in the state directory: the log goes on no more. */
void keys_forget(int state_fd);
