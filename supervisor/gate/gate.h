/* The relay: takes connections from sandboxes and makes them anew from the host's network.
 *
 * A sandbox's program believes that it connected to, say, 203.0.113.7:443; the kernel led it to a
 * listening socket inside its own network namespace and wrote down where it meant to go. The gate
 * looks that up by the connecting end's address, connects there, and moves bytes both ways. What
 * the kernel did not write down is refused; what the sandbox sends is never read as anything but
 * bytes.
 *
 *   listener   one sandbox: its listening socket, its connections, whose turn it is
 *   flow       one connection, from accept to end
 *   relay      the bytes of one direction, with a pipe from `pipes` while they are on their way
 *   turns      who may move bytes next, so that no sandbox waits for another
 *
 * This header is what the messages (serve.h) and the tests see. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bpf/abi/flow.h"
#include "supervisor/base/loop.h"
#include "supervisor/wire/gate.h"

struct gate;

/* Fills `ret_flow` with what the kernel wrote down for the connecting end `key`. 0, or -ENOENT or
 * any other -errno: the connection is then refused. */
typedef int (*gate_lookup)(
	void *userdata, const struct abi_flow_key *key, struct abi_flow *ret_flow);
/* Told once for every connection, refused ones too. A negative answer means that nobody takes
 * reports now: the gate then accepts nothing for a moment. */
typedef int (*gate_report)(void *userdata, const struct wire_gate_flow *flow);

struct gate_config {
	struct wire_gate_config limits;
	size_t n_fds_max; /* descriptors that listeners, flows and pipes may use together */
	gate_lookup lookup;
	void *lookup_userdata;
	gate_report report;
	void *report_userdata;
	bool allow_loopback; /* the host's own loopback as destination: tests only, no message */
};

/* Copies `config`. Returns 0, -EINVAL (a limit is 0) or -ENOMEM. */
int gate_new(struct loop *loop, const struct gate_config *config, struct gate **ret_gate);
/* Resets every connection without a report. Takes NULL, returns NULL. */
struct gate *gate_free(struct gate *gate);

/* Serves connections to `listen_fd`, which is taken over, also on failure. Returns 0, -EEXIST,
 * -ENOSPC (descriptors), -ENOMEM or other -errno. */
int gate_open(struct gate *gate, uint64_t sandbox, uint64_t netns_cookie, int listen_fd);
/* Resets the sandbox's connections and closes its listening socket. Unknown: nothing. */
void gate_close(struct gate *gate, uint64_t sandbox);

void gate_count(const struct gate *gate, struct wire_gate_state *ret_state);
