/* One epoll, its file descriptors, timers and signals: the only place where a process of ours
 * waits.
 *
 * A source may free itself or any other source from inside a callback. Callbacks return nothing:
 * a callback that cannot go on ends its own peer, or stops the loop. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_source;

typedef void (*loop_fd_callback)(struct loop_source *source, uint32_t events, void *userdata);
typedef void (*loop_timer_callback)(struct loop_source *source, void *userdata);
typedef void (*loop_signal_callback)(struct loop_source *source, int signal, void *userdata);

/* Returns 0 or -errno. */
int loop_new(struct loop **ret_loop);
/* Every source must be gone before. Takes NULL, returns NULL. */
struct loop *loop_free(struct loop *loop);

/* Watches `fd` (borrowed: the caller closes it, after freeing the source) for `events` (EPOLLIN,
 * EPOLLOUT; errors and hang-ups always). Returns 0 or -errno. */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback callback,
	void *userdata, struct loop_source **ret_source);
int loop_source_set_events(struct loop_source *source, uint32_t events);

/* A timer that is not armed yet. Timers take no file descriptor. */
int loop_add_timer(struct loop *loop, loop_timer_callback callback, void *userdata,
	struct loop_source **ret_source);
/* Fires once after `delay_ms`, then every `period_ms` (0: once). Arming again replaces. */
int loop_timer_arm(struct loop_source *source, uint64_t delay_ms, uint64_t period_ms);
void loop_timer_disarm(struct loop_source *source);

/* Blocks `signal` for the process and delivers it as an event instead. */
int loop_add_signal(struct loop *loop, int signal, loop_signal_callback callback, void *userdata,
	struct loop_source **ret_source);

/* Takes NULL, returns NULL. */
struct loop_source *loop_source_free(struct loop_source *source);

/* A buffer of at least `size_bytes` that everybody in the loop shares: good until the callback
 * returns. The same one each time, so the largest size wins. NULL when memory is out. */
void *loop_scratch(struct loop *loop, size_t size_bytes);

/* Runs until loop_stop(); returns its code, or -errno if waiting failed. */
int loop_run(struct loop *loop);
/* Runs one round, waiting at most `timeout_ms` (-1: for ever). Returns 0 or -errno. For tests. */
int loop_run_once(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop, int code);
