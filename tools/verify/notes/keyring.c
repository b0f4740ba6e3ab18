#include "tools/verify/notes/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>

#include "tools/verify/log/files.h"

#define KEY_LINE_MAX 512

static struct span first_line(const char *bytes, size_t size)
{
	const char *feed = size ? memchr(bytes, '\n', size) : NULL;

	return (struct span){bytes, feed ? (size_t)(feed - bytes) : size};
}

static enum verdict read_given(const char *key, struct note_key *ret_key, struct fault *fault)
{
	const char *error = note_key_read((struct span){key, strlen(key)}, ret_key);
	char bytes[KEY_LINE_MAX];
	ssize_t size;

	if (!error)
		return VERDICT_VALID;
	size = file_read(AT_FDCWD, key, bytes, sizeof(bytes));
	if (size == -ENOENT && strchr(key, '+'))
		return fault_set(fault, FAULT_FAILED, "the key that was given is none: %s", error);
	if (size < 0)
		return fault_set(fault, FAULT_FAILED, "the key cannot be read from %s: %s", key,
			strerror((int)-size));
	error = note_key_read(first_line(bytes, (size_t)size), ret_key);
	if (error)
		return fault_set(fault, FAULT_FAILED, "%s holds no key: %s", key, error);
	return VERDICT_VALID;
}

static enum verdict bad_key(struct fault *fault, const char *path, const char *error)
{
	fault_set(fault, FAULT_CERTIFICATE, "%s", error);
	fault_at(fault, path, 0, 0);
	return VERDICT_INVALID;
}

static const char *check_certificate(const struct keyring *keyring, const struct note *note,
	const struct certificate *certificate, const struct note_key *key)
{
	const struct epoch *elder = &keyring->epochs[keyring->n - 1];
	int signature = note_signed_by(note, &elder->key);

	if (signature == 0)
		return "the certificate is not signed by the key before it";
	if (signature < 0)
		return "the signature of the certificate is wrong";
	if (strcmp(certificate->origin, elder->key.name) != 0)
		return "the certificate is of another log";
	if (certificate->epoch != keyring->n + 1)
		return "the certificate is for another epoch";
	if (certificate->key.hash != key->hash || strcmp(certificate->key.name, key->name) != 0 ||
		memcmp(certificate->key.public, key->public, sizeof(key->public)) != 0)
		return "the certificate is for another key than the one beside it";
	if (certificate->size < elder->since)
		return "the certificate begins before that of the key before it";
	return NULL;
}

/* The certificate of the epoch after the last one held. */
static enum verdict read_certificate(struct keyring *keyring, int dir_fd, const char *directory,
	const struct note_key *key, uint64_t *ret_since, struct fault *fault)
{
	struct certificate certificate;
	char path[4096], bytes[NOTE_BYTES_MAX];
	struct note note;
	const char *error;
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%06zu.cert", directory, keyring->n + 1);
	size = file_read(dir_fd, path, bytes, sizeof(bytes));
	if (size < 0)
		return bad_key(fault, path,
			size == -ENOENT ? "the certificate of the key is missing"
					: "the certificate of the key cannot be read");
	error = note_read((struct span){bytes, (size_t)size}, &note);
	if (!error)
		error = certificate_read(note.text, &certificate);
	if (!error)
		error = check_certificate(keyring, &note, &certificate, key);
	if (error)
		return bad_key(fault, path, error);
	*ret_since = certificate.size;
	return VERDICT_VALID;
}

static enum verdict add(
	struct keyring *keyring, const struct note_key *key, uint64_t since, struct fault *fault)
{
	struct epoch *larger =
		realloc(keyring->epochs, (keyring->n + 1) * sizeof(*keyring->epochs));

	if (!larger)
		return fault_set(fault, FAULT_FAILED, "memory is out");
	keyring->epochs = larger;
	keyring->epochs[keyring->n++] = (struct epoch){.key = *key, .since = since};
	return VERDICT_VALID;
}

/* Reads the key of the next epoch. `*ret_more` is false when there is none. */
static enum verdict read_next(struct keyring *keyring, int dir_fd, const char *directory,
	bool *ret_more, struct fault *fault)
{
	char path[4096], bytes[KEY_LINE_MAX];
	enum verdict verdict = VERDICT_VALID;
	struct note_key key;
	uint64_t since = 0;
	const char *error;
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%06zu.pub", directory, keyring->n + 1);
	size = file_read(dir_fd, path, bytes, sizeof(bytes));
	*ret_more = size != -ENOENT;
	if (size == -ENOENT)
		return VERDICT_VALID;
	if (size < 0 || keyring->n == KEYRING_EPOCHS_MAX)
		return fault_set(fault, FAULT_FAILED, "%s: %s", path,
			size < 0 ? strerror((int)-size) : "there are too many epochs");
	error = note_key_read(first_line(bytes, (size_t)size), &key);
	if (error)
		return bad_key(fault, path, error);
	if (keyring->n > 0)
		verdict = read_certificate(keyring, dir_fd, directory, &key, &since, fault);
	return verdict ? verdict : add(keyring, &key, since, fault);
}

