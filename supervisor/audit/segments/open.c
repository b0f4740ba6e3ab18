#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "supervisor/audit/segments/log-file.h"
#include "supervisor/audit/segments/recover.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"

#define STAGE "open audit log"
#define DIRECTORY "audit"
#define OLD_FILE "audit.jsonl"
#define PIECE_BYTES (1 << 18)
#define CUT_SHOWN_MAX 512 /* bytes of a cut line that its record repeats */

static int open_directory(
	const struct audit *audit, const char *state_dir, int *ret_fd, struct failure *why)
{
	_cleanup_close_ int fd = -1;
	int r = fd_make_dir_at(audit->state_fd, DIRECTORY, 0700);

	if (r < 0)
		return failure_set(
			why, r, STAGE, "cannot make the directory %s/" DIRECTORY, state_dir);
	fd = openat(audit->state_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failure_set(
			why, -errno, STAGE, "cannot open the directory %s/" DIRECTORY, state_dir);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return failure_set(why, errno == EWOULDBLOCK ? -EBUSY : -errno, STAGE,
			"another cloched writes the log in %s/" DIRECTORY "; end it first",
			state_dir);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static void record_recovery(struct audit *audit, const struct recovery *recovery)
{
	uint64_t last = audit->segments.last;
	size_t shown =
		recovery->cut_bytes < CUT_SHOWN_MAX ? (size_t)recovery->cut_bytes : CUT_SHOWN_MAX;
	char cut[CUT_SHOWN_MAX];

	if (segment_read_at(audit->segments.fd, cut, shown,
		    segments_newest(&audit->segments)->size_bytes) < 0)
		shown = 0;
	audit_record(audit, "audit.recovered", NULL,
		json_pack("{s:I, s:I, s:I, s:o}", "checkpoint_size",
			(json_int_t)recovery->checkpoint_size, "records",
			(json_int_t)(last - recovery->checkpoint_size), "cut_bytes",
			(json_int_t)recovery->cut_bytes, "cut_text", audit_text(cut, shown)));
}

static void record_broken(struct audit *audit, const struct recovery *recovery)
{
	audit_record(audit, "audit.broken", NULL,
		json_pack("{s:s, s:I, s:s, s:s, s:s}", "origin", recovery->origin, "size",
			(json_int_t)recovery->size, "root", recovery->root, "moved_to",
			recovery->moved_to, "why", recovery->why));
}

/* The log of a version that signed nothing is set aside; the new one says what it was. */
static int set_old_log_aside(struct audit *audit)
{
	_cleanup_close_ int fd = openat(audit->dir_fd, OLD_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_free_ char *piece = malloc(PIECE_BYTES);
	struct sha256_engine *engine = audit->tree.engine;
	uint8_t digest[SHA256_BYTES];
	char hex[SHA256_HEX_SIZE];
	uint64_t size_bytes = 0;
	ssize_t n;

	if (fd < 0 || !piece)
		return errno == ENOENT ? 0 : -errno;
	if (sha256_begin(engine) < 0)
		return -EIO;
	while ((n = read(fd, piece, PIECE_BYTES)) > 0 && sha256_add(engine, piece, (size_t)n) == 0)
		size_bytes += (uint64_t)n;
	if (n < 0 || sha256_end(engine, digest) < 0)
		return -EIO;
	if (renameat(audit->dir_fd, OLD_FILE, audit->dir_fd, OLD_FILE ".old") < 0)
		return -errno;
	sha256_to_hex(digest, hex);
	return audit_try_record(audit, "audit.previous", NULL,
		json_pack("{s:s, s:I, s:s}", "file", OLD_FILE ".old", "bytes",
			(json_int_t)size_bytes, "sha256", hex));
}

static void on_round_end(struct loop_source *source, void *userdata)
{
	struct audit *audit = userdata;

	(void)source;
	audit->round_armed = false;
	if (audit_flush(audit) == 0 && audit->writable)
		audit_tell_losses(audit);
	if (audit->policy_changed) {
		audit->policy_changed = false;
		seal_now(audit, CHECKPOINT_POLICY);
	}
	if (audit->listener)
		audit->listener(audit->listener_userdata);
}

static void on_retry(struct loop_source *source, void *userdata)
{
	struct audit *audit = userdata;

	(void)source;
	audit_tell_losses(audit);
	if (audit->writable)
		audit_end_of_round(audit);
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
	return value ? value : otherwise;
}

static void configure(struct audit *audit, const struct audit_config *config)
{
	audit->segment_bytes = or_default(config->segment_bytes, AUDIT_SEGMENT_BYTES);
	audit->segment_age_ns = or_default(config->segment_age_ns, AUDIT_SEGMENT_AGE_NS);
	audit->heartbeat_ns = or_default(config->heartbeat_ns, AUDIT_HEARTBEAT_NS);
	audit->key_age_ns = or_default(config->key_age_ns, AUDIT_KEY_AGE_NS);
	audit->retain.keep_bytes = config->keep_bytes;
	audit->retain.keep_age_ns = config->keep_age_ns;
}

static void close_log(struct audit *audit)
{
	tree_fini(&audit->tree);
	keys_fini(&audit->keys);
	streams_free(audit->streams);
	audit->streams = NULL;
	segments_fini(&audit->segments);
	cleanup_close(&audit->dir_fd);
	audit->dir_fd = -1;
}

/* Moves the log aside, under a name that is not there yet, and forgets its secret. */
static int move_aside(struct audit *audit, struct recovery *recovery)
{
	uint64_t seconds = clock_realtime_ns() / NS_PER_SECOND;
	int r;

	do {
		snprintf(recovery->moved_to, sizeof(recovery->moved_to),
			DIRECTORY ".broken-%" PRIu64, seconds++);
		r = renameat2(audit->state_fd, DIRECTORY, audit->state_fd, recovery->moved_to,
			    RENAME_NOREPLACE) < 0
			    ? -errno
			    : 0;
	} while (r == -EEXIST);
	return r;
}

static int load(struct audit *audit, const struct audit_config *config,
	struct recovery *ret_recovery, struct failure *why)
{
	const char *instance = config->instance ? config->instance : "default";
	struct recovery again = {0};
	int r = open_directory(audit, config->state_dir, &audit->dir_fd, why);

	if (r == 0)
		r = recover(audit, instance, ret_recovery, why);
	if (r != -EBADMSG)
		return r;
	snprintf(ret_recovery->why, sizeof(ret_recovery->why), "%s", why->sentence);
	close_log(audit);
	r = move_aside(audit, ret_recovery);
	if (r < 0)
		return failure_set(
			why, r, STAGE, "%s, and it cannot be moved aside", ret_recovery->why);
	*why = (struct failure){0};
	r = open_directory(audit, config->state_dir, &audit->dir_fd, why);
	return r == 0 ? recover(audit, instance, &again, why) : r;
}

static int prepare(struct audit *audit, struct loop *loop, const struct audit_config *config,
	struct recovery *recovery, struct failure *why)
{
	int r;

	audit->state_fd = open(config->state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (audit->state_fd < 0)
		return failure_set(why, -errno, STAGE, "cannot make the directory %s/" DIRECTORY,
			config->state_dir);
	configure(audit, config);
	r = load(audit, config, recovery, why);
	if (r < 0)
		return r;
	audit->sequence = audit->segments.last;
	audit->torn = audit->segments.cut_bytes > 0;
	audit->seal.size = audit->tree.size;
	r = audit_index_init(&audit->index, audit->sequence);
	if (r == 0)
		r = loop_add_timer(loop, on_round_end, audit, &audit->round_timer);
	if (r == 0)
		r = loop_add_timer(loop, on_retry, audit, &audit->retry_timer);
	if (r == 0)
		r = retain_open(audit, loop);
	if (r == 0)
		r = seal_open(audit, loop);
	return r < 0 ? failure_set(why, r, STAGE, "no memory") : 0;
}

static void release(struct audit *audit)
{
	seal_close(audit);
	retain_close(audit);
	loop_source_free(audit->round_timer);
	loop_source_free(audit->retry_timer);
	audit_index_fini(&audit->index);
	json_line_fini(&audit->pending);
	close_log(audit);
	cleanup_close(&audit->state_fd);
	free(audit);
}

/* A new log's first checkpoint is there before its first record, so that a log without one is none.
 * Of one that goes on, what was found is covered by the next. */
static int begin(struct audit *audit, const struct recovery *recovery, struct failure *why)
{
	bool is_new = recovery->is_new || recovery->moved_to[0];
	int r = is_new ? seal_and_wait(audit, CHECKPOINT_START) : 0;

	if (r < 0)
		return failure_set(why, r, STAGE, "the first checkpoint cannot be written");
	if (recovery->moved_to[0])
		record_broken(audit, recovery);
	else if (recovery->is_unclean)
		record_recovery(audit, recovery);
	r = set_old_log_aside(audit);
	if (r < 0)
		return failure_set(why, r, STAGE, "the old " OLD_FILE " cannot be set aside");
	/* On a disk that is full now this fails, which is no reason not to go on with what runs. */
	if (!is_new || audit->sequence > 0)
		seal_and_wait(audit, CHECKPOINT_START);
	return 0;
}

int audit_open(struct loop *loop, const struct audit_config *config, struct audit **ret_audit,
	struct failure *why)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	struct recovery recovery = {0};
	struct failure own = {0};
	int r;

	why = why ? why : &own;
	if (!audit)
		return failure_set(why, -ENOMEM, STAGE, "no memory");
	audit->state_fd = audit->dir_fd = -1;
	audit->segments = (struct segments){.dir_fd = -1, .fd = -1, .reading_fd = -1};
	audit->writable = true;
	r = prepare(audit, loop, config, &recovery, why);
	if (r == 0)
		r = begin(audit, &recovery, why);
	if (r < 0) {
		keys_fini(&audit->keys); /* nothing is signed any more */
		release(audit);
		return r;
	}
	*ret_audit = audit;
	if (!recovery.moved_to[0])
		return 0;
	failure_set(why, -EBADMSG, STAGE, "moved to %s: %.180s", recovery.moved_to, recovery.why);
	return 1;
}

struct audit *audit_free(struct audit *audit)
{
	if (!audit)
		return NULL;
	audit_flush(audit);
	release(audit);
	return NULL;
}

void audit_look_after(struct audit *audit)
{
	struct failure why = {0};

	if (audit->keys.made_ns + audit->key_age_ns < clock_realtime_ns() && audit->writable)
		audit_rotate_key(audit, &why);
	retain_check(audit);
}

void audit_set_enforcement(struct audit *audit,
	void (*callback)(struct audit_enforcement *ret_state, void *userdata), void *userdata)
{
	audit->enforcement = callback;
	audit->enforcement_userdata = userdata;
}

void audit_policy_changed(struct audit *audit)
{
	audit->policy_changed = true;
	audit_end_of_round(audit);
}

int audit_rotate_key(struct audit *audit, struct failure *why)
{
	char vkey[AUDIT_VKEY_SIZE];
	uint32_t epoch = audit->keys.epoch;
	int r = audit_flush(audit);

	/* What the certificate says is there must be. */
	if (r == 0 && fdatasync(audit->segments.fd) < 0)
		r = -errno;
	if (r < 0)
		return failure_set(why, r, STAGE, "the log cannot be written: the key stays");
	r = keys_rotate(&audit->keys, audit->tree.size, why);
	if (audit->keys.epoch == epoch)
		return r;
	audit_key_text(audit, vkey);
	audit_record(audit, "audit.key", NULL,
		json_pack("{s:i, s:s}", "epoch", (int)audit->keys.epoch, "key", vkey));
	seal_now(audit, CHECKPOINT_KEY);
	return r;
}

uint32_t audit_key_epoch(const struct audit *audit)
{
	return audit->keys.epoch;
}

void audit_key_text(const struct audit *audit, char ret_vkey[AUDIT_VKEY_SIZE])
{
	_Static_assert(AUDIT_VKEY_SIZE == NOTE_VKEY_SIZE, "one form of a key");
	note_vkey(&audit->keys.verifier, ret_vkey);
}

uint64_t audit_sealed_size(const struct audit *audit)
{
	return audit->seal.durable_size;
}

uint64_t audit_first_sequence(const struct audit *audit)
{
	return audit->segments.items[0].first;
}

uint64_t audit_last_sequence(const struct audit *audit)
{
	return audit->sequence;
}

uint64_t audit_n_lost(const struct audit *audit)
{
	return audit->n_lost;
}

bool audit_is_writable(const struct audit *audit)
{
	return audit->writable && !audit->seal.failing;
}

void audit_set_listener(struct audit *audit, void (*listener)(void *userdata), void *userdata)
{
	audit->listener = listener;
	audit->listener_userdata = userdata;
}
