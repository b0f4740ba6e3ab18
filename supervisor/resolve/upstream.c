/* A lookup is one name in flight: a leg for each family, and the queries that wait for it. What the
 * cache knows, a leg has from the start; a lookup that knows all ends in the next round of the
 * loop, as every other does from a callback of its own. */
#include "supervisor/resolve/upstream.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/base/clock.h"
#include "supervisor/resolve/ask.h"
#include "supervisor/resolve/cache.h"
#include "supervisor/resolve/question.h"

#define GRACE_MS 250 /* for the slower family, once the other has an address */
#define N_LEGS 2

_Static_assert(N_LEGS *REPLY_ADDRESSES_MAX == UPSTREAM_ADDRESSES_MAX, "half for each family");

static const uint16_t leg_types[N_LEGS] = {QUESTION_AAAA, QUESTION_A};

struct leg {
	struct ask *ask; /* NULL once `answer` is in */
	struct reply_answer answer;
};

TAILQ_HEAD(query_list, upstream_query);
TAILQ_HEAD(lookup_list, lookup);

struct lookup {
	struct upstream *upstream; /* NULL once it is no longer in its list */
	TAILQ_ENTRY(lookup) in_upstream;
	struct query_list queries;
	struct leg legs[N_LEGS];
	struct loop_source *timer; /* the grace, or the next round */
	bool ending; /* callbacks are being called: nobody joins, and end_lookup() frees it */
	char name[QUESTION_NAME_SIZE];
};

struct upstream_query {
	struct lookup *lookup;
	TAILQ_ENTRY(upstream_query) in_lookup;
	upstream_callback callback;
	void *userdata;
};

struct upstream {
	struct loop *loop;
	struct wire_gate_resolver resolvers[WIRE_GATE_RESOLVERS_MAX];
	size_t n_resolvers;
	struct lookup_list lookups;
	size_t n_lookups, n_queries;
	struct cache *cache;
};

int upstream_new(struct loop *loop, const struct wire_gate_resolver *resolvers, size_t n_resolvers,
	struct upstream **ret_upstream)
{
	struct upstream *upstream;
	int r;

	if (n_resolvers > WIRE_GATE_RESOLVERS_MAX)
		return -E2BIG;
	upstream = calloc(1, sizeof(*upstream));
	if (!upstream)
		return -ENOMEM;
	r = cache_new(UPSTREAM_CACHE_MAX, &upstream->cache);
	if (r < 0) {
		free(upstream);
		return r;
	}
	TAILQ_INIT(&upstream->lookups);
	upstream->loop = loop;
	upstream->n_resolvers = n_resolvers;
	if (n_resolvers > 0)
		memcpy(upstream->resolvers, resolvers, n_resolvers * sizeof(*resolvers));
	*ret_upstream = upstream;
	return 0;
}

/* The query is the caller's then. */
static void detach(struct upstream_query *query)
{
	TAILQ_REMOVE(&query->lookup->queries, query, in_lookup);
	query->lookup->upstream->n_queries--;
}

static void lookup_free(struct lookup *lookup)
{
	struct upstream_query *query;

	while ((query = TAILQ_FIRST(&lookup->queries))) {
		detach(query);
		free(query);
	}
	for (size_t i = 0; i < N_LEGS; i++)
		lookup->legs[i].ask = ask_free(lookup->legs[i].ask);
	lookup->timer = loop_source_free(lookup->timer);
	TAILQ_REMOVE(&lookup->upstream->lookups, lookup, in_upstream);
	lookup->upstream->n_lookups--;
	lookup->upstream = NULL;
	if (!lookup->ending)
		free(lookup);
}

struct upstream *upstream_free(struct upstream *upstream)
{
	if (!upstream)
		return NULL;
	while (!TAILQ_EMPTY(&upstream->lookups))
		lookup_free(TAILQ_FIRST(&upstream->lookups));
	cache_free(upstream->cache);
	free(upstream);
	return NULL;
}

static void keep(struct lookup *lookup, size_t leg)
{
	cache_put(lookup->upstream->cache, lookup->name, leg_types[leg], &lookup->legs[leg].answer,
		clock_monotonic_ns());
}

/* A family that is later than the grace counts as without addresses for a while, so that a resolver
 * that drops questions of one type does not delay every connection. */
static void give_up_late_legs(struct lookup *lookup)
{
	for (size_t i = 0; i < N_LEGS; i++) {
		struct leg *leg = &lookup->legs[i];

		if (!leg->ask)
			continue;
		leg->ask = ask_free(leg->ask);
		leg->answer = (struct reply_answer){
			.error = -ETIMEDOUT, .ttl_seconds = REPLY_TTL_NEGATIVE_SECONDS};
		keep(lookup, i);
	}
}

/* Why there is no address. That a resolver failed says less than that there is nothing, but a name
 * must not be called absent while one family is unknown. */
static int error_of(const struct lookup *lookup)
{
	int error = -ENODATA;

	for (size_t i = 0; i < N_LEGS; i++) {
		int e = lookup->legs[i].answer.error;

		if (e != -ENODATA && e != -ENOENT)
			return e;
		if (e == -ENOENT)
			error = e;
	}
	return error;
}

