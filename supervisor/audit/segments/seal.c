#include "supervisor/audit/segments/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/audit/history.h"
#include "supervisor/audit/segments/log-file.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"

#define CHECKPOINT "checkpoint"
#define TEMPORARY "checkpoint.tmp"

static void begin_batch(struct audit *audit);

static int add_note(struct audit *audit, const struct checkpoint *checkpoint, const char *text)
{
	struct segments *segments = &audit->segments;
	struct seal *seal = &audit->seal;
	const uint64_t size = checkpoint->size;
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
		.number = checkpoint->number,
		.text = copy,
	};
	return 0;
}

static int sign(struct audit *audit, enum checkpoint_reason reason)
{
	struct checkpoint checkpoint = {.size = audit->tree.size,
		.number = audit->seal.number + 1,
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
	if (r == 0)
		r = add_note(audit, &checkpoint, note);
	if (r == 0)
		audit->seal.number = checkpoint.number;
	return r;
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

/* The notes stay in the queue; the next tick tries again. */
static int fail_batch(struct audit *audit, int error)
{
	struct seal *seal = &audit->seal;

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

/* Appends the notes of the batch, which are of one segment. What an attempt before appended, and
 * may or may not have reached the disk, is cut off first: each number is there once. */
static int append_batch(struct audit *audit, int ret_fds[SYNC_FDS_MAX], size_t *n_fds)
{
	struct seal *seal = &audit->seal;
	const off_t again_bytes = seal->is_retry ? seal->batch_start_bytes : -1;
	_cleanup_free_ char *text = malloc(seal->n_batch * (NOTE_SIZE + 1));
	size_t size_bytes = 0;
	int r, fds[2];

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < seal->n_batch; i++)
		size_bytes += (size_t)sprintf(text + size_bytes, "%s\n", seal->notes[i].text);
	r = history_append(audit->dir_fd, seal->notes[0].segment, again_bytes, text, size_bytes,
		&seal->batch_start_bytes, fds);
	if (r < 0)
		return r;
	seal->is_retry = true;
	for (int i = 0; i < r; i++)
		ret_fds[(*n_fds)++] = fds[i];
	return 0;
}

static int write_checkpoint(const struct audit *audit, const struct seal_note *note)
{
	_cleanup_close_ int fd = openat(audit->dir_fd, TEMPORARY,
		O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_all(fd, note->text, strlen(note->text));

	return r < 0 ? r : steal_fd(&fd);
}

/* `ret_fds` are to be synced. */
static int write_files(struct audit *audit, int ret_fds[SYNC_FDS_MAX], size_t *ret_n)
{
	struct seal *seal = &audit->seal;
	size_t n = 0;
	int fd = write_checkpoint(audit, &seal->notes[seal->n_batch - 1]), r = fd < 0 ? fd : 0;

	if (r < 0)
		return r;
	ret_fds[n++] = fd;
	r = append_batch(audit, ret_fds, &n);
	if (r < 0)
		close(fd);
	else
		*ret_n = n;
	return r;
}

static int publish(struct audit *audit)
{
	struct seal *seal = &audit->seal;

	if (renameat(audit->dir_fd, TEMPORARY, audit->dir_fd, CHECKPOINT) < 0)
		return fail_batch(audit, -errno);
	seal->durable_size = seal->notes[seal->n_batch - 1].size;
	seal->durable_number = seal->notes[seal->n_batch - 1].number;
	forget_batch(seal);
	seal->is_retry = false;
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
	audit_end_of_round(audit); /* whoever waits for a checkpoint */
	retain_sealed(audit);
	if (seal->wanted)
		begin_batch(audit);
}

/* Notes of one segment, so that one file is appended to: what a power cut leaves of a batch is its
 * beginning, never a later note without an earlier one. */
static size_t batch_of(const struct seal *seal)
{
	size_t n = 1;

	while (n < seal->n_notes && seal->notes[n].segment == seal->notes[0].segment)
		n++;
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
