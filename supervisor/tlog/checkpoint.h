/* What a checkpoint says: C2SP tlog-checkpoint with the extension lines of this log, always all and
 * in this order. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/digest/sha256.h"
#include "supervisor/tlog/note.h"

#define CHECKPOINT_SIZE 768 /* of the text, with a NUL */

enum checkpoint_reason {
	CHECKPOINT_START,
	CHECKPOINT_RECORDS,
	CHECKPOINT_SECOND,
	CHECKPOINT_POLICY,
	CHECKPOINT_STOP,
	CHECKPOINT_HEARTBEAT,
	CHECKPOINT_ROTATE,
	CHECKPOINT_KEY,
};

struct checkpoint {
	char origin[NOTE_NAME_SIZE];
	uint64_t size;
	uint8_t root[SHA256_BYTES];
	uint64_t number;  /* dense from 1, so that none can be removed; 0: of an older version */
	uint64_t time_ns; /* realtime */
	enum checkpoint_reason reason;
	uint64_t lost; /* records, since the log began */
	uint64_t events_seen, events_emitted, events_dropped;
	char programs[SHA256_HEX_SIZE], policies[SHA256_HEX_SIZE]; /* empty: none */
};

void checkpoint_write(const struct checkpoint *checkpoint, char ret_text[CHECKPOINT_SIZE]);
/* Reads what checkpoint_write() wrote, up to the end of the text in a note. 0 or -EINVAL. */
int checkpoint_parse(const char *text, size_t size_bytes, struct checkpoint *ret_checkpoint);
