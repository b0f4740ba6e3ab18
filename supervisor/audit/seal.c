#include "supervisor/audit/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit/log-file.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"

#define DIRECTORY "checkpoints"
#define CHECKPOINT "checkpoint"
#define TEMPORARY "checkpoint.tmp"
#define PATH_SIZE 48
#define TAIL_BYTES 65536

static void begin_batch(struct audit *audit);

static int add_note(struct audit *audit, uint64_t size, const char *text)
{
	struct segments *segments = &audit->segments;
	struct seal *seal = &audit->seal;
	struct seal_note *larger =
		reallocarray(seal->notes, seal->n_notes + 1, sizeof(*seal->notes));
	char *copy = strdup(text);

	if (larger)
		seal->notes = larger;
	if (!larger || !copy) {
		free(copy);
		return -ENOMEM;
	}
	seal->notes[seal->n_notes++] = (struct seal_note){
		.segment = segments->items[segments_find(segments, size ? size : 1)].first,
		.size = size,
		.text = copy,
	};
	return 0;
}

static int sign(struct audit *audit, enum checkpoint_reason reason)
{
	struct checkpoint checkpoint = {.size = audit->tree.size,
		.time_ns = clock_realtime_ns(),
		.reason = reason,
		.lost = audit->n_told};
	struct audit_enforcement state = {0};
	char text[CHECKPOINT_SIZE], note[NOTE_SIZE];
	int r = tree_root(&audit->tree, checkpoint.root);

	if (r < 0)
		return r;
	if (audit->enforcement)
		audit->enforcement(&state, audit->enforcement_userdata);
	memcpy(checkpoint.origin, audit->keys.verifier.name, sizeof(checkpoint.origin));
	checkpoint.events_seen = state.events_seen;
	checkpoint.events_emitted = state.events_emitted;
	checkpoint.events_dropped = state.events_dropped;
	memcpy(checkpoint.programs, state.programs, sizeof(checkpoint.programs));
	memcpy(checkpoint.policies, state.policies, sizeof(checkpoint.policies));
	checkpoint_write(&checkpoint, text);
	r = note_sign(audit->keys.key, checkpoint.origin, text, note);
	return r == 0 ? add_note(audit, checkpoint.size, note) : r;
}

static int sign_now(struct audit *audit, enum checkpoint_reason reason)
{
	int r;

	audit_flush(audit);
	r = audit->seal.n_notes < SEAL_QUEUE_MAX ? sign(audit, reason) : -ENOBUFS;
	if (r < 0) {
		audit->seal.failing = true;
		return r;
	}
	audit->seal.size = audit->tree.size;
	audit->seal.signed_ns = clock_monotonic_ns();
	return 0;
}

void seal_now(struct audit *audit, enum checkpoint_reason reason)
{
	sign_now(audit, reason);
	if (reason == CHECKPOINT_RECORDS)
		return;
	audit->seal.wanted = true;
	begin_batch(audit);
}

/* ---- a batch */

static void forget_batch(struct seal *seal)
{
	for (size_t i = 0; i < seal->n_batch; i++)
		free(seal->notes[i].text);
	seal->n_notes -= seal->n_batch;
	memmove(seal->notes, seal->notes + seal->n_batch, seal->n_notes * sizeof(*seal->notes));
	seal->n_batch = 0;
}

/* The notes stay in the queue; the next tick tries again. Of those that were appended already, and
 * may or may not be on the disk, the newest alone: a size may be there twice, but never shrinks. */
static int fail_batch(struct audit *audit, int error)
{
	struct seal *seal = &audit->seal;

	if (seal->phase == SEAL_FILES && seal->n_batch > 1) {
		seal->n_batch--;
		forget_batch(seal);
	}
	seal->phase = SEAL_IDLE;
	seal->n_batch = 0;
	seal->failing = true;
	return error;
}

void seal_leave(struct audit *audit, int fd)
{
	struct seal *seal = &audit->seal;

	if (seal->n_old_fds < SEAL_OLD_FDS_MAX) {
		seal->old_fds[seal->n_old_fds++] = fd;
		return;
	}
	if (fdatasync(fd) < 0)
		seal->failing = true;
	close(fd);
}

/* What must be on the disk before a note says that it is: the segments that were written to, and
 * the names of those that were begun. */
