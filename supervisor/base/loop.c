/* Sources freed during a round are kept on a list until the round ends, because epoll may have
 * handed out their addresses already. Timers are a binary heap ordered by due time. */
#include "supervisor/base/loop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"

#define LOOP_EVENTS_PER_ROUND 64
#define NOT_IN_HEAP ((size_t)-1)

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNAL };

struct loop_source {
	struct loop *loop;
	enum source_kind kind;
	bool dead;
	int fd;
	union {
		loop_fd_callback fd_callback;
		loop_timer_callback timer_callback;
		loop_signal_callback signal_callback;
	};
	void *userdata;
	uint64_t due_ns, period_ns;
	size_t heap_index;
	struct loop_source *next_dead;
};

struct loop {
	int epoll_fd;
	bool stopping, in_round;
	int code;
	struct loop_source *dead;
	struct loop_source **heap;
	size_t n_heap, heap_room, n_timers;
	void *scratch;
	size_t scratch_size;
};

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return -errno;
	}
	*ret_loop = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	close(loop->epoll_fd);
	free(loop->heap);
	free(loop->scratch);
	free(loop);
	return NULL;
}

static struct loop_source *source_new(struct loop *loop, enum source_kind kind, void *userdata)
{
	struct loop_source *source = calloc(1, sizeof(*source));

	if (!source)
		return NULL;
	source->loop = loop;
	source->kind = kind;
	source->fd = -1;
	source->userdata = userdata;
	source->heap_index = NOT_IN_HEAP;
	return source;
}

