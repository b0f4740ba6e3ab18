#include "supervisor/audit/segments/sync.h"

#include <assert.h>
#include <errno.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"

struct sync {
	aio_context_t context; /* 0: refused */
	int event_fd;
	struct loop_source *source;
	void (*done)(int error, void *userdata);
	void *userdata;
	bool busy;
	int fds[SYNC_FDS_MAX];
	size_t n_fds, n_left; /* submitted and not yet ended */
	int error;
};

static void finish(struct sync *sync)
{
	for (size_t i = 0; i < sync->n_fds; i++)
		close(sync->fds[i]);
	sync->n_fds = 0;
	sync->busy = false;
}

/* Takes in at least `n_min` results. */
static void collect(struct sync *sync, size_t n_min)
{
	struct io_event events[SYNC_FDS_MAX];
	struct timespec at_once = {0};
	long n;

	if (sync->n_left == 0)
		return;
	do
		n = syscall(SYS_io_getevents, sync->context, (long)n_min, (long)SYNC_FDS_MAX,
			events, n_min > 0 ? NULL : &at_once);
	while (n < 0 && errno == EINTR);
	if (n < 0) { /* cannot be: the context is ours */
		sync->error = -errno;
		n = (long)sync->n_left;
	} else {
		for (long i = 0; i < n; i++)
			if (events[i].res < 0 && sync->error == 0)
				sync->error = (int)events[i].res;
	}
	sync->n_left -= (size_t)n;
}

static void on_event(struct loop_source *source _unused_, uint32_t events _unused_, void *userdata)
{
	struct sync *sync = userdata;
	uint64_t count;

	if (read(sync->event_fd, &count, sizeof(count)) < 0 || !sync->busy)
		return;
	collect(sync, 0);
	if (sync->n_left > 0)
		return;
	finish(sync);
	sync->done(sync->error, sync->userdata);
}

int sync_new(struct loop *loop, void (*done)(int error, void *userdata), void *userdata,
	struct sync **ret_sync)
{
	struct sync *sync = calloc(1, sizeof(*sync));
	int r;

	if (!sync)
		return -ENOMEM;
	sync->done = done;
	sync->userdata = userdata;
	sync->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = sync->event_fd < 0 ? -errno : 0;
	if (r == 0)
		r = loop_add_fd(loop, sync->event_fd, EPOLLIN, on_event, sync, &sync->source);
	if (r < 0) {
		sync_free(sync);
		return r;
	}
	if (syscall(SYS_io_setup, SYNC_FDS_MAX, &sync->context) < 0)
		sync->context = 0;
	*ret_sync = sync;
	return 0;
}

struct sync *sync_free(struct sync *sync)
{
	if (!sync)
		return NULL;
	sync_wait(sync);
	if (sync->context)
		syscall(SYS_io_destroy, sync->context);
	loop_source_free(sync->source);
	cleanup_close(&sync->event_fd);
	free(sync);
	return NULL;
}

bool sync_is_busy(const struct sync *sync)
{
	return sync->busy;
}

static bool submit(struct sync *sync, int fd)
{
	struct iocb request = {
		.aio_lio_opcode = IOCB_CMD_FDSYNC,
		.aio_fildes = (uint32_t)fd,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)sync->event_fd,
	};
	struct iocb *requests[] = {&request};

	return sync->context && syscall(SYS_io_submit, sync->context, 1L, requests) == 1;
}

void sync_start(struct sync *sync, const int *fds, size_t n)
{
	const uint64_t one = 1;

	assert(!sync->busy && n <= SYNC_FDS_MAX);
	sync->busy = true;
	sync->error = 0;
	for (size_t i = 0; i < n; i++) {
		sync->fds[sync->n_fds++] = fds[i];
		if (submit(sync, fds[i]))
			sync->n_left++;
		else if (fdatasync(fds[i]) < 0 && sync->error == 0)
			sync->error = -errno;
	}
	if (sync->n_left == 0 && write(sync->event_fd, &one, sizeof(one)) < 0)
		sync->error = -errno;
}

int sync_wait(struct sync *sync)
{
	if (!sync->busy)
		return 0;
	while (sync->n_left > 0)
		collect(sync, sync->n_left);
	finish(sync);
	return sync->error;
}
