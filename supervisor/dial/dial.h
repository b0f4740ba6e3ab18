/* Connecting to whichever address of a name answers first (RFC 8305, "Happy Eyeballs"): families
 * alternate, IPv6 first; the next address is tried when the one before failed, or did not answer
 * within a quarter of a second; the first connection that stands wins. Those that had not answered
 * when another one did are tried last for a while: a family that leads nowhere costs its quarter of
 * a second once, not at each connection. */
#pragma once

#include <stddef.h>

#include "bpf/abi/types.h"
#include "supervisor/base/loop.h"
#include "supervisor/dial/memory.h"

#define DIAL_ADDRESSES_MAX 6 /* of those given, the first after sorting are tried */
#define DIAL_STAGGER_MS 250

struct dial;

/* Called once, never from inside dial_start(); `dial` is freed before. `fd` is a connected,
 * non-blocking socket that is the callee's now, or the -errno of the address that failed last.
 * `address` is the one that is connected to, or that failed first. */
typedef void (*dial_callback)(void *userdata, int fd, const struct abi_address *address);

struct dial_config {
	/* Makes a non-blocking stream socket and begins connect(2). Returns it or -errno. */
	int (*connect)(void *userdata, const struct abi_address *address);
	void *connect_userdata;
	dial_callback done;
	void *userdata;
	size_t *n_fds;              /* counts the open sockets, may be shared */
	struct dial_memory *memory; /* NULL: none */
};

/* `n_addresses` at least 1. There is no time limit but the kernel's: free it. Returns 0, -EINVAL,
 * -ENOMEM. */
int dial_start(struct loop *loop, const struct dial_config *config,
	const struct abi_address *addresses, size_t n_addresses, struct dial **ret_dial);
/* The callback will not be called. Takes NULL, returns NULL. */
struct dial *dial_free(struct dial *dial);