enum verdict keyring_open(struct keyring *keyring, const char *key, int dir_fd,
	const char *directory, struct fault *fault)
{
	struct note_key given;
	enum verdict verdict = read_given(key, &given, fault);
	bool more = directory != NULL;

	*keyring = (struct keyring){.first = 1};
	while (verdict == VERDICT_VALID && more)
		verdict = read_next(keyring, dir_fd, directory, &more, fault);
	if (verdict)
		return verdict;
	if (!directory)
		return add(keyring, &given, 0, fault);
	for (size_t i = 0; i < keyring->n; i++) {
		const struct note_key *held = &keyring->epochs[i].key;

		if (strcmp(held->name, given.name) != 0 ||
			memcmp(held->public, given.public, sizeof(given.public)) != 0)
			continue;
		keyring->pinned = i;
		return VERDICT_VALID;
	}
	fault_set(fault, FAULT_KEY, "the key that was given is none of this log's");
	fault_at(fault, directory, 0, 0);
	fault_expected(fault, "%s+%08x", given.name, given.hash);
	if (keyring->n)
		fault_found(
			fault, "%s+%08x", keyring->epochs[0].key.name, keyring->epochs[0].key.hash);
	return VERDICT_INVALID;
}

void keyring_fini(struct keyring *keyring)
{
	free(keyring->epochs);
	*keyring = (struct keyring){0};
}

/* The epoch that signed, by index; -1 when none did, -2 when a signature is wrong. */
static ssize_t find_signer(const struct keyring *keyring, const struct note *note)
{
	for (size_t i = keyring->n; i-- > 0;) {
		int signature = note_signed_by(note, &keyring->epochs[i].key);

		if (signature)
			return signature > 0 ? (ssize_t)i : -2;
	}
	return -1;
}

enum verdict keyring_check(const struct keyring *keyring, const struct note *note,
	struct checkpoint *ret_checkpoint, size_t *ret_epoch, struct fault *fault)
{
	const char *error = checkpoint_read(note->text, ret_checkpoint);
	const struct epoch *epoch, *next;
	ssize_t signer;

	if (error)
		return fault_set(fault, FAULT_CHECKPOINT_FORM, "%s", error);
	signer = find_signer(keyring, note);
	if (signer < 0)
		return fault_set(fault, FAULT_SIGNATURE, "%s",
			signer == -1 ? "the checkpoint is signed by no key of this log"
				     : "the signature of the checkpoint is wrong");
	epoch = &keyring->epochs[signer];
	next = (size_t)signer + 1 < keyring->n ? epoch + 1 : NULL;
	if (strcmp(ret_checkpoint->origin, epoch->key.name) != 0)
		return fault_set(fault, FAULT_SIGNATURE, "the checkpoint is of another log, \"%s\"",
			ret_checkpoint->origin);
	if (ret_checkpoint->size < epoch->since || (next && ret_checkpoint->size > next->since)) {
		fault_set(fault, FAULT_SIGNATURE,
			"the checkpoint is signed by a key out of its time");
		fault_expected(fault, "size %" PRIu64 " to %" PRIu64 " by epoch %zu", epoch->since,
			next ? next->since : UINT64_MAX, (size_t)signer + keyring->first);
		fault_found(fault, "size %" PRIu64, ret_checkpoint->size);
		return VERDICT_INVALID;
	}
	*ret_epoch = (size_t)signer;
	return VERDICT_VALID;
}

enum verdict keyring_check_alone(const struct keyring *keyring, struct span bytes,
	struct checkpoint *ret_checkpoint, struct fault *fault)
{
	struct note note;
	const char *error = note_read(bytes, &note);
	enum verdict verdict;
	size_t epoch;

	if (error)
		return fault_set(fault, FAULT_CHECKPOINT_FORM, "%s", error);
	verdict = keyring_check(keyring, &note, ret_checkpoint, &epoch, fault);
	if (verdict == VERDICT_VALID && epoch < keyring->pinned)
		return fault_set(fault, FAULT_SIGNATURE,
			"the checkpoint is signed by a key older than the one that was given");
	return verdict;
}
