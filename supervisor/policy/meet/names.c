/* Patterns of names are either nested or apart, so two rules meet in the narrower of the two or not
 * at all. Of the rules of one policy that are for a name and a port, the first decides; so the
 * meet's rules are in the order of the request, and those of one rule of the request in that of the
 * bound: then the first of them is the meet of the two that decide. */
#include "supervisor/policy/meet/meet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/ticket.h"
#include "supervisor/policy/network/name-index.h"

#define STAGE "meet of policies"

struct pair {
	size_t request, bound; /* places */
};

struct pairs {
	struct pair *pairs;
	size_t n, room;
};

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;

	if (left->request != right->request)
		return left->request > right->request ? 1 : -1;
	return (left->bound > right->bound) - (left->bound < right->bound);
}

static int add_pair(struct pairs *pairs, struct pair pair)
{
	if (pairs->n == pairs->room) {
		size_t room = pairs->room ? pairs->room * 2 : 16;
		void *larger = reallocarray(pairs->pairs, room, sizeof(*pairs->pairs));

		if (!larger)
			return -ENOMEM;
		pairs->pairs = larger;
		pairs->room = room;
	}
	pairs->pairs[pairs->n++] = pair;
	return 0;
}

/* Each rule of `inner` with those of `outer` around it; those for the same names only once, when
 * `is_request` says that `inner` is the request. */
static int pair_up(struct meeting *meeting, const struct name_index *inner,
	const struct name_index *outer, bool is_request, struct pairs *pairs)
{
	_cleanup_free_ size_t *around = calloc(outer->n + 1, sizeof(*around));
	int r = around ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < inner->n; i++) {
		size_t place = inner->places[i];
		const struct policy_rule *rule = &inner->policy->rules[place];
		size_t n = name_index_around(outer, rule, around);

		r = meet_count(meeting, n);
		for (size_t j = 0; r == 0 && j < n; j++) {
			if (is_request)
				r = add_pair(pairs, (struct pair){place, around[j]});
			else if (!name_same_pattern(rule, &outer->policy->rules[around[j]]))
				r = add_pair(pairs, (struct pair){around[j], place});
		}
	}
	return r;
}

/* The stricter of the two. */
static enum policy_tls meet_tls(enum policy_tls a, enum policy_tls b)
{
	if (a == POLICY_TLS_REQUIRE || b == POLICY_TLS_REQUIRE)
		return POLICY_TLS_REQUIRE;
	return a == b ? a : POLICY_TLS_EITHER;
}

/* Of two patterns, one in the other, the narrower: exact, or with the longer name. */
static const struct policy_rule *narrower(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->wildcard != b->wildcard)
		return a->wildcard ? b : a;
	return strlen(a->name) >= strlen(b->name) ? a : b;
}

static int meet_pair(struct meeting *meeting, struct pair pair)
{
	const struct policy_rule *request = &meeting->request->rules[pair.request],
				 *bound = &meeting->bound->rules[pair.bound],
				 *inner = narrower(request, bound);
	struct policy_rule rule = {.kind = POLICY_RULE_NAME,
		.name = inner->name,
		.wildcard = inner->wildcard,
		.is_private = request->is_private && bound->is_private,
		.tls = meet_tls(request->tls, bound->tls),
		.protocol = request->protocol,
		.id = request->id};

	if (request->protocol != bound->protocol)
		return 0;
	return meet_add(meeting, bound, request, &rule);
}

static int check_ranges(struct meeting *meeting)
{
	const struct policy_rule *rule, *pattern;
	char text[NAME_PATTERN_SIZE];
	struct name_index index;
	int r = name_index_init(&index, meeting->policy);

	if (r == 0)
		r = name_check_ranges(&index, SIZE_MAX, &rule, &pattern);
	name_index_fini(&index);
	if (r == -E2BIG)
		failure_set(meeting->why, r, STAGE,
			"\"%s\" and \"%s\" meet in more than %d ranges of ports for %.100s; make "
			"one of them simpler.",
			meeting->bound->name, meeting->request->name, ABI_TICKET_RANGES_MAX,
			name_pattern(pattern, text));
	return r;
}

int meet_names(struct meeting *meeting)
{
	struct name_index bound = {0}, request = {0};
	struct pairs pairs = {0};
	int r = name_index_init(&bound, meeting->bound);

	if (r == 0)
		r = name_index_init(&request, meeting->request);
	if (r == 0)
		r = pair_up(meeting, &request, &bound, true, &pairs);
	if (r == 0)
		r = pair_up(meeting, &bound, &request, false, &pairs);
	if (r == 0 && pairs.n > 0)
		qsort(pairs.pairs, pairs.n, sizeof(*pairs.pairs), compare_pairs);
	for (size_t i = 0; r == 0 && i < pairs.n; i++)
		r = meet_pair(meeting, pairs.pairs[i]);
	free(pairs.pairs);
	name_index_fini(&request);
	name_index_fini(&bound);
	return r < 0 ? r : check_ranges(meeting);
}
