/* What the parts of a walk through a log share. */
#pragma once

#include "tools/verify/log/files.h"
#include "tools/verify/log/history.h"
#include "tools/verify/log/log.h"
#include "tools/verify/log/record.h"
#include "tools/verify/log/streams.h"
#include "tools/verify/tree/tiles.h"

#define WALK_PATH_SIZE 64

struct walk_note {
	uint64_t number;
	struct hash hash; /* of all its bytes */
};

struct walk {
	int dir_fd;
	const struct log_options *options;
	struct log_summary *summary;
	struct fault *fault;

	uint64_t *segments; /* first sequences, sorted */
	size_t n_segments, next_segment;
	int fd; /* of the segment that is read; -1: none */
	char path[WALK_PATH_SIZE];
	uint64_t
		segment_end; /* the sequence that the next segment begins with; 0: it is the last */
	struct lines lines;

	struct range range;
	struct tiles *tiles;
	struct streams streams;
	uint64_t told_lost;
	_Bool lost_known;        /* else records of loss are among those that were removed */
	uint64_t retained_to;    /* largest last_seq of a retention record */
	uint64_t retention_next; /* first_seq that the next retention record must have; 0: any */
	_Bool explained;         /* a retention record ends where the kept records begin */

	struct history history, witness;
	struct walk_note *here; /* with a witness: the numbered notes of the size that it is at */
	size_t n_here;
	struct checkpoint before; /* the last that was checked */
	char newest[NOTE_BYTES_MAX];
	size_t newest_size;
	uint64_t n_after_newest; /* checkpoints in the history after <dir>/checkpoint */
	_Bool newest_found;
	struct checkpoint newest_checkpoint;
};

/* The sequence that comes next. */
static inline uint64_t walk_expected(const struct walk *walk)
{
	return walk->range.size + 1;
}

/* segments.c: a look at the last line, before anything is read: what was cut off there is named as
 * that, and not as what it makes of the tiles. */
enum verdict walk_ends_early(struct walk *walk);
/* The segments in the directory. */
enum verdict walk_open_segments(struct walk *walk);
/* The next line; `*ret_line` is NULL at the end of the log. */
enum verdict walk_line(struct walk *walk, const char **ret_line, size_t *ret_size);

/* blame.c: names what is wrong with a line that is not the one that was signed. `record` is NULL
 * when it is none (`error` says why). */
enum verdict walk_blame(struct walk *walk, const char *line, size_t size,
	const struct record *record, const char *error);

/* checkpoints.c: all checkpoints of the size that the tree has now, then what is left at the end.
 */
enum verdict walk_checkpoints(struct walk *walk);
enum verdict walk_checkpoints_end(struct walk *walk);
