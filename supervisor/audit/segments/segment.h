/* The log's files: log/SSSSSSSSSSSSSSSSSSSS.jsonl, named by the sequence of their first record.
 * Sequences are dense across them; only the newest is written to. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/audit/segments/index.h"
#include "supervisor/base/failure.h"

#define SEGMENT_NAME_SIZE 27 /* 20 digits, ".jsonl" and a NUL */
#define SEGMENTS_MAX 1000000 /* files of one log */

struct segment {
	uint64_t first;         /* sequence of its first record, also while it has none */
	uint64_t size_bytes;    /* to the end of its last whole line */
	uint64_t first_time_ns; /* time of its first record; 0 while it has none */
};

struct segments {
	int dir_fd;            /* of log/ */
	struct segment *items; /* oldest first; at least one when open */
	size_t n;
	int fd;               /* of the newest, for appending and reading */
	int reading_fd;       /* of an older one that was read last */
	uint64_t reading;     /* its first sequence; 0: none */
	uint64_t cut_bytes;   /* half a line at the newest's end: not in size_bytes */
	uint64_t last;        /* sequence of the last whole line, 0: none */
	uint64_t begun_ns;    /* when the newest got its first record, or was made; realtime */
	uint64_t total_bytes; /* of all */
};

void segment_name(uint64_t first, char ret_name[SEGMENT_NAME_SIZE]);
/* Reads a name that segment_name() wrote. Returns 0 or -EINVAL. */
int segment_name_parse(const char *name, uint64_t *ret_first);

/* Opens the segments below `dir_fd` (duplicated), making the first. -EBADMSG with `why` when the
 * files do not follow each other or hold other lines than ours; other -errno. */
int segments_open(int dir_fd, struct segments *ret_segments, struct failure *why);
void segments_fini(struct segments *segments);

/* Begins a new newest segment for the record `first`, and hands over the descriptor of the one
 * before. On failure all stays as it was. */
int segments_rotate(struct segments *segments, uint64_t first, int *ret_old_fd);
/* Removes the oldest, which is not the newest. Returns 0 or -errno. */
int segments_drop_oldest(struct segments *segments);

static inline struct segment *segments_newest(const struct segments *segments)
{
	return &segments->items[segments->n - 1];
}
/* Index of the segment that holds `sequence`, or of the one next to it. */
size_t segments_find(const struct segments *segments, uint64_t sequence);
/* A descriptor to read the segment with, good until the next call. Or -errno. */
int segments_read_fd(struct segments *segments, size_t index);
/* Reads exactly `size_bytes`. Returns 0, -EIO when there are fewer, or -errno. */
int segment_read_at(int fd, void *buffer, size_t size_bytes, uint64_t offset_bytes);
