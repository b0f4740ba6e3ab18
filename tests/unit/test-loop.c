#include "tests/harness/check.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "supervisor/base/clock.h"
#include "supervisor/base/loop.h"

struct scene {
	struct loop *loop;
	struct loop_source *sources[16];
	int fds[16];
	int calls[16], order[64], n_calls;
	struct loop_source **victim; /* freed by the next callback */
	bool free_others;
	int signal;
	uint32_t events;
	uint64_t fired_ns;
};

static struct scene begin(void)
{
	struct scene scene = {.n_calls = 0};

	CHECK_INT(loop_new(&scene.loop), 0);
	return scene;
}

static void end(struct scene *scene)
{
	for (int i = 0; i < 16; i++)
		loop_source_free(scene->sources[i]);
	for (int i = 0; i < 16; i++)
		if (scene->fds[i] > 0)
			close(scene->fds[i]);
	loop_free(scene->loop);
}

static void note(struct scene *scene, struct loop_source *source)
{
	for (int i = 0; i < 16; i++) {
		if (!source || scene->sources[i] != source)
			continue;
		scene->calls[i]++;
		if (scene->n_calls < 64)
			scene->order[scene->n_calls] = i;
	}
	scene->n_calls++;
	for (int i = 0; scene->free_others && i < 16; i++)
		if (scene->sources[i] != source)
			scene->sources[i] = loop_source_free(scene->sources[i]);
	if (scene->victim) {
		struct loop_source **victim = scene->victim;

		scene->victim = NULL;
		*victim = loop_source_free(*victim);
	}
}

static void on_fd(struct loop_source *source, uint32_t events, void *userdata)
{
	struct scene *scene = userdata;

	scene->events = events;
	note(scene, source);
}

static void on_timer(struct loop_source *source, void *userdata)
{
	struct scene *scene = userdata;

	scene->fired_ns = clock_monotonic_ns();
	note(scene, source);
}

static void on_signal(struct loop_source *source, int signal, void *userdata)
{
	struct scene *scene = userdata;

	scene->signal = signal;
	note(scene, source);
}

/* Readable from the start. */
static void add_ready_fd(struct scene *scene, int i)
{
	scene->fds[i] = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(scene->fds[i] > 0);
	CHECK_INT(
		loop_add_fd(scene->loop, scene->fds[i], EPOLLIN, on_fd, scene, &scene->sources[i]),
		0);
}

static void add_timer(struct scene *scene, int i)
{
	CHECK_INT(loop_add_timer(scene->loop, on_timer, scene, &scene->sources[i]), 0);
}

TEST(loop_calls_for_a_ready_descriptor)
{
	struct scene scene = begin();
	uint64_t value;

	add_ready_fd(&scene, 0);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.calls[0], 1);
	CHECK_INT(scene.events, EPOLLIN);
	CHECK_INT(read(scene.fds[0], &value, sizeof(value)), sizeof(value));
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.calls[0], 1);
	end(&scene);
}

TEST(loop_watches_for_the_events_asked_last)
{
	struct scene scene = begin();

	add_ready_fd(&scene, 0);
	CHECK_INT(loop_source_set_events(scene.sources[0], 0), 0);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.calls[0], 0);
	CHECK_INT(loop_source_set_events(scene.sources[0], EPOLLIN | EPOLLOUT), 0);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.events, EPOLLIN | EPOLLOUT);
	end(&scene);
}

TEST(loop_refuses_a_descriptor_that_cannot_be_watched)
{
	struct scene scene = begin();

	CHECK_INT(loop_add_fd(scene.loop, -1, EPOLLIN, on_fd, &scene, &scene.sources[0]), -EBADF);
	CHECK(scene.sources[0] == NULL);
	end(&scene);
}

TEST(loop_calls_no_source_that_was_freed_before)
{
	struct scene scene = begin();

	add_ready_fd(&scene, 0);
	scene.sources[0] = loop_source_free(scene.sources[0]);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.n_calls, 0);
	end(&scene);
}

