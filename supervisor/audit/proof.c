/* What is handed out to those who check: checkpoints, keys, proofs. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit/segments/log-file.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/tlog/prove.h"

#define LOOKS_MAX 8 /* of audit_read(), for one record */
#define PATH_SIZE 48
#define WINDOW_BYTES (4 * NOTE_SIZE) /* holds a whole note wherever it begins in the first half */

_Static_assert(AUDIT_NOTE_SIZE == NOTE_SIZE && AUDIT_PROOF_HASHES_MAX == PROVE_HASHES_MAX,
	"what the header promises");

static int read_text(const struct audit *audit, const char *path, char *ret_text, size_t room)
{
	_cleanup_free_ char *text = NULL;
	size_t size_bytes;
	int r = fd_read_file_at(audit->dir_fd, path, room, &text, &size_bytes);

	if (r < 0 || size_bytes >= room)
		return r < 0 ? r : -EBADMSG;
	memcpy(ret_text, text, size_bytes + 1);
	return 0;
}

uint64_t audit_checkpoint_number(const struct audit *audit)
{
	return audit->seal.durable_number;
}

int audit_checkpoint(struct audit *audit, char ret_note[AUDIT_NOTE_SIZE])
{
	return read_text(audit, "checkpoint", ret_note, AUDIT_NOTE_SIZE);
}

int audit_key(struct audit *audit, uint32_t epoch, char ret_vkey[AUDIT_VKEY_SIZE],
	char ret_certificate[AUDIT_NOTE_SIZE])
{
	struct note_verifier verifier;
	char path[PATH_SIZE];
	int r;

	if (epoch == 0 || epoch > audit->keys.epoch)
		return -ENOENT;
	r = keys_verifier(&audit->keys, epoch, &verifier);
	if (r < 0)
		return r;
	note_vkey(&verifier, ret_vkey);
	ret_certificate[0] = '\0';
	snprintf(path, sizeof(path), "keys/%06" PRIu32 ".cert", epoch);
	return epoch == 1 ? 0 : read_text(audit, path, ret_certificate, AUDIT_NOTE_SIZE);
}

/* ---- a checkpoint by its size: halving, as sizes in a history never shrink */

/* The first note that begins in text[start, end): a line that is the log's name, at the beginning
 * of the file or after an empty line. NULL when there is none whole. */
static const char *find_note(
	const struct audit *audit, const char *text, const char *end, bool at_start)
{
	const char *name = audit->keys.verifier.name;
	size_t length = strlen(name);

	for (const char *at = text; at + length < end; at++) {
		bool begins = at == text ? at_start : at - text >= 2 && !memcmp(at - 2, "\n\n", 2);

		if (begins && memcmp(at, name, length) == 0 && at[length] == '\n')
			return at;
	}
	return NULL;
}

static uint64_t size_of(const struct audit *audit, const char *note)
{
	return strtoull(note + strlen(audit->keys.verifier.name) + 1, NULL, 10);
}

struct window {
	int fd;
	char text[WINDOW_BYTES + 1];
	const char *end;
};

static int load(struct window *window, off_t offset)
{
	ssize_t n = pread(window->fd, window->text, WINDOW_BYTES, offset);

	if (n < 0)
		return -errno;
	window->text[n] = '\0';
	window->end = window->text + n;
	return 0;
}

/* A note ends with the empty line after its signature. */
static int copy_note(const struct window *window, const char *note, char ret_note[AUDIT_NOTE_SIZE])
{
	const char *end = memmem(note, (size_t)(window->end - note), "\n\n", 2);

	end = end ? memmem(end + 2, (size_t)(window->end - end - 2), "\n\n", 2) : NULL;
	if (!end || end + 1 - note >= AUDIT_NOTE_SIZE)
		return -ESRCH; /* it is being written */
	memcpy(ret_note, note, (size_t)(end + 1 - note));
	ret_note[end + 1 - note] = '\0';
	return 0;
}

