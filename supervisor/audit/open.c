#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "supervisor/audit/log-file.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"

#define STAGE "open audit log"
#define DIRECTORY "audit"
#define CUT_SHOWN_MAX 512 /* bytes of a cut line that its record repeats */

static int open_directory(const char *state_dir, int *ret_fd, struct failure *why)
{
	_cleanup_close_ int state_fd = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	int r = state_fd < 0 ? -errno : fd_make_dir_at(state_fd, DIRECTORY, 0700);

	if (r < 0)
		return failure_set(
			why, r, STAGE, "cannot make the directory %s/" DIRECTORY, state_dir);
	fd = openat(state_fd, DIRECTORY, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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

static void record_recovery(struct audit *audit)
{
	uint64_t cut_bytes = audit->segments.cut_bytes;
	size_t shown = cut_bytes < CUT_SHOWN_MAX ? (size_t)cut_bytes : CUT_SHOWN_MAX;
	char cut[CUT_SHOWN_MAX];
	json_t *body = json_object();

	if (segment_read_at(audit->segments.fd, cut, shown,
		    segments_newest(&audit->segments)->size_bytes) < 0)
		shown = 0;
	json_object_set_new(body, "cut_bytes", json_integer((json_int_t)cut_bytes));
	json_object_set_new(body, "cut_text", audit_text(cut, shown));
	audit_record(audit, "audit.recovered", NULL, body);
}

static void on_round_end(struct loop_source *source, void *userdata)
{
	struct audit *audit = userdata;

	(void)source;
	audit->round_armed = false;
	if (audit_flush(audit) == 0 && audit->writable)
		audit_tell_losses(audit);
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

static int prepare(struct audit *audit, struct loop *loop, const struct audit_config *config,
	struct failure *why)
{
	int r = open_directory(config->state_dir, &audit->dir_fd, why);

	if (r == 0)
		r = segments_open(audit->dir_fd, &audit->segments, why);
	if (r < 0)
		return r;
	audit->segment_bytes = config->segment_bytes ? config->segment_bytes : AUDIT_SEGMENT_BYTES;
	audit->segment_age_ns =
		config->segment_age_ns ? config->segment_age_ns : AUDIT_SEGMENT_AGE_NS;
	audit->sequence = audit->segments.last;
	audit->torn = audit->segments.cut_bytes > 0;
	r = audit_index_init(&audit->index, audit->sequence);
	if (r == 0)
		r = loop_add_timer(loop, on_round_end, audit, &audit->round_timer);
	if (r == 0)
		r = loop_add_timer(loop, on_retry, audit, &audit->retry_timer);
	return r < 0 ? failure_set(why, r, STAGE, "no memory") : 0;
}

static void release(struct audit *audit)
{
	loop_source_free(audit->round_timer);
	loop_source_free(audit->retry_timer);
	audit_index_fini(&audit->index);
	json_line_fini(&audit->pending);
	segments_fini(&audit->segments);
	cleanup_close(&audit->dir_fd);
	free(audit);
}

int audit_open(struct loop *loop, const struct audit_config *config, struct audit **ret_audit,
	struct failure *why)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	int r;

	if (!audit)
		return failure_set(why, -ENOMEM, STAGE, "no memory");
	audit->dir_fd = -1;
	audit->segments = (struct segments){.dir_fd = -1, .fd = -1, .reading_fd = -1};
	audit->writable = true;
	r = prepare(audit, loop, config, why);
	if (r < 0) {
		release(audit);
		return r;
	}
	if (audit->torn)
		record_recovery(audit);
	*ret_audit = audit;
	return 0;
}

struct audit *audit_free(struct audit *audit)
{
	if (!audit)
		return NULL;
	audit_flush(audit);
	fdatasync(audit->segments.fd);
	release(audit);
	return NULL;
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
	return audit->writable;
}

void audit_set_listener(struct audit *audit, void (*listener)(void *userdata), void *userdata)
{
	audit->listener = listener;
	audit->listener_userdata = userdata;
}
