#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit/log-file.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/fd.h"

#define STAGE "open audit log"
#define CUT_SHOWN_MAX 512 /* bytes of a cut line that its record repeats */

/* What the file held when it was opened. */
struct tail {
	uint64_t whole_bytes; /* to the end of the last whole line */
	uint64_t cut_bytes;   /* half a line after that */
	char cut[CUT_SHOWN_MAX];
	struct audit_facts last;
};

static int read_at(int fd, void *buffer, size_t size_bytes, uint64_t offset_bytes)
{
	char *next = buffer;

	while (size_bytes > 0) {
		ssize_t n = pread(fd, next, size_bytes, (off_t)offset_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		next += n;
		offset_bytes += (uint64_t)n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

/* Finds the last line feed before `end_bytes`; `*ret_offset_bytes` is the byte after it, 0 if none.
 */
static int find_line_start(int fd, uint64_t end_bytes, uint64_t *ret_offset_bytes)
{
	char chunk[4096];

	while (end_bytes > 0) {
		size_t size_bytes = end_bytes < sizeof(chunk) ? (size_t)end_bytes : sizeof(chunk);
		const char *found;
		int r = read_at(fd, chunk, size_bytes, end_bytes - size_bytes);

		if (r < 0)
			return r;
		found = memrchr(chunk, '\n', size_bytes);
		if (found) {
			*ret_offset_bytes = end_bytes - size_bytes + (uint64_t)(found - chunk) + 1;
			return 0;
		}
		end_bytes -= size_bytes;
	}
	*ret_offset_bytes = 0;
	return 0;
}

static int read_last_line(int fd, struct tail *tail)
{
	_cleanup_free_ char *line = NULL;
	uint64_t start_bytes, size_bytes;
	int r = find_line_start(fd, tail->whole_bytes - 1, &start_bytes);

	if (r < 0)
		return r;
	size_bytes = tail->whole_bytes - start_bytes;
	if (size_bytes > AUDIT_LINE_MAX)
		return -EBADMSG;
	line = malloc(size_bytes);
	if (!line)
		return -ENOMEM;
	r = read_at(fd, line, size_bytes, start_bytes);
	if (r < 0)
		return r;
	return audit_line_parse(line, size_bytes, &tail->last) ? 0 : -EBADMSG;
}

static int read_tail(int fd, struct tail *tail)
{
	struct stat info;
	int r;

	if (fstat(fd, &info) < 0)
		return -errno;
	r = find_line_start(fd, (uint64_t)info.st_size, &tail->whole_bytes);
	if (r < 0)
		return r;
	tail->cut_bytes = (uint64_t)info.st_size - tail->whole_bytes;
	if (tail->cut_bytes > 0) {
		size_t shown =
			tail->cut_bytes < sizeof(tail->cut) ? tail->cut_bytes : sizeof(tail->cut);

		r = read_at(fd, tail->cut, shown, tail->whole_bytes);
		if (r < 0)
			return r;
	}
	return tail->whole_bytes > 0 ? read_last_line(fd, tail) : 0;
}

static int open_file(const char *directory, int *ret_fd, struct failure *why)
{
	_cleanup_close_ int dir_fd = -1, fd = -1;
	int r = fd_make_dir_at(AT_FDCWD, directory, 0700);

	if (r < 0)
		return failure_set(why, r, STAGE, "cannot make the directory %s", directory);
	dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return failure_set(why, -errno, STAGE, "cannot open the directory %s", directory);
	fd = openat(dir_fd, AUDIT_FILE, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failure_set(
			why, -errno, STAGE, "cannot open %s/" AUDIT_FILE " for writing", directory);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return failure_set(why, errno == EWOULDBLOCK ? -EBUSY : -errno, STAGE,
			"another cloched writes %s/" AUDIT_FILE "; end it first", directory);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static void record_recovery(struct audit *audit, const struct tail *tail)
{
	size_t shown = tail->cut_bytes < sizeof(tail->cut) ? tail->cut_bytes : sizeof(tail->cut);
	json_t *body = json_object();

	json_object_set_new(body, "cut_bytes", json_integer((json_int_t)tail->cut_bytes));
	json_object_set_new(body, "cut_text", audit_text(tail->cut, shown));
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

static int prepare(struct audit *audit, struct loop *loop, const char *directory, struct tail *tail,
	struct failure *why)
{
	int r = open_file(directory, &audit->fd, why);

	if (r < 0)
		return r;
	r = read_tail(audit->fd, tail);
	if (r == -EBADMSG)
		return failure_set(why, r, STAGE,
			"the last line of %s/" AUDIT_FILE
			" is no audit record; move the file away to "
			"begin a new log",
			directory);
	if (r < 0)
		return failure_set(why, r, STAGE, "cannot read %s/" AUDIT_FILE, directory);
	audit->sequence = tail->last.sequence;
	audit->size_bytes = tail->whole_bytes;
	audit->torn = tail->cut_bytes > 0;
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
	if (audit->fd >= 0)
		close(audit->fd);
	free(audit);
}

int audit_open(
	struct loop *loop, const char *directory, struct audit **ret_audit, struct failure *why)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	struct tail tail = {};
	int r;

	if (!audit)
		return failure_set(why, -ENOMEM, STAGE, "no memory");
	audit->fd = -1;
	audit->writable = true;
	r = prepare(audit, loop, directory, &tail, why);
	if (r < 0) {
		release(audit);
		return r;
	}
	if (tail.cut_bytes > 0)
		record_recovery(audit, &tail);
	*ret_audit = audit;
	return 0;
}

struct audit *audit_free(struct audit *audit)
{
	if (!audit)
		return NULL;
	audit_flush(audit);
	fdatasync(audit->fd);
	release(audit);
	return NULL;
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
