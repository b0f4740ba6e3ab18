#include "supervisor/audit/segments/recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "supervisor/audit/history.h"
#include "supervisor/audit/segments/log-file.h"
#include "supervisor/audit/segments/resume.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/digest/base64.h"

#define STAGE "open audit log"
#define CHUNK_BYTES (4 * AUDIT_LINE_MAX)
#define TILES_LOOKED_AT 4096 /* of the newest full ones: a million records */

static int create(struct audit *audit, const char *instance, struct failure *why)
{
	char origin[NOTE_NAME_SIZE];
	uint64_t id;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return failure_set(why, -EIO, STAGE, "no random bytes");
	snprintf(origin, sizeof(origin), "cloche/%s/%016" PRIx64, instance, id);
	return keys_create(audit->dir_fd, audit->state_fd, origin, &audit->keys, why);
}

/* Signed by any epoch of this log, or -EBADMSG. */
static int read_note(const struct audit *audit, const char *note, struct checkpoint *ret_checkpoint)
{
	for (uint32_t epoch = audit->keys.epoch; epoch > 0; epoch--) {
		struct note_verifier verifier;
		size_t text_bytes;

		if (keys_verifier(&audit->keys, epoch, &verifier) < 0 ||
			strcmp(verifier.name, audit->keys.verifier.name) != 0)
			return -EBADMSG;
		if (!note_verify(&verifier, note, &text_bytes))
			continue;
		if (checkpoint_parse(note, text_bytes, ret_checkpoint) < 0 ||
			strcmp(ret_checkpoint->origin, verifier.name) != 0)
			return -EBADMSG;
		return 0;
	}
	return -EBADMSG;
}

/* The newest checkpoint. -ENOENT, -EBADMSG. */
static int read_checkpoint(const struct audit *audit, struct checkpoint *ret_checkpoint)
{
	_cleanup_free_ char *note = NULL;
	int r = fd_read_file_at(audit->dir_fd, "checkpoint", NOTE_SIZE, &note, NULL);

	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	return read_note(audit, note, ret_checkpoint);
}

/* A crash leaves the history ahead of `checkpoint`: what it says is on the disk as well, and its
 * numbers are taken. A history that ends before `checkpoint` lost notes, which no crash does: the
 * next number is one more than the checkpoint's all the same, and the verifier misses those
 * between. */
static int read_history(const struct audit *audit, struct checkpoint *ret_newest)
{
	_cleanup_free_ char *note = NULL;
	int r = history_newest(audit->dir_fd, &note);

	return r < 0 ? r : read_note(audit, note, ret_newest);
}

/* The lines from a place on, into the tree and the streams. */
struct scan {
	struct audit *audit;
	const struct checkpoint *checkpoint;
	bool disagrees; /* with the checkpoint's root */
};

static int compare_root(struct scan *scan)
{
	uint8_t root[SHA256_BYTES];
	int r;

	if (scan->audit->tree.size != scan->checkpoint->size)
		return 0;
	scan->audit->n_told = scan->checkpoint->lost; /* what comes after it is added */
	r = tree_root(&scan->audit->tree, root);
	if (r == 0 && memcmp(root, scan->checkpoint->root, sizeof(root)) != 0)
		scan->disagrees = true;
	return r;
}

static bool begins_stream(const struct audit_facts *facts)
{
	return strcmp(facts->type, "sandbox.create") == 0 ||
	       strcmp(facts->type, "sandbox.adopt") == 0;
}

/* A stream whose beginning is not in the log any more goes on with its numbers alone. */
static int stream_for(
	struct audit *audit, const struct audit_facts *facts, struct stream **ret_stream)
{
	struct stream *stream = table_get(audit->streams, facts->sandbox);
	int r;

	*ret_stream = NULL;
	if (facts->sandbox_sequence == 0)
		return 0;
	if (!stream) {
		r = stream_begin(audit->streams, facts->sandbox, facts->tenant, &stream);
		if (r < 0)
			return r;
		stream->head_known = begins_stream(facts);
	} else if (facts->sandbox_sequence != stream->sequence + 1) {
		stream->head_known = false;
	}
	stream->sequence = facts->sandbox_sequence;
	*ret_stream = stream;
	return 0;
}

