/* The open log: what the files of this room share.
 *
 * A record gets its sequence when it is encoded into `pending`, behind the lines that wait there.
 * One write(2) takes `pending` to the file, and only then do its lines enter the tree and the
 * streams' chains. What a full disk refuses is cut away again, up to the
 * last whole line, and its sequences are taken back: numbers in the file are dense, and what is
 * missing is told by an audit.lost record. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/audit/audit.h"
#include "supervisor/audit/lines/json-line.h"
#include "supervisor/audit/segments/index.h"
#include "supervisor/audit/segments/retain.h"
#include "supervisor/audit/segments/seal.h"
#include "supervisor/audit/segments/segment.h"
#include "supervisor/audit/stream.h"
#include "supervisor/base/clock.h"
#include "supervisor/tlog/keys.h"
#include "supervisor/tlog/tree.h"

#define AUDIT_SEGMENT_BYTES (64ULL << 20)
#define AUDIT_SEGMENT_AGE_NS (24 * 3600 * NS_PER_SECOND)
#define AUDIT_HEARTBEAT_NS (30 * NS_PER_SECOND)
#define AUDIT_KEY_AGE_NS (30 * 24 * 3600 * NS_PER_SECOND)
#define AUDIT_LINE_MAX                                                                             \
	32768 /* bytes of one record; a larger body is left out, and that is said                  \
	       */
#define AUDIT_PENDING_MAX 65536 /* bytes that may wait for the end of the round */
#define AUDIT_PENDING_LINES 512 /* and lines */
#define AUDIT_RETRY_MS 250      /* between attempts to write to a full disk */
#define AUDIT_PLACES_MAX 8      /* different places that can lose records */

struct audit_loss {
	const char *where;
	uint64_t n; /* not yet told by a record */
};

/* A line that waits in `pending`. */
struct audit_pending {
	uint32_t size_bytes;   /* with the line feed */
	struct stream *stream; /* NULL: of none */
};

struct audit {
	int state_fd, dir_fd; /* of the state directory, and of audit/ in it, which is locked */
	struct segments segments;
	uint64_t segment_bytes, segment_age_ns, heartbeat_ns, key_age_ns;
	struct tree tree; /* of the lines that are in the file */
	struct keys keys;
	struct table *streams;   /* sandbox → struct stream */
	uint32_t n_ends_waiting; /* streams that are `ended` */
	struct seal seal;
	struct retain retain;
	void (*enforcement)(struct audit_enforcement *ret_state, void *userdata);
	void *enforcement_userdata;
	bool writable;
	bool torn;         /* bytes past the newest segment's size must be cut before a write */
	uint64_t sequence; /* of the last record, pending ones included */
	struct json_line pending;
	struct audit_pending lines[AUDIT_PENDING_LINES];
	uint32_t n_pending;
	struct audit_index index;
	struct audit_loss losses[AUDIT_PLACES_MAX];
	uint64_t n_lost; /* told or not */
	uint64_t n_told; /* by the audit.lost records that are in the tree */
	struct loop_source *round_timer, *retry_timer;
	bool round_armed, policy_changed;
	const char (*syscall_names)[32]; /* borrowed */
	size_t n_syscall_names;
	void (*listener)(void *userdata);
	void *listener_userdata;
};

/* Begins a record in `pending` with its common fields but `process`; the body's members follow,
 * then audit_line_end(). `time_ns` is realtime. Never fails: a failure shows in audit_line_end().
 */
struct audit_line {
	struct audit_facts facts;
	struct stream *stream;
	size_t start_bytes; /* in pending */
};
void audit_line_begin(struct audit *audit, struct audit_line *line, const char *type,
	uint64_t time_ns, const struct audit_subject *subject);
/* Ends the line and gives it its place. A line that is too long, or that memory had no room for, is
 * taken out again: returns -E2BIG or -ENOMEM. */
int audit_line_end(struct audit *audit, struct audit_line *line);

/* audit_record() that says whether it is in the file: 0 or -errno, after the loss was counted. */
int audit_try_record(
	struct audit *audit, const char *type, const struct audit_subject *subject, json_t *body);

/* Writes `pending`. Returns 0, or -errno after the loss was counted. */
int audit_flush(struct audit *audit);
/* Has all that was left undone for want of room, or whose time has come, done: each tick. */
void audit_look_after(struct audit *audit);
/* Records the ends of sandboxes that could not be recorded when they came. */
void audit_end_streams(struct audit *audit);
/* Takes one line without its line feed into the tree and its stream's chain. */
void audit_take_line(
	struct audit *audit, const char *line, size_t size_bytes, struct stream *stream);
/* Counts `n` records that `where` (a string that lives for ever) lost, to be told by a record. */
void audit_count_loss(struct audit *audit, uint64_t n, const char *where);
/* Has the listener called, and what waits written, when the loop's round ends. */
void audit_end_of_round(struct audit *audit);
/* Tells what was lost, one record for each place, each in a write of its own. */
void audit_tell_losses(struct audit *audit);

/* Reads the common fields of a line that this room wrote. Returns false if it is not one. */
bool audit_line_parse(const char *line, size_t size_bytes, struct audit_facts *ret_facts);