TEST(loop_source_may_free_itself_in_its_callback)
{
	struct scene scene = begin();

	add_ready_fd(&scene, 0);
	scene.victim = &scene.sources[0];
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.n_calls, 1);
	end(&scene);
}

/* Eight are ready in one round. Whichever comes first frees the others, and epoll has handed them
 * out by then: none of them may be called. */
TEST(loop_calls_none_that_were_freed_earlier_in_the_round)
{
	struct scene scene = begin();

	for (int i = 0; i < 8; i++)
		add_ready_fd(&scene, i);
	scene.free_others = true;
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.n_calls, 1);
	scene.free_others = false;
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.n_calls, 2);
	CHECK_INT(scene.order[0], scene.order[1]);
	end(&scene);
}

TEST(loop_fires_timers_in_the_order_of_their_due_times)
{
	struct scene scene = begin();
	static const int delays[] = {9, 1, 5, 3, 7, 2, 8, 4, 6, 0};

	for (int i = 0; i < 10; i++) {
		add_timer(&scene, i);
		CHECK_INT(loop_timer_arm(scene.sources[i], (uint64_t)delays[i] * 2, 0), 0);
	}
	while (scene.n_calls < 10)
		CHECK_INT(loop_run_once(scene.loop, 1000), 0);
	for (int i = 0; i < 10; i++)
		CHECK_INT(delays[scene.order[i]], i);
	end(&scene);
}

TEST(loop_timer_does_not_fire_before_its_time_and_fires_once)
{
	struct scene scene = begin();
	uint64_t start_ns = clock_monotonic_ns();

	add_timer(&scene, 0);
	CHECK_INT(loop_timer_arm(scene.sources[0], 5, 0), 0);
	while (scene.n_calls == 0)
		CHECK_INT(loop_run_once(scene.loop, 1000), 0);
	CHECK(scene.fired_ns - start_ns >= 5 * NS_PER_MS);
	CHECK_INT(loop_run_once(scene.loop, 10), 0);
	CHECK_INT(scene.n_calls, 1);
	end(&scene);
}

TEST(loop_timer_with_a_period_fires_again_until_disarmed)
{
	struct scene scene = begin();

	add_timer(&scene, 0);
	CHECK_INT(loop_timer_arm(scene.sources[0], 0, 1), 0);
	while (scene.n_calls < 5)
		CHECK_INT(loop_run_once(scene.loop, 1000), 0);
	loop_timer_disarm(scene.sources[0]);
	loop_timer_disarm(scene.sources[0]);
	scene.n_calls = 0;
	CHECK_INT(loop_run_once(scene.loop, 5), 0);
	CHECK_INT(scene.n_calls, 0);
	end(&scene);
}

TEST(loop_timer_armed_again_forgets_its_earlier_time)
{
	struct scene scene = begin();

	add_timer(&scene, 0);
	add_timer(&scene, 1);
	CHECK_INT(loop_timer_arm(scene.sources[0], 1, 0), 0);
	CHECK_INT(loop_timer_arm(scene.sources[1], 10, 0), 0);
	CHECK_INT(loop_timer_arm(scene.sources[0], 60000, 0), 0);
	while (scene.n_calls == 0)
		CHECK_INT(loop_run_once(scene.loop, 1000), 0);
	CHECK_INT(scene.calls[1], 1);
	CHECK_INT(scene.calls[0], 0);
	end(&scene);
}

TEST(loop_timer_may_free_itself_or_another_in_its_callback)
{
	struct scene scene = begin();

	add_timer(&scene, 0);
	add_timer(&scene, 1);
	CHECK_INT(loop_timer_arm(scene.sources[0], 0, 1), 0);
	scene.victim = &scene.sources[0];
	CHECK_INT(loop_run_once(scene.loop, 100), 0);
	CHECK_INT(scene.n_calls, 1);
	CHECK_INT(loop_timer_arm(scene.sources[1], 1, 0), 0);
	add_timer(&scene, 2);
	CHECK_INT(loop_timer_arm(scene.sources[2], 0, 0), 0);
	scene.victim = &scene.sources[1];
	CHECK_INT(loop_run_once(scene.loop, 100), 0);
	CHECK_INT(loop_run_once(scene.loop, 5), 0);
	CHECK_INT(scene.calls[1], 0);
	CHECK_INT(scene.calls[2], 1);
	end(&scene);
}