static int take(struct scan *scan, const char *line, size_t size_bytes)
{
	struct audit *audit = scan->audit;
	struct audit_facts facts;
	struct stream *stream;
	int r;

	if (!audit_line_parse(line, size_bytes, &facts))
		return -EBADMSG;
	if (facts.sequence <= audit->tree.size)
		return 0;
	if (facts.sequence != audit->tree.size + 1)
		return -EBADMSG;
	r = stream_for(audit, &facts, &stream);
	if (r < 0)
		return r;
	audit_take_line(audit, line, size_bytes, stream);
	if (stream && strcmp(facts.type, "sandbox.end") == 0)
		stream_remove(audit->streams, stream);
	return compare_root(scan);
}

static int scan_segment(struct scan *scan, size_t index, char *chunk)
{
	struct segments *segments = &scan->audit->segments;
	uint64_t end_bytes = segments->items[index].size_bytes, offset_bytes = 0;
	int fd = segments_read_fd(segments, index), r = fd < 0 ? fd : 0;

	while (offset_bytes < end_bytes && r == 0) {
		size_t size_bytes = end_bytes - offset_bytes < CHUNK_BYTES
					    ? (size_t)(end_bytes - offset_bytes)
					    : CHUNK_BYTES;
		const char *line = chunk, *feed;

		r = segment_read_at(fd, chunk, size_bytes, offset_bytes);
		while (r == 0 && (feed = memchr(line, '\n', (size_t)(chunk + size_bytes - line)))) {
			r = take(scan, line, (size_t)(feed - line));
			line = feed + 1;
		}
		if (r == 0 && line == chunk)
			r = -EBADMSG;
		offset_bytes += (uint64_t)(line - chunk);
	}
	return r;
}

static int grow(struct audit *audit, const struct checkpoint *checkpoint)
{
	struct scan scan = {.audit = audit, .checkpoint = checkpoint};
	_cleanup_free_ char *chunk = malloc(CHUNK_BYTES);
	int r = chunk ? compare_root(&scan) : -ENOMEM;

	for (size_t i = segments_find(&audit->segments, audit->tree.size + 1);
		i < audit->segments.n && r == 0; i++)
		r = scan_segment(&scan, i, chunk);
	if (r == 0 && (scan.disagrees || audit->tree.failed))
		r = scan.disagrees ? -EBADMSG : -EIO;
	return r;
}

/* The first leaf whose full tile is missing, among the newest; what is older was on the disk long
 * before, and the verifier tells if it is not. */
static uint64_t first_hole(const struct audit *audit, uint64_t size)
{
	uint64_t first = size, width = TILE_HASHES;

	for (unsigned int level = 0; level < 3; level++, width *= TILE_HASHES) {
		uint64_t n = size / width;

		for (uint64_t i = n > TILES_LOOKED_AT ? n - TILES_LOOKED_AT : 0; i < n; i++) {
			uint8_t hashes[TILE_HASHES][SHA256_BYTES];

			if (tile_read(audit->dir_fd, level, i, TILE_HASHES, hashes) == 0)
				continue;
			if (i * width < first)
				first = i * width;
			break;
		}
	}
	return first;
}

static int start_empty(struct audit *audit)
{
	int r;

	tree_fini(&audit->tree);
	streams_free(audit->streams);
	audit->streams = NULL;
	r = tree_init(&audit->tree, audit->dir_fd);
	return r == 0 ? table_new(STREAMS_MAX, &audit->streams) : r;
}

/* Chooses the newest state to grow from that comes before the checkpoint and before any hole. */
static int resume(struct audit *audit, uint64_t size)
{
	const struct segments *segments = &audit->segments;
	uint64_t limit = first_hole(audit, size);
	int r = start_empty(audit);

	for (size_t i = segments->n; i-- > 0 && r == 0;) {
		if (segments->items[i].first == 1)
			return 0;
		/* What the oldest says is all that there is, whether tiles before it are missing.
		 */
		if (segments->items[i].first - 1 > limit &&
			(i > 0 || segments->items[i].first - 1 > size))
			continue;
		r = resume_read(
			audit->dir_fd, segments->items[i].first, &audit->tree, audit->streams);
		if (r == 0)
			return 0;
		if (r == -ENOENT || r == -EBADMSG || r == -EEXIST)
			r = start_empty(audit);
	}
	return r < 0 ? r : -EBADMSG;
}

