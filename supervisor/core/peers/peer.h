/* A process of ours beside cloched (cloche-api, cloche-gate): started unprivileged with one end of
 * a socket pair, watched, and started again when it ends or breaks the framing.
 *
 * Started again after 100 ms, doubling up to 5 s; from the beginning once one lived for 10 s. */
#pragma once

#include "supervisor/base/failure.h"
#include "supervisor/base/loop.h"
#include "supervisor/wire/channel.h"

#define PEER_FDS_MAX 8

struct peer;

/* A descriptor for the process, named on its command line: `option` "--listen-fd" and the number
 * under which the process has it. */
struct peer_fd {
	const char *option;
	int fd; /* borrowed; must stay open while the peer exists */
};

struct peer_config {
	const char *name;     /* argv[0], and in log lines */
	const char *program;  /* absolute path */
	const char *user;     /* name or number; NULL: stay who we are (for tests) */
	uint32_t fallback_id; /* uid and gid if there is no such user */
	struct peer_fd fds[PEER_FDS_MAX];
	size_t n_fds;
	/* As channel_message_callback. */
	int (*message)(struct peer *peer, struct channel_message *message, void *userdata);
	/* Runs, also after each restart, with a new channel: send the configuration. Not told for
	 * the first start when peer_start() fails. May call peer_stop(). */
	void (*up)(struct peer *peer, void *userdata);
	/* Gone: peer_channel() is NULL until `up`. Told once for each `up`. May call peer_stop().
	 */
	void (*down)(struct peer *peer, void *userdata);
	void *userdata;
};

/* Starts the process as `<program> --supervisor-fd 3 [<option> <fd>]…` and calls `up`. The strings
 * of `config` are borrowed until peer_stop(), `config` itself is copied. Returns 0 or -errno with
 * `why` when the first start fails; later ones are logged and tried again. */
int peer_start(struct loop *loop, const struct peer_config *config, struct peer **ret_peer,
	struct failure *why);
/* Ends the process at once and waits for it; calls nothing. Takes NULL, returns NULL. */
struct peer *peer_stop(struct peer *peer);

/* NULL while the process is not there. Borrowed until `down`. */
struct channel *peer_channel(const struct peer *peer);
/* 0 while the process is not there. */
pid_t peer_pid(const struct peer *peer);
