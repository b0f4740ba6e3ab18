/* Every name fares as one of the patterns that either policy has does, or as no rule is for it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/ticket.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/policy/diff/differ.h"
#include "supervisor/policy/network/name-index.h"
#include "supervisor/policy/network/port-set.h"

#define SIDES 2
/* What a connection to a name may be; each holds the ones before it. */
#define TERMS_TLS 3
#define TERMS 6 /* and each for private addresses too */

static const char *const terms_text[TERMS] = {"TLS", "plain HTTP", "whatever it is",
	"TLS, at private addresses", "plain HTTP, at private addresses",
	"whatever it is, at private addresses"};

/* For each of the terms, the ports on which it is allowed. */
struct fate {
	struct port_set ports[TERMS];
};

struct comparison {
	const struct differ *differ;
	struct name_index indices[SIDES];
	size_t *places; /* room for one look-up */
	struct fate fates[SIDES];
};

static unsigned int tls_level(enum policy_tls tls)
{
	switch (tls) {
	case POLICY_TLS_REQUIRE:
		return 0;
	case POLICY_TLS_EITHER:
		return 1;
	case POLICY_TLS_PASSTHROUGH:
		return 2;
	}
	return 0;
}

static void find_fate(struct comparison *comparison, size_t side, const struct policy_rule *pattern)
{
	const struct name_index *index = &comparison->indices[side];
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX];
	struct fate *fate = &comparison->fates[side];
	size_t n = name_index_around(index, pattern, comparison->places), n_ranges = 0;

	memset(fate, 0, sizeof(*fate));
	for (size_t i = 0; i < n; i++)
		name_overlay(ranges, &n_ranges, ABI_TICKET_RANGES_MAX,
			&index->policy->rules[comparison->places[i]]);
	for (size_t i = 0; i < n_ranges; i++) {
		unsigned int n_scopes = ranges[i].is_private ? 2 : 1;

		for (unsigned int scope = 0; scope < n_scopes; scope++)
			for (unsigned int tls = 0; tls <= tls_level(ranges[i].tls); tls++)
				port_set_add(&fate->ports[scope * TERMS_TLS + tls], ranges[i].first,
					ranges[i].last);
	}
}

static void compare(struct comparison *comparison, const struct policy_rule *pattern)
{
	char text[NAME_PATTERN_SIZE], what[NAME_PATTERN_SIZE + 48];

	find_fate(comparison, 0, pattern);
	find_fate(comparison, 1, pattern);
	name_pattern(pattern, text);
	for (size_t i = 0; i < TERMS; i++) {
		snprintf(what, sizeof(what), "%s for %s on", text, terms_text[i]);
		differ_report_ports(comparison->differ, "network", what,
			&comparison->fates[0].ports[i], &comparison->fates[1].ports[i]);
	}
}

static bool is_known(const struct comparison *comparison, const struct policy_rule *pattern)
{
	const struct name_index *before = &comparison->indices[0];
	size_t n = name_index_around(before, pattern, comparison->places);

	for (size_t i = 0; i < n; i++)
		if (name_same_pattern(&before->policy->rules[comparison->places[i]], pattern))
			return true;
	return false;
}

static void compare_all(struct comparison *comparison)
{
	for (size_t side = 0; side < SIDES; side++) {
		const struct name_index *index = &comparison->indices[side];

		for (size_t i = 0; i < index->n; i++) {
			const struct policy_rule *rules = index->policy->rules,
						 *rule = &rules[index->places[i]];

			if (i > 0 && name_same_pattern(&rules[index->places[i - 1]], rule))
				continue;
			if (side == 0 || !is_known(comparison, rule))
				compare(comparison, rule);
		}
	}
}

int diff_names(const struct differ *differ, struct failure *why)
{
	struct comparison *comparison = calloc(1, sizeof(*comparison));
	int r = comparison ? 0 : -ENOMEM;

	if (r == 0) {
		comparison->differ = differ;
		r = name_index_init(&comparison->indices[0], differ->before);
	}
	if (r == 0)
		r = name_index_init(&comparison->indices[1], differ->after);
	if (r == 0) {
		comparison->places = calloc(differ->before->n_rules + differ->after->n_rules + 1,
			sizeof(*comparison->places));
		r = comparison->places ? 0 : -ENOMEM;
	}
	if (r == 0)
		compare_all(comparison);
	if (comparison) {
		name_index_fini(&comparison->indices[0]);
		name_index_fini(&comparison->indices[1]);
		free(comparison->places);
		free(comparison);
	}
	return r < 0 ? failure_set(why, r, "compare policies", "There is no memory left.") : 0;
}
