/* Retention: the oldest segments go when all together are too large or they are too old.
 *
 *   hashed a piece a round → an audit.retention record says what goes → when a checkpoint on the
 *   disk covers that record → removed
 *
 * so what is missing at the log's beginning is explained by a signed record further on. The newest
 * segment always stays; tiles and checkpoints do too. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/base/loop.h"
#include "supervisor/digest/sha256.h"

struct audit;

enum retain_phase { RETAIN_IDLE, RETAIN_HASHING, RETAIN_WAITING };

struct retain {
	uint64_t keep_bytes, keep_age_ns; /* 0: for ever */
	enum retain_phase phase;
	const char *reason; /* "size" or "age" */
	struct sha256_engine *engine;
	struct loop_source *step;
	uint64_t offset_bytes; /* hashed so far */
	uint64_t sequence;     /* of the record that says it */
};

int retain_open(struct audit *audit, struct loop *loop);
void retain_close(struct audit *audit);

/* Begins with the oldest segment when it is to go: each tick. */
void retain_check(struct audit *audit);
/* A checkpoint has reached the disk. */
void retain_sealed(struct audit *audit);
