/* A seqpacket socket in the loop: sends without blocking, receives whole messages.
 *
 * What cannot be sent at once is queued, up to a limit; a peer that lets the queue fill, closes, or
 * sends a frame with a wrong header, is given up: `closed` is called once and nothing more is. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/loop.h"
#include "supervisor/wire/frame.h"

struct channel;

struct channel_message {
	const struct wire_header *header; /* valid during the callback; version and size checked */
	const void *body;                 /* what follows the header, 8-byte aligned */
	size_t body_size;
	int fds[WIRE_FDS_MAX]; /* CLOEXEC; those left here (not -1) are closed after the callback */
	size_t n_fds;
};

/* Returns 0, or -EPROTO when the message breaks the protocol: the channel is then given up. The
 * callback may free the channel. */
typedef int (*channel_message_callback)(
	struct channel *channel, struct channel_message *message, void *userdata);
/* `reason`: 0 for an orderly end, -EPROTO, -ENOBUFS, other -errno. May free the channel. */
typedef void (*channel_closed_callback)(struct channel *channel, int reason, void *userdata);

/* Takes `fd` over, also on failure. Returns 0 or -errno. */
int channel_new(struct loop *loop, int fd, channel_message_callback received,
	channel_closed_callback closed, void *userdata, struct channel **ret_channel);
struct channel *channel_free(struct channel *channel);

/* Sends header, `body` and `tail` (may be NULL) as one message; `fds` are borrowed (duplicated when
 * queued). Returns 0 (sent or queued), -EMSGSIZE, -EPIPE when given up, -ENOBUFS, other -errno. */
int channel_send(struct channel *channel, uint16_t type, uint64_t cookie, const void *body,
	size_t body_size, const void *tail, size_t tail_size, const int *fds, size_t n_fds);

int channel_fd(const struct channel *channel);