TEST(loop_keeps_the_heap_in_order_when_timers_in_its_middle_go)
{
	struct scene scene = begin();

	for (int i = 0; i < 16; i++) {
		add_timer(&scene, i);
		CHECK_INT(loop_timer_arm(scene.sources[i], (uint64_t)(1 + (i * 7) % 16), 0), 0);
	}
	for (int i = 1; i < 16; i += 3)
		scene.sources[i] = loop_source_free(scene.sources[i]);
	for (int i = 2; i < 16; i += 6)
		loop_timer_disarm(scene.sources[i]);
	while (scene.n_calls < 8)
		CHECK_INT(loop_run_once(scene.loop, 1000), 0);
	for (int i = 1; i < 8; i++)
		CHECK((scene.order[i - 1] * 7) % 16 < (scene.order[i] * 7) % 16);
	CHECK_INT(loop_run_once(scene.loop, 2), 0);
	CHECK_INT(scene.n_calls, 8);
	end(&scene);
}

/* Armed in this order they lie in the heap as they are written. When 30 goes, 5 takes its place
 * below 20 and has to rise. */
TEST(loop_timer_that_takes_the_place_of_a_later_one_rises)
{
	static const int delays[] = {1, 10, 2, 20, 21, 3, 4, 30, 31, 32, 33, 40, 41, 5};
	struct scene scene = begin();

	for (int i = 0; i < 14; i++) {
		add_timer(&scene, i);
		CHECK_INT(loop_timer_arm(scene.sources[i], (uint64_t)delays[i], 0), 0);
	}
	loop_timer_disarm(scene.sources[7]);
	while (scene.n_calls < 13)
		CHECK_INT(loop_run_once(scene.loop, 1000), 0);
	for (int i = 1; i < 13; i++)
		CHECK(delays[scene.order[i - 1]] < delays[scene.order[i]]);
	end(&scene);
}

TEST(loop_delivers_a_signal_as_an_event)
{
	struct scene scene = begin();
	sigset_t before;

	sigprocmask(SIG_BLOCK, NULL, &before);
	CHECK_INT(loop_add_signal(scene.loop, SIGUSR1, on_signal, &scene, &scene.sources[0]), 0);
	CHECK_INT(raise(SIGUSR1), 0); /* would end the process if it were not blocked */
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK_INT(scene.signal, SIGUSR1);
	CHECK_INT(scene.calls[0], 1);
	CHECK_INT(raise(SIGUSR1), 0);
	scene.victim = &scene.sources[0];
	CHECK_INT(loop_run_once(scene.loop, 0), 0);
	CHECK(scene.sources[0] == NULL);
	end(&scene);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void stop(struct loop_source *source, void *userdata)
{
	struct scene *scene = userdata;

	note(scene, source);
	if (scene->n_calls == 3)
		loop_stop(scene->loop, 42);
}

TEST(loop_runs_until_it_is_stopped_and_returns_the_code)
{
	struct scene scene = begin();

	CHECK_INT(loop_add_timer(scene.loop, stop, &scene, &scene.sources[0]), 0);
	CHECK_INT(loop_timer_arm(scene.sources[0], 0, 1), 0);
	CHECK_INT(loop_run(scene.loop), 42);
	CHECK_INT(scene.n_calls, 3);
	end(&scene);
}

TEST(loop_of_nothing_waits_no_longer_than_asked)
{
	struct scene scene = begin();

	CHECK_INT(loop_run_once(scene.loop, 1), 0);
	end(&scene);
	CHECK(loop_free(NULL) == NULL);
	CHECK(loop_source_free(NULL) == NULL);
}
