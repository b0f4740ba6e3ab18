/* fdatasync(2) without waiting for it: a busy disk must not stop the loop.
 *
 * By the kernel's asynchronous I/O (IOCB_CMD_FDSYNC, since 4.18): a kernel worker waits, no thread
 * of ours. Where that is refused, the call blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/base/loop.h"

#define SYNC_FDS_MAX 16

struct sync;

/* `done` gets 0 or the first -errno, from the loop. Returns 0 or -errno. */
int sync_new(struct loop *loop, void (*done)(int error, void *userdata), void *userdata,
	struct sync **ret_sync);
/* Waits for what is under way; calls nothing. Takes NULL, returns NULL. */
struct sync *sync_free(struct sync *sync);

bool sync_is_busy(const struct sync *sync);
/* Begins; one at a time. Takes over the descriptors (at most SYNC_FDS_MAX) and closes them. */
void sync_start(struct sync *sync, const int *fds, size_t n);
/* Waits for what is under way and returns its result; `done` is not called for it. */
int sync_wait(struct sync *sync);