static size_t segment_fds(struct audit *audit, int ret_fds[SYNC_FDS_MAX])
{
	struct seal *seal = &audit->seal;
	size_t n = 0;
	int fd;

	while (n < seal->n_old_fds) {
		ret_fds[n] = seal->old_fds[n];
		n++;
	}
	if (n > 0 || seal->durable_size == 0) {
		fd = openat(audit->segments.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			ret_fds[n++] = fd;
	}
	seal->n_old_fds = 0;
	fd = fcntl(audit->segments.fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0)
		ret_fds[n++] = fd;
	return n;
}

static int open_history(struct audit *audit, uint64_t segment)
{
	char path[PATH_SIZE];
	int fd, r = fd_make_dir_at(audit->dir_fd, DIRECTORY, 0700);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), DIRECTORY "/%020" PRIu64 ".notes", segment);
	fd = openat(
		audit->dir_fd, path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

/* Where the last whole note ends: a crash may have left half of one. A note ends with its signature
 * line and an empty one. */
static off_t whole_notes(int fd, off_t size_bytes)
{
	off_t start_bytes = size_bytes > TAIL_BYTES ? size_bytes - TAIL_BYTES : 0;
	size_t tail_bytes = (size_t)(size_bytes - start_bytes);
	_cleanup_free_ char *tail = malloc(TAIL_BYTES);

	if (!tail || segment_read_at(fd, tail, tail_bytes, (uint64_t)start_bytes) < 0)
		return -EIO;
	for (size_t end = tail_bytes; end >= 2; end--) {
		const char *line;

		if (tail[end - 1] != '\n' || tail[end - 2] != '\n')
			continue;
		line = memrchr(tail, '\n', end - 2);
		line = line ? line + 1 : tail;
		if ((size_t)(tail + end - line) > strlen(NOTE_DASH) &&
			memcmp(line, NOTE_DASH, strlen(NOTE_DASH)) == 0)
			return start_bytes + (off_t)end;
	}
	return start_bytes;
}

/* Appends the notes of one segment. `*ret_before_bytes` is how long the file was. */
static int append_history(struct audit *audit, const struct seal_note *notes, size_t n, int *ret_fd,
	off_t *ret_before_bytes)
{
	_cleanup_close_ int fd = open_history(audit, notes[0].segment);
	_cleanup_free_ char *text = malloc(n * (NOTE_SIZE + 1));
	size_t size_bytes = 0;
	struct stat before;
	int r;

	if (fd < 0 || !text)
		return fd < 0 ? fd : -ENOMEM;
	if (fstat(fd, &before) < 0)
		return -errno;
	before.st_size = whole_notes(fd, before.st_size);
	if (before.st_size < 0 || ftruncate(fd, before.st_size) < 0)
		return -EIO;
	for (size_t i = 0; i < n; i++)
		size_bytes += (size_t)sprintf(text + size_bytes, "%s\n", notes[i].text);
	r = fd_write_all(fd, text, size_bytes);
	if (r < 0)
		return ftruncate(fd, before.st_size) < 0 ? -EIO : r;
	*ret_before_bytes = before.st_size;
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int write_checkpoint(const struct audit *audit, const struct seal_note *note)
{
	_cleanup_close_ int fd = openat(audit->dir_fd, TEMPORARY,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_all(fd, note->text, strlen(note->text));

	return r < 0 ? r : steal_fd(&fd);
}

/* Writes the batch, all or none; `ret_fds` are to be synced. */
static int write_files(struct audit *audit, int ret_fds[SYNC_FDS_MAX], size_t *ret_n)
{
	const struct seal_note *notes = audit->seal.notes;
	const size_t n_batch = audit->seal.n_batch;
	off_t before_bytes[SYNC_FDS_MAX] = {0};
	size_t n = 0, end;
	int fd = write_checkpoint(audit, &notes[n_batch - 1]), r = fd < 0 ? fd : 0;

	if (r < 0)
		return r;
	ret_fds[n++] = fd;
	for (size_t first = 0; first < n_batch && r == 0; first = end) {
		for (end = first; end < n_batch && notes[end].segment == notes[first].segment;)
			end++;
		r = append_history(
			audit, &notes[first], end - first, &ret_fds[n], &before_bytes[n]);
		n += r == 0;
	}
	*ret_n = n;
	while (r < 0 && n > 0) {
		n--;
		if (ftruncate(ret_fds[n], before_bytes[n]) < 0)
			r = -EIO;
		close(ret_fds[n]);
	}
	return r;
}

static int publish(struct audit *audit)
{
	struct seal *seal = &audit->seal;

	if (renameat(audit->dir_fd, TEMPORARY, audit->dir_fd, CHECKPOINT) < 0)
		return fail_batch(audit, -errno);
	seal->durable_size = seal->notes[seal->n_batch - 1].size;
	forget_batch(seal);
	seal->phase = SEAL_IDLE;
	seal->failing = false;
	return 0;
}

static void on_synced(int error, void *userdata)
{
	struct audit *audit = userdata;
	struct seal *seal = &audit->seal;
	int fds[SYNC_FDS_MAX];
	size_t n = 0;

	if (error == 0 && seal->phase == SEAL_SEGMENTS)
		error = write_files(audit, fds, &n);
	if (error < 0) {
		fail_batch(audit, error);
		return;
	}
	if (seal->phase == SEAL_SEGMENTS) {
		seal->phase = SEAL_FILES;
		sync_start(seal->sync, fds, n);
		return;
	}
	if (publish(audit) < 0)
		return;
	retain_sealed(audit);
	if (seal->wanted)
		begin_batch(audit);
}

/* As many notes as have descriptors for their histories, beside that of the checkpoint. */
static size_t batch_of(const struct seal *seal)
{
	size_t n = 0, n_segments = 0;

	while (n < seal->n_notes) {
		if (n == 0 || seal->notes[n].segment != seal->notes[n - 1].segment)
			n_segments++;
		if (n_segments >= SYNC_FDS_MAX)
			break;
		n++;
	}
	return n;
}

static void begin_batch(struct audit *audit)
{
	struct seal *seal = &audit->seal;
	int fds[SYNC_FDS_MAX];

	if (seal->phase != SEAL_IDLE || seal->n_notes == 0)
		return;
	/* The partial tiles that are written are of the tree as it is: so is the newest note. */
	if (seal->size < audit->tree.size)
		sign_now(audit, CHECKPOINT_SECOND);
	/* Tiles can be made again from the segments: not a reason to wait. */
	tree_write_partial(&audit->tree);
	seal->phase = SEAL_SEGMENTS;
	seal->n_batch = batch_of(seal);
	seal->wanted = seal->n_batch < seal->n_notes;
	sync_start(seal->sync, fds, segment_fds(audit, fds));
}

static int wait_idle(struct audit *audit)
{
	struct seal *seal = &audit->seal;
	int r = 0;

	while (seal->phase != SEAL_IDLE && r == 0) {
		int error = sync_wait(seal->sync), fds[SYNC_FDS_MAX];
		size_t n = 0;

		if (error == 0 && seal->phase == SEAL_SEGMENTS)
			error = write_files(audit, fds, &n);
		if (error < 0) {
			r = fail_batch(audit, error);
		} else if (seal->phase == SEAL_SEGMENTS) {
			seal->phase = SEAL_FILES;
			sync_start(seal->sync, fds, n);
		} else {
			r = publish(audit);
		}
	}
	return r;
}

int seal_and_wait(struct audit *audit, enum checkpoint_reason reason)
{
	int r;

	wait_idle(audit);
	r = sign_now(audit, reason);
	while (r == 0 && audit->seal.n_notes > 0) {
		begin_batch(audit);
		r = wait_idle(audit);
	}
	return r;
}

/* ---- the clock */

static void on_tick(struct loop_source *source _unused_, void *userdata)
{
	struct audit *audit = userdata;
	struct seal *seal = &audit->seal;

	audit_flush(audit);
	if (audit->tree.size > seal->size)
		sign_now(audit, CHECKPOINT_SECOND);
	else if (clock_monotonic_ns() - seal->signed_ns >= audit->heartbeat_ns)
		sign_now(audit, CHECKPOINT_HEARTBEAT);
	begin_batch(audit);
	audit_look_after(audit);
}

int seal_open(struct audit *audit, struct loop *loop)
{
	struct seal *seal = &audit->seal;
	int r = sync_new(loop, on_synced, audit, &seal->sync);

	if (r == 0)
		r = loop_add_timer(loop, on_tick, audit, &seal->tick);
	return r == 0 ? loop_timer_arm(seal->tick, SEAL_TICK_MS, SEAL_TICK_MS) : r;
}

void seal_close(struct audit *audit)
{
	struct seal *seal = &audit->seal;

	if (seal->sync && audit->keys.key)
		seal_and_wait(audit, CHECKPOINT_STOP);
	seal->sync = sync_free(seal->sync);
	seal->tick = loop_source_free(seal->tick);
	seal->n_batch = seal->n_notes;
	forget_batch(seal);
	free(seal->notes);
	seal->notes = NULL;
	while (seal->n_old_fds > 0)
		close(seal->old_fds[--seal->n_old_fds]);
}
