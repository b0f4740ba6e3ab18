/* POST requests under way: the room's use of libcurl, in our loop.
 *
 * libcurl never looks a name up: each transfer is given the address that it connects to, and a
 * socket to any other is refused. Redirects are not followed, cookies and proxies not used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/abi/types.h"
#include "supervisor/base/loop.h"

#define TRANSFER_ERROR_SIZE 160

struct transfers;
struct transfer;

struct transfer_result {
	long status;                     /* 0: no answer */
	uint64_t retry_after_seconds;    /* as the receiver says; 0: it does not */
	char error[TRANSFER_ERROR_SIZE]; /* why there is no answer; else empty */
};

/* Called once, never from inside transfer_start(); `transfer` is freed after it. */
typedef void (*transfer_callback)(const struct transfer_result *result, void *userdata);

struct transfer_config {
	const char *url; /* checked by url_parse() */
	struct abi_address address;
	uint16_t port;
	const char *const *headers; /* up to a NULL; copied */
	const char *body;           /* borrowed until the end */
	size_t body_size;
	transfer_callback done;
	void *userdata;
};

/* Before confinement: libcurl and OpenSSL read files when they start. `ca` (PEM, copied; may be
 * NULL: then no https receiver is trusted). 0 or -errno. */
int transfers_new(
	struct loop *loop, const char *ca, size_t ca_size, struct transfers **ret_transfers);
struct transfers *transfers_free(struct transfers *transfers);

/* 0 or -ENOMEM. */
int transfer_start(struct transfers *transfers, const struct transfer_config *config,
	struct transfer **ret_transfer);
/* Without a callback. Takes NULL, returns NULL. */
struct transfer *transfer_cancel(struct transfer *transfer);
