/* Checkpoints: when one is signed, and how it and what it covers reach the disk.
 *
 *   signed at once, from the tree in memory → queued → the segments are synced → the notes are
 *   appended to the history, the newest to checkpoint.tmp → both are synced → renamed in its place
 *
 * The syncs run beside the loop (sync.h), one batch of notes at a time; a batch takes all that were
 * signed while the one before was under way. So a checkpoint that can be seen covers records that
 * are on the disk. Each has the next number: on the disk they are dense, whatever
 * was signed and did not get there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/audit/segments/sync.h"
#include "supervisor/base/loop.h"
#include "supervisor/tlog/checkpoint.h"

#define SEAL_RECORDS 1024   /* records between two checkpoints, at most */
#define SEAL_TICK_MS 1000   /* and time, while there are new records */
#define SEAL_QUEUE_MAX 8192 /* notes that wait for the disk; then none are signed but at a tick */
#define SEAL_OLD_FDS_MAX 8  /* segments that were left since the last batch */

struct audit;

struct seal_note {
	uint64_t segment; /* the first sequence of the one whose history it belongs to */
	uint64_t size, number;
	char *text;
};

enum seal_phase { SEAL_IDLE, SEAL_SEGMENTS, SEAL_FILES };

struct seal {
	struct sync *sync;
	struct loop_source *tick;
	enum seal_phase phase;
	struct seal_note *notes; /* oldest first */
	size_t n_notes, n_batch; /* the first n_batch are under way */
	int old_fds[SEAL_OLD_FDS_MAX];
	size_t n_old_fds;
	bool is_retry; /* the first notes may be in the history, from batch_start_bytes on */
	int64_t batch_start_bytes;
	uint64_t number;          /* of the newest note */
	uint64_t size, signed_ns; /* of the newest note; monotonic */
	bool wanted;              /* a batch, as soon as the one under way is done */
	uint64_t durable_size;    /* what the checkpoint on the disk covers */
	uint64_t durable_number;  /* its number; 0: none was written since the start */
	bool failing;             /* the disk did not take the last batch */
};

int seal_open(struct audit *audit, struct loop *loop);
/* Signs a last checkpoint, waits until all is on the disk, and lets go of everything. */
void seal_close(struct audit *audit);

/* Signs a checkpoint of all records so far, and begins a batch unless one is under way (reason
 * CHECKPOINT_RECORDS waits for the next second). */
void seal_now(struct audit *audit, enum checkpoint_reason reason);
/* The same, and waits. Returns 0 or -errno. */
int seal_and_wait(struct audit *audit, enum checkpoint_reason reason);
/* The newest segment was left: takes over its descriptor, to sync it with the next batch. */
void seal_leave(struct audit *audit, int fd);