static int watch(struct loop_source *source, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(source->loop->epoll_fd, operation, source->fd, &event) < 0 ? -errno : 0;
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback callback,
	void *userdata, struct loop_source **ret_source)
{
	struct loop_source *source = source_new(loop, SOURCE_FD, userdata);
	int r;

	if (!source)
		return -ENOMEM;
	source->fd = fd;
	source->fd_callback = callback;
	r = watch(source, EPOLL_CTL_ADD, events);
	if (r < 0) {
		free(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

int loop_source_set_events(struct loop_source *source, uint32_t events)
{
	return watch(source, EPOLL_CTL_MOD, events);
}

/* Room for every timer is reserved when it is made, so that arming cannot fail. */
static int heap_reserve(struct loop *loop, size_t wanted)
{
	struct loop_source **larger;
	size_t room = loop->heap_room ? loop->heap_room : 16;

	if (wanted <= loop->heap_room)
		return 0;
	while (room < wanted)
		room *= 2;
	larger = realloc(loop->heap, room * sizeof(struct loop_source *));
	if (!larger)
		return -ENOMEM;
	loop->heap = larger;
	loop->heap_room = room;
	return 0;
}

static void heap_place(struct loop *loop, size_t index, struct loop_source *source)
{
	loop->heap[index] = source;
	source->heap_index = index;
}

static void heap_up(struct loop *loop, size_t index, struct loop_source *source)
{
	while (index > 0 && loop->heap[(index - 1) / 2]->due_ns > source->due_ns) {
		heap_place(loop, index, loop->heap[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	heap_place(loop, index, source);
}

static void heap_down(struct loop *loop, size_t index, struct loop_source *source)
{
	for (;;) {
		size_t child = index * 2 + 1;

		if (child >= loop->n_heap)
			break;
		if (child + 1 < loop->n_heap &&
			loop->heap[child + 1]->due_ns < loop->heap[child]->due_ns)
			child++;
		if (loop->heap[child]->due_ns >= source->due_ns)
			break;
		heap_place(loop, index, loop->heap[child]);
		index = child;
	}
	heap_place(loop, index, source);
}

static void heap_remove(struct loop_source *source)
{
	struct loop *loop = source->loop;
	size_t index = source->heap_index;
	struct loop_source *last;

	if (index == NOT_IN_HEAP)
		return;
	source->heap_index = NOT_IN_HEAP;
	last = loop->heap[--loop->n_heap];
	if (last == source)
		return;
	heap_down(loop, index, last);
	heap_up(loop, last->heap_index, last);
}

int loop_add_timer(struct loop *loop, loop_timer_callback callback, void *userdata,
	struct loop_source **ret_source)
{
	struct loop_source *source;
	int r = heap_reserve(loop, loop->n_timers + 1);

	if (r < 0)
		return r;
	source = source_new(loop, SOURCE_TIMER, userdata);
	if (!source)
		return -ENOMEM;
	source->timer_callback = callback;
	loop->n_timers++;
	*ret_source = source;
	return 0;
}

int loop_timer_arm(struct loop_source *source, uint64_t delay_ms, uint64_t period_ms)
{
	struct loop *loop = source->loop;

	assert(source->kind == SOURCE_TIMER && !source->dead);
	heap_remove(source);
	source->due_ns = clock_monotonic_ns() + delay_ms * NS_PER_MS;
	source->period_ns = period_ms * NS_PER_MS;
	heap_up(loop, loop->n_heap++, source);
	return 0;
}

void loop_timer_disarm(struct loop_source *source)
{
	heap_remove(source);
}

int loop_add_signal(struct loop *loop, int signal, loop_signal_callback callback, void *userdata,
	struct loop_source **ret_source)
{
	struct loop_source *source;
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, signal);
	source = source_new(loop, SOURCE_SIGNAL, userdata);
	if (!source)
		return -ENOMEM;
	source->signal_callback = callback;
	sigprocmask(SIG_BLOCK, &set, NULL);
	source->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (source->fd < 0) {
		r = -errno;
		free(source);
		return r;
	}
	r = watch(source, EPOLL_CTL_ADD, EPOLLIN);
	if (r < 0) {
		close(source->fd);
		free(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

struct loop_source *loop_source_free(struct loop_source *source)
{
	struct loop *loop;

	if (!source)
		return NULL;
	loop = source->loop;
	assert(!source->dead);
	source->dead = true;
	if (source->kind == SOURCE_TIMER) {
		heap_remove(source);
		loop->n_timers--;
	} else {
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	}
	if (source->kind == SOURCE_SIGNAL)
		close(source->fd);
	if (loop->in_round) {
		source->next_dead = loop->dead;
		loop->dead = source;
	} else {
		free(source);
	}
	return NULL;
}

void *loop_scratch(struct loop *loop, size_t size_bytes)
{
	void *larger;

	if (size_bytes <= loop->scratch_size)
		return loop->scratch;
	larger = realloc(loop->scratch, size_bytes);
	if (!larger)
		return NULL;
	loop->scratch = larger;
	loop->scratch_size = size_bytes;
	return larger;
}

static void free_dead(struct loop *loop)
{
	while (loop->dead) {
		struct loop_source *source = loop->dead;

		loop->dead = source->next_dead;
		free(source);
	}
}

static void deliver_signals(struct loop_source *source)
{
	struct signalfd_siginfo info;

	while (!source->dead && read(source->fd, &info, sizeof(info)) == sizeof(info))
		source->signal_callback(source, (int)info.ssi_signo, source->userdata);
}

static void fire_timers(struct loop *loop)
{
	uint64_t now_ns = clock_monotonic_ns();

	while (loop->n_heap > 0 && loop->heap[0]->due_ns <= now_ns) {
		struct loop_source *source = loop->heap[0];

		heap_remove(source);
		if (source->period_ns) {
			source->due_ns = now_ns + source->period_ns;
			heap_up(loop, loop->n_heap++, source);
		}
		source->timer_callback(source, source->userdata);
	}
}

static int wait_time_ms(const struct loop *loop, int timeout_ms)
{
	uint64_t now_ns, left_ms;

	if (loop->n_heap == 0)
		return timeout_ms;
	now_ns = clock_monotonic_ns();
	if (loop->heap[0]->due_ns <= now_ns)
		return 0;
	left_ms = (loop->heap[0]->due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	if (left_ms > 3600 * 1000)
		left_ms = 3600 * 1000;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < left_ms ? timeout_ms : (int)left_ms;
}

int loop_run_once(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[LOOP_EVENTS_PER_ROUND];
	int n = epoll_wait(
		loop->epoll_fd, events, LOOP_EVENTS_PER_ROUND, wait_time_ms(loop, timeout_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	loop->in_round = true;
	for (int i = 0; i < n; i++) {
		struct loop_source *source = events[i].data.ptr;

		if (source->dead)
			continue;
		if (source->kind == SOURCE_SIGNAL)
			deliver_signals(source);
		else
			source->fd_callback(source, events[i].events, source->userdata);
	}
	fire_timers(loop);
	loop->in_round = false;
	free_dead(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	loop->stopping = false;
	while (!loop->stopping) {
		int r = loop_run_once(loop, -1);

		if (r < 0)
			return r;
	}
	return loop->code;
}

void loop_stop(struct loop *loop, int code)
{
	loop->stopping = true;
	loop->code = code;
}