static int search(struct audit *audit, struct window *window, off_t size_bytes, uint64_t size,
	char ret_note[AUDIT_NOTE_SIZE])
{
	off_t low = 0, high = size_bytes;
	const char *note;
	int r;

	while (high - low > NOTE_SIZE) { /* a note that begins at `low` or after is the one */
		off_t middle = low + (high - low) / 2;

		r = load(window, middle);
		if (r < 0)
			return r;
		note = find_note(audit, window->text, window->end, middle == 0);
		if (note && size_of(audit, note) < size)
			low = middle;
		else
			high = middle;
	}
	r = load(window, low);
	if (r < 0)
		return r;
	note = find_note(audit, window->text, window->end, low == 0);
	while (note && size_of(audit, note) < size)
		note = find_note(audit, note + 1, window->end, false);
	return note && size_of(audit, note) == size ? copy_note(window, note, ret_note) : -ESRCH;
}

static int find_checkpoint(struct audit *audit, uint64_t size, char ret_note[AUDIT_NOTE_SIZE])
{
	_cleanup_free_ struct window *window = malloc(sizeof(*window));
	_cleanup_close_ int fd = -1;
	char path[PATH_SIZE];
	struct stat info;

	if (!window)
		return -ENOMEM;
	/* Histories stay when their segments go: the name is not that of a segment that is there.
	 */
	snprintf(path, sizeof(path), "checkpoints/%020" PRIu64 ".notes",
		audit->segments.items[segments_find(&audit->segments, size)].first);
	fd = openat(audit->dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (fstat(fd, &info) < 0)
		return -errno;
	window->fd = fd;
	return search(audit, window, info.st_size, size, ret_note);
}

/* ---- proofs */

static int take_record(
	struct audit *audit, uint64_t sequence, uint32_t tenant, struct audit_proof *proof)
{
	const struct audit_query query = {
		.after = sequence - 1, .until = sequence, .tenant = tenant, .limit = 1};
	struct audit_query rest = query;
	uint32_t n = 0;
	bool more = true;

	for (int look = 0; look < LOOKS_MAX && more && n == 0; look++) {
		int r = audit_read(audit, &rest, proof->record, sizeof(proof->record),
			&proof->record_bytes, &n, &rest.after, &more);

		if (r < 0)
			return r;
	}
	if (n == 0 || proof->record_bytes == 0)
		return -ENOENT;
	proof->record_bytes--; /* the line feed */
	return 0;
}

int audit_prove(struct audit *audit, uint64_t sequence, uint64_t size, uint32_t tenant,
	struct audit_proof *ret_proof)
{
	_cleanup_free_ struct prove *prove = malloc(sizeof(*prove));
	uint8_t leaf[SHA256_BYTES];
	int r;

	if (!prove)
		return -ENOMEM;
	if (sequence == 0)
		return -ENOENT;
	r = take_record(audit, sequence, tenant, ret_proof);
	if (r < 0)
		return r;
	ret_proof->size = size ? size : audit_sealed_size(audit);
	if (sequence > ret_proof->size || ret_proof->size > audit_sealed_size(audit))
		return -ERANGE;
	r = size ? find_checkpoint(audit, size, ret_proof->note)
		 : audit_checkpoint(audit, ret_proof->note);
	if (r == 0)
		r = prove_inclusion(&audit->tree, sequence - 1, ret_proof->size, prove);
	if (r == 0)
		r = prove_leaf(&audit->tree, sequence - 1, ret_proof->leaf);
	if (r == 0)
		r = tree_hash_leaf(&audit->tree, ret_proof->record, ret_proof->record_bytes, leaf);
	if (r == 0 && memcmp(leaf, ret_proof->leaf, sizeof(leaf)) != 0)
		r = -EBADMSG;
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	ret_proof->n_hashes = prove->n;
	memcpy(ret_proof->hashes, prove->hashes, sizeof(ret_proof->hashes));
	return 0;
}

int audit_prove_growth(
	struct audit *audit, uint64_t from, uint64_t to, struct audit_proof *ret_proof)
{
	_cleanup_free_ struct prove *prove = malloc(sizeof(*prove));
	int r;

	if (!prove)
		return -ENOMEM;
	if (from == 0 || from > to || to > audit_sealed_size(audit))
		return -ERANGE;
	r = prove_consistency(&audit->tree, from, to, prove);
	if (r < 0)
		return r == -ENOENT ? -EBADMSG : r;
	ret_proof->size = to;
	ret_proof->n_hashes = prove->n;
	memcpy(ret_proof->hashes, prove->hashes, sizeof(ret_proof->hashes));
	return 0;
}
