#include "supervisor/policy/network/name-index.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/ticket.h"

const char *name_pattern(const struct policy_rule *rule, char ret_text[NAME_PATTERN_SIZE])
{
	snprintf(ret_text, NAME_PATTERN_SIZE, "%s%s", rule->wildcard ? "*." : "", rule->name);
	return ret_text;
}

bool name_same_pattern(const struct policy_rule *a, const struct policy_rule *b)
{
	return a->wildcard == b->wildcard && strcmp(a->name, b->name) == 0;
}

/* By name, exact ones before wildcards, then by place. */
static int compare_places(const void *a, const void *b, void *policy)
{
	const struct policy_rule *rules = ((const struct policy *)policy)->rules;
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	int order = strcmp(rules[left].name, rules[right].name);

	if (order == 0)
		order = rules[left].wildcard - rules[right].wildcard;
	return order ? order : (left > right) - (left < right);
}

int name_index_init(struct name_index *index, const struct policy *policy)
{
	*index = (struct name_index){.policy = policy};
	index->places = calloc(policy->n_rules + 1, sizeof(*index->places));
	if (!index->places)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind == POLICY_RULE_NAME)
			index->places[index->n++] = i;
	qsort_r(index->places, index->n, sizeof(*index->places), compare_places, (void *)policy);
	return 0;
}

void name_index_fini(struct name_index *index)
{
	free(index->places);
}

static const struct policy_rule *rule_at(const struct name_index *index, size_t i)
{
	return &index->policy->rules[index->places[i]];
}

/* The first that is not before (name, wildcard). */
static size_t find(const struct name_index *index, const char *name, bool wildcard)
{
	size_t from = 0, to = index->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		const struct policy_rule *rule = rule_at(index, middle);
		int order = strcmp(rule->name, name);

		if (order < 0 || (order == 0 && rule->wildcard < wildcard))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static size_t add_same(const struct name_index *index, const char *name, bool wildcard,
	size_t *ret_places, size_t n)
{
	for (size_t i = find(index, name, wildcard); i < index->n; i++) {
		const struct policy_rule *rule = rule_at(index, i);

		if (rule->wildcard != wildcard || strcmp(rule->name, name) != 0)
			break;
		ret_places[n++] = index->places[i];
	}
	return n;
}

static int compare_numbers(const void *a, const void *b)
{
	size_t left = *(const size_t *)a, right = *(const size_t *)b;

	return (left > right) - (left < right);
}

size_t name_index_around(
	const struct name_index *index, const struct policy_rule *pattern, size_t *ret_places)
{
	size_t n = add_same(index, pattern->name, pattern->wildcard, ret_places, 0);

	for (const char *dot = strchr(pattern->name, '.'); dot; dot = strchr(dot + 1, '.'))
		n = add_same(index, dot + 1, true, ret_places, n);
	qsort(ret_places, n, sizeof(*ret_places), compare_numbers);
	return n;
}

size_t name_index_ranges(const struct name_index *index, const char *name, size_t *places,
	struct policy_name_range *ret_ranges, size_t n_max)
{
	const struct policy_rule exact = {.kind = POLICY_RULE_NAME, .name = (char *)name};
	size_t n_places = name_is_host(name) ? name_index_around(index, &exact, places) : 0, n = 0;

	for (size_t i = 0; i < n_places; i++)
		if (!name_overlay(ret_ranges, &n, n_max, &index->policy->rules[places[i]]))
			break;
	return n;
}

static const struct policy_rule *find_too_many(const struct name_index *index,
	const struct policy_rule *pattern, size_t n_same_max, size_t *places)
{
	struct policy_name_range ranges[ABI_TICKET_RANGES_MAX];
	size_t n = name_index_around(index, pattern, places), n_ranges = 0, n_same = 0;

	for (size_t i = 0; i < n; i++) {
		const struct policy_rule *rule = &index->policy->rules[places[i]];

		if (name_same_pattern(rule, pattern) && ++n_same > n_same_max)
			return rule;
		if (!name_overlay(ranges, &n_ranges, ABI_TICKET_RANGES_MAX, rule))
			return rule;
	}
	return NULL;
}

int name_check_ranges(const struct name_index *index, size_t n_same_max,
	const struct policy_rule **ret_rule, const struct policy_rule **ret_pattern)
{
	size_t *places = calloc(index->n + 1, sizeof(*places));
	const struct policy_rule *rule = NULL;

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; !rule && i < index->n; i++) {
		if (i > 0 && name_same_pattern(rule_at(index, i - 1), rule_at(index, i)))
			continue;
		rule = find_too_many(index, rule_at(index, i), n_same_max, places);
		if (rule) {
			*ret_rule = rule;
			*ret_pattern = rule_at(index, i);
		}
	}
	free(places);
	return rule ? -E2BIG : 0;
}

/* A port that both rules have and treat differently; 0 if there is none. */
static uint16_t port_in_dispute(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->tls == b->tls && a->is_private == b->is_private)
		return 0;
	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t j = 0; j < b->n_ports; j++) {
			const struct policy_ports *left = &a->ports[i], *right = &b->ports[j];

			if (left->first <= right->last && right->first <= left->last)
				return left->first > right->first ? left->first : right->first;
		}
	return 0;
}

int name_find_hidden(const struct name_index *index, const struct policy_rule **ret_rule,
	const struct policy_rule **ret_earlier, uint16_t *ret_port)
{
	size_t *places = calloc(index->n + 1, sizeof(*places));
	uint16_t port = 0;

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; port == 0 && i < index->n; i++) {
		const struct policy_rule *rule = rule_at(index, i);
		size_t n = name_index_around(index, rule, places);

		for (size_t j = 0; port == 0 && j < n && places[j] < index->places[i]; j++) {
			*ret_rule = rule;
			*ret_earlier = &index->policy->rules[places[j]];
			port = port_in_dispute(rule, *ret_earlier);
		}
	}
	free(places);
	*ret_port = port;
	return port != 0;
}
