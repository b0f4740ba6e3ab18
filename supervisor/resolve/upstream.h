/* The real addresses of a name, from the host's resolvers: asynchronous, cached, bounded.
 *
 * Both families are asked at once. The answer is given when both are in, or 250 ms after the first
 * that has an address. Callers that ask for a name already in flight share the query. Addresses are
 * not vetted (see vet.h): whoever dials them vets them. */
#pragma once

#include <stddef.h>

#include "bpf/abi/types.h"
#include "supervisor/base/loop.h"
#include "supervisor/wire/gate.h"

#define UPSTREAM_ADDRESSES_MAX 16  /* of one name, at most half of either family */
#define UPSTREAM_LOOKUPS_MAX 512   /* names in flight, two sockets each at most */
#define UPSTREAM_QUERIES_MAX 16384 /* callers that wait */
#define UPSTREAM_CACHE_MAX 8192    /* answers kept */

struct upstream;
struct upstream_query;

/* Called once for each query that was not cancelled, never from inside upstream_resolve(); the
 * query is gone then, so forget `query` (upstream_cancel() must not be called with it any more).
 * `error` is 0 with n_addresses > 0 (valid during the call; IPv6 first, each family in the order of
 * the answer), or n_addresses is 0 and `error` is:
 *   -ENOENT       there is no such name
 *   -ENODATA      the name has no addresses
 *   -ETIMEDOUT    no resolver answered
 *   -EREMOTEIO    the resolvers answered that they cannot
 *   -ENETUNREACH, -ECONNREFUSED and other -errno: they cannot be reached
 * The callback may resolve, cancel other queries, and free the upstream. */
typedef void (*upstream_callback)(struct upstream_query *query, int error,
	const struct abi_address *addresses, size_t n_addresses, void *userdata);

/* Asks `resolvers` (copied, at most WIRE_GATE_RESOLVERS_MAX, tried in order; 0: every query ends
 * with -ENETUNREACH). Returns 0, -E2BIG or -ENOMEM. */
int upstream_new(struct loop *loop, const struct wire_gate_resolver *resolvers, size_t n_resolvers,
	struct upstream **ret_upstream);
/* Drops all queries without a callback. Takes NULL, returns NULL. */
struct upstream *upstream_free(struct upstream *upstream);

/* Asks for `name`: lower-case A-labels without a dot at the end, as in a ticket. Returns 0, -EINVAL
 * (no such name can be), -EBUSY (too much in flight) or another -errno. */
int upstream_resolve(struct upstream *upstream, const char *name, upstream_callback callback,
	void *userdata, struct upstream_query **ret_query);
/* The callback will not be called. Takes NULL, returns NULL. */
struct upstream_query *upstream_cancel(struct upstream_query *query);
