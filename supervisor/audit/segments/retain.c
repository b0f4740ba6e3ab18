#include "supervisor/audit/segments/retain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/audit/segments/log-file.h"
#include "supervisor/audit/segments/resume.h"
#include "supervisor/base/cleanup.h"

#define STEP_BYTES (1 << 20) /* hashed in one round of the loop: about a millisecond */

static const char *why_go(const struct audit *audit)
{
	const struct segments *segments = &audit->segments;
	uint64_t now_ns = clock_realtime_ns(), newest_ns;

	if (segments->n < 2)
		return NULL;
	if (audit->retain.keep_bytes > 0 && segments->total_bytes > audit->retain.keep_bytes)
		return "size";
	/* No record of it is younger than the first one of the segment that follows. */
	newest_ns = segments->items[1].first_time_ns;
	if (audit->retain.keep_age_ns > 0 && newest_ns > 0 &&
		newest_ns + audit->retain.keep_age_ns < now_ns)
		return "age";
	return NULL;
}

void retain_check(struct audit *audit)
{
	struct retain *retain = &audit->retain;

	if (retain->phase != RETAIN_IDLE || !audit->writable)
		return;
	retain->reason = why_go(audit);
	if (!retain->reason || sha256_begin(retain->engine) < 0)
		return;
	retain->phase = RETAIN_HASHING;
	retain->offset_bytes = 0;
	loop_timer_arm(retain->step, 0, 0);
}

static void tell(struct audit *audit)
{
	const struct segment *oldest = &audit->segments.items[0];
	struct retain *retain = &audit->retain;
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_HEX_SIZE];

	retain->phase = RETAIN_IDLE;
	if (sha256_end(retain->engine, digest) < 0)
		return;
	sha256_to_hex(digest, hex);
	if (audit_try_record(audit, "audit.retention", NULL,
		    json_pack("{s:I, s:I, s:I, s:s, s:s}", "first_seq", (json_int_t)oldest->first,
			    "last_seq", (json_int_t)(audit->segments.items[1].first - 1), "bytes",
			    (json_int_t)oldest->size_bytes, "sha256", hex, "reason",
			    retain->reason)) < 0)
		return;
	retain->phase = RETAIN_WAITING;
	retain->sequence = audit->sequence;
	seal_now(audit, CHECKPOINT_SECOND);
}

static void on_step(struct loop_source *source _unused_, void *userdata)
{
	struct audit *audit = userdata;
	struct retain *retain = &audit->retain;
	uint64_t left_bytes = audit->segments.items[0].size_bytes - retain->offset_bytes;
	size_t step_bytes = left_bytes < STEP_BYTES ? (size_t)left_bytes : STEP_BYTES;
	_cleanup_free_ char *piece = malloc(STEP_BYTES);
	int fd = segments_read_fd(&audit->segments, 0);

	if (!piece || fd < 0 || segment_read_at(fd, piece, step_bytes, retain->offset_bytes) < 0 ||
		sha256_add(retain->engine, piece, step_bytes) < 0) {
		retain->phase = RETAIN_IDLE; /* the next tick begins anew */
		return;
	}
	retain->offset_bytes += step_bytes;
	if (step_bytes < left_bytes)
		loop_timer_arm(retain->step, 0, 0);
	else
		tell(audit);
}

void retain_sealed(struct audit *audit)
{
	struct retain *retain = &audit->retain;
	uint64_t first = audit->segments.items[0].first;

	if (retain->phase != RETAIN_WAITING || audit->seal.durable_size < retain->sequence)
		return;
	retain->phase = RETAIN_IDLE;
	/* A name that cannot be removed is tried again, with another record. */
	if (segments_drop_oldest(&audit->segments) < 0)
		return;
	resume_remove(audit->dir_fd, first);
	audit_index_drop(&audit->index, audit->segments.items[0].first);
	retain_check(audit);
}

int retain_open(struct audit *audit, struct loop *loop)
{
	int r = sha256_engine_new(&audit->retain.engine);

	return r < 0 ? r : loop_add_timer(loop, on_step, audit, &audit->retain.step);
}

void retain_close(struct audit *audit)
{
	audit->retain.engine = sha256_engine_free(audit->retain.engine);
	audit->retain.step = loop_source_free(audit->retain.step);
}