/* Calls all who wait, then frees the lookup. A callback may free the upstream, which empties it. */
static void end_lookup(struct lookup *lookup)
{
	struct abi_address addresses[UPSTREAM_ADDRESSES_MAX];
	size_t n_addresses = 0;
	int error;

	give_up_late_legs(lookup);
	loop_timer_disarm(lookup->timer);
	for (size_t i = 0; i < N_LEGS; i++) {
		const struct reply_answer *answer = &lookup->legs[i].answer;

		memcpy(&addresses[n_addresses], answer->addresses,
			answer->n_addresses * sizeof(answer->addresses[0]));
		n_addresses += answer->n_addresses;
	}
	error = n_addresses > 0 ? 0 : error_of(lookup);
	lookup->ending = true;
	while (!TAILQ_EMPTY(&lookup->queries)) {
		_cleanup_free_ struct upstream_query *query = TAILQ_FIRST(&lookup->queries);

		detach(query);
		query->callback(query, error, addresses, n_addresses, query->userdata);
	}
	lookup->ending = false;
	if (lookup->upstream)
		lookup_free(lookup);
	else
		free(lookup);
}

static void on_timer(struct loop_source *source _unused_, void *userdata)
{
	end_lookup(userdata);
}

static bool is_complete(const struct lookup *lookup)
{
	for (size_t i = 0; i < N_LEGS; i++)
		if (lookup->legs[i].ask)
			return false;
	return true;
}

static void on_answer(struct ask *ask, const struct reply_answer *answer, void *userdata)
{
	struct lookup *lookup = userdata;
	size_t leg = lookup->legs[0].ask == ask ? 0 : 1;

	lookup->legs[leg].answer = *answer;
	lookup->legs[leg].ask = ask_free(ask);
	keep(lookup, leg);
	if (is_complete(lookup))
		end_lookup(lookup);
	else if (answer->n_addresses > 0)
		loop_timer_arm(lookup->timer, GRACE_MS, 0);
}

/* Answers from the cache what it can, and asks for the rest. */
static int begin_legs(struct lookup *lookup)
{
	struct upstream *upstream = lookup->upstream;
	bool have_addresses = false;

	for (size_t i = 0; i < N_LEGS; i++) {
		struct leg *leg = &lookup->legs[i];
		const struct reply_answer *known = cache_get(
			upstream->cache, lookup->name, leg_types[i], clock_monotonic_ns());
		int r;

		if (known) {
			leg->answer = *known;
			have_addresses |= known->n_addresses > 0;
			continue;
		}
		r = ask_new(upstream->loop, upstream->resolvers, upstream->n_resolvers,
			lookup->name, leg_types[i], on_answer, lookup, &leg->ask);
		if (r < 0)
			return r;
	}
	if (is_complete(lookup))
		return loop_timer_arm(lookup->timer, 0, 0);
	return have_addresses ? loop_timer_arm(lookup->timer, GRACE_MS, 0) : 0;
}

static int lookup_new(struct upstream *upstream, const char *name, struct lookup **ret_lookup)
{
	struct lookup *lookup;
	int r;

	if (upstream->n_lookups >= UPSTREAM_LOOKUPS_MAX)
		return -EBUSY;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return -ENOMEM;
	r = loop_add_timer(upstream->loop, on_timer, lookup, &lookup->timer);
	if (r < 0) {
		free(lookup);
		return r;
	}
	lookup->upstream = upstream;
	memcpy(lookup->name, name, strlen(name) + 1);
	TAILQ_INIT(&lookup->queries);
	TAILQ_INSERT_TAIL(&upstream->lookups, lookup, in_upstream);
	upstream->n_lookups++;
	r = begin_legs(lookup);
	if (r < 0) {
		lookup_free(lookup);
		return r;
	}
	*ret_lookup = lookup;
	return 0;
}

static struct lookup *find(struct upstream *upstream, const char *name)
{
	struct lookup *lookup;

	TAILQ_FOREACH(lookup, &upstream->lookups, in_upstream)
	if (!lookup->ending && strcmp(lookup->name, name) == 0)
		return lookup;
	return NULL;
}

int upstream_resolve(struct upstream *upstream, const char *name, upstream_callback callback,
	void *userdata, struct upstream_query **ret_query)
{
	_cleanup_free_ struct upstream_query *query = NULL;
	struct lookup *lookup;
	int r;

	if (!reply_name_is_valid(name))
		return -EINVAL;
	if (upstream->n_queries >= UPSTREAM_QUERIES_MAX)
		return -EBUSY;
	query = calloc(1, sizeof(*query));
	if (!query)
		return -ENOMEM;
	lookup = find(upstream, name);
	if (!lookup) {
		r = lookup_new(upstream, name, &lookup);
		if (r < 0)
			return r;
	}
	query->lookup = lookup;
	query->callback = callback;
	query->userdata = userdata;
	TAILQ_INSERT_TAIL(&lookup->queries, query, in_lookup);
	upstream->n_queries++;
	*ret_query = steal_ptr(&query);
	return 0;
}

struct upstream_query *upstream_cancel(struct upstream_query *query)
{
	struct lookup *lookup;

	if (!query)
		return NULL;
	lookup = query->lookup;
	detach(query);
	free(query);
	/* One that is calling back frees itself when it is done. */
	if (TAILQ_EMPTY(&lookup->queries) && !lookup->ending)
		lookup_free(lookup);
	return NULL;
}
