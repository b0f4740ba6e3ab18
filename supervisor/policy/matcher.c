/* Prefixes are sorted so that each comes right before those inside it, and each knows the next
 * wider one around it. The longest prefix that holds an address is then the last one that is not
 * behind the address, or one of those around that. */
#include "supervisor/policy/matcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/policy/network/prefix.h"

#define NOTHING_AROUND SIZE_MAX

struct exact_row {
	struct abi_exact_key key; /* `image` is 0 */
	uint32_t rule;
};

struct prefix_row {
	struct abi_cidr_key key;
	struct abi_cidr_value value;
	size_t around; /* place of the next wider prefix; NOTHING_AROUND: none */
};

struct policy_matcher {
	struct exact_row *exact;
	struct prefix_row *prefixes;
	size_t n_exact, n_prefixes;
};

static int compare_exact(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct abi_exact_key));
}

static int compare_prefixes(const void *a, const void *b)
{
	return prefix_compare(
		&((const struct prefix_row *)a)->key, &((const struct prefix_row *)b)->key);
}

static void find_around(struct policy_matcher *matcher)
{
	for (size_t i = 0; i < matcher->n_prefixes; i++) {
		struct prefix_row *rows = matcher->prefixes;
		size_t around = i > 0 ? i - 1 : NOTHING_AROUND;

		while (around != NOTHING_AROUND &&
			!prefix_contains(&rows[around].key, &rows[i].key))
			around = rows[around].around;
		rows[i].around = around;
	}
}

int policy_matcher_new(const struct policy_image *image, struct policy_matcher **ret_matcher)
{
	struct policy_matcher *matcher = calloc(1, sizeof(*matcher));

	if (!matcher)
		return -ENOMEM;
	matcher->exact = calloc(image->n_exact + 1, sizeof(*matcher->exact));
	matcher->prefixes = calloc(image->n_cidr + 1, sizeof(*matcher->prefixes));
	if (!matcher->exact || !matcher->prefixes) {
		policy_matcher_free(matcher);
		return -ENOMEM;
	}
	for (size_t i = 0; i < image->n_exact; i++) {
		matcher->exact[i] = (struct exact_row){image->exact_keys[i], image->exact_rules[i]};
		matcher->exact[i].key.image = 0;
	}
	for (size_t i = 0; i < image->n_cidr; i++)
		matcher->prefixes[i] = (struct prefix_row){
			image->cidr_keys[i], image->cidr_values[i], NOTHING_AROUND};
	matcher->n_exact = image->n_exact;
	matcher->n_prefixes = image->n_cidr;
	qsort(matcher->exact, matcher->n_exact, sizeof(*matcher->exact), compare_exact);
	qsort(matcher->prefixes, matcher->n_prefixes, sizeof(*matcher->prefixes), compare_prefixes);
	find_around(matcher);
	*ret_matcher = matcher;
	return 0;
}

struct policy_matcher *policy_matcher_free(struct policy_matcher *matcher)
{
	if (!matcher)
		return NULL;
	free(matcher->exact);
	free(matcher->prefixes);
	free(matcher);
	return NULL;
}

const struct abi_cidr_value *policy_matcher_longest(
	const struct policy_matcher *matcher, const struct abi_cidr_key *key)
{
	size_t from = 0, to = matcher->n_prefixes, at;

	/* The first that is behind it. */
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (prefix_compare(&matcher->prefixes[middle].key, key) <= 0)
			from = middle + 1;
		else
			to = middle;
	}
	at = from > 0 ? from - 1 : NOTHING_AROUND;
	while (at != NOTHING_AROUND && !prefix_contains(&matcher->prefixes[at].key, key))
		at = matcher->prefixes[at].around;
	return at == NOTHING_AROUND ? NULL : &matcher->prefixes[at].value;
}

uint16_t policy_matcher_find(const struct policy_matcher *matcher,
	const struct abi_address *address, uint16_t port, uint8_t protocol)
{
	const struct abi_exact_key key = {.address = *address, .port = port, .protocol = protocol};
	const struct exact_row *exact = bsearch(
		&key, matcher->exact, matcher->n_exact, sizeof(*matcher->exact), compare_exact);
	const struct abi_cidr_key whole = {128, *address};
	const struct abi_cidr_value *longest;

	if (exact)
		return exact->rule < ABI_RULE_NONE ? (uint16_t)exact->rule : ABI_RULE_NONE;
	longest = policy_matcher_longest(matcher, &whole);
	if (!longest)
		return ABI_RULE_NONE;
	return match_ranges(
		longest->ranges, longest->n_ranges, ABI_PORT_RANGES_MAX, protocol, port);
}

struct decide_verdict policy_judge(const struct policy_matcher *matcher,
	const struct abi_ticket *ticket, struct decide_facts *facts)
{
	facts->rule = ABI_RULE_NONE;
	if (decide_needs_ticket(facts)) {
		if (ticket)
			facts->rule = decide_ticket(ticket, facts);
	} else if (matcher && decide_needs_rule(facts)) {
		facts->rule =
			policy_matcher_find(matcher, &facts->address, facts->port, facts->protocol);
	}
	return decide_destination(facts);
}