/* What the process before had on the disk of the right edge, so that it goes when it is outgrown.
 */
static void remember_partial(struct tree *tree, uint64_t size)
{
	for (unsigned int level = 0; level < TILE_LEVELS; level++) {
		tree->partial[level].width = tree_edge_width(size, level);
		tree->partial[level].number = size >> (8 * level) >> 8;
	}
}

static int check_keys(
	struct audit *audit, const char *instance, struct recovery *recovery, struct failure *why)
{
	int r = keys_open(audit->dir_fd, audit->state_fd, &audit->keys, why);

	if (r != -ENOENT)
		return r;
	if (audit->segments.last > 0 || audit->segments.cut_bytes > 0)
		return failure_set(why, -EBADMSG, STAGE, "the log has records and no keys");
	recovery->is_new = true;
	return create(audit, instance, why);
}

static int check_checkpoint(struct audit *audit, struct checkpoint *checkpoint,
	struct recovery *recovery, struct failure *why)
{
	uint64_t last = audit->segments.last;
	struct checkpoint newest = {0};
	int r = recovery->is_new ? -ENOENT : read_checkpoint(audit, checkpoint);
	int r_history = recovery->is_new ? -ENOENT : read_history(audit, &newest);

	if (r_history < 0 && r_history != -ENOENT)
		return failure_set(why, r_history, STAGE,
			"the history of its checkpoints does not end with one of this log");
	/* Before the first checkpoint nothing is written. */
	if (r == -ENOENT && last == 0 && newest.size == 0) {
		recovery->is_new = true;
		checkpoint->number = newest.number;
		return sha256("", 0, checkpoint->root);
	}
	if (r == 0 && newest.number > checkpoint->number)
		*checkpoint = newest;
	if (r == -ENOENT || r == -EBADMSG)
		return failure_set(why, -EBADMSG, STAGE, "its newest checkpoint is %s",
			r == -ENOENT ? "not there" : "not one of this log");
	if (r < 0)
		return failure_set(why, r, STAGE, "the checkpoint cannot be read");
	recovery->checkpoint_size = recovery->size = checkpoint->size;
	snprintf(recovery->origin, sizeof(recovery->origin), "%s", checkpoint->origin);
	base64_encode(checkpoint->root, SHA256_BYTES, recovery->root);
	if (checkpoint->size > last)
		return failure_set(why, -EBADMSG, STAGE,
			"it has %" PRIu64 " records, fewer than the %" PRIu64 " of its checkpoint",
			last, checkpoint->size);
	return 0;
}

int recover(struct audit *audit, const char *instance, struct recovery *ret_recovery,
	struct failure *why)
{
	struct recovery *recovery = ret_recovery;
	struct checkpoint checkpoint = {0};
	int r = segments_open(audit->dir_fd, &audit->segments, why);

	if (r == 0)
		r = check_keys(audit, instance, recovery, why);
	if (r == 0)
		r = check_checkpoint(audit, &checkpoint, recovery, why);
	if (r < 0)
		return r;
	audit->seal.number = checkpoint.number;
	r = resume(audit, checkpoint.size);
	if (r == 0) {
		remember_partial(&audit->tree, checkpoint.size);
		r = grow(audit, &checkpoint);
	}
	if (r == 0 && audit->tree.size != audit->segments.last)
		r = -EBADMSG;
	if (r == -EBADMSG)
		return failure_set(
			why, r, STAGE, "its records are not those that its checkpoint covers");
	if (r < 0)
		return failure_set(why, r, STAGE, "its segments cannot be read");
	audit->n_lost = audit->n_told;
	recovery->cut_bytes = audit->segments.cut_bytes;
	recovery->is_unclean =
		recovery->cut_bytes > 0 ||
		(!recovery->is_new && (checkpoint.reason != CHECKPOINT_STOP ||
					      checkpoint.size != audit->segments.last));
	return 0;
}
