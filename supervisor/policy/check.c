#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/abi/ticket.h"
#include "supervisor/policy/compile.h"
#include "supervisor/policy/network/name-index.h"
#include "supervisor/policy/network/prefix.h"
#include "supervisor/policy/read/reader.h"

#define STAGE "read policy"

struct claim {
	const struct policy_rule *rule;
	struct policy_ports ports;
};

/* Equal for rules that are for the same addresses and protocol, or the same names. */
static int compare_targets(const struct policy_rule *a, const struct policy_rule *b)
{
	const struct abi_cidr_key left = prefix_of_rule(a), right = prefix_of_rule(b);
	int order = (int)a->kind - (int)b->kind;

	if (order == 0)
		order = (int)a->protocol - (int)b->protocol;
	if (order || a->kind == POLICY_RULE_CIDR)
		return order ? order : prefix_compare(&left, &right);
	order = strcmp(a->name, b->name);
	return order ? order : a->wildcard - b->wildcard;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	int order = compare_targets(left->rule, right->rule);

	if (order == 0)
		order = (int)left->ports.first - (int)right->ports.first;
	return order ? order : (int)left->rule->id - (int)right->rule->id;
}

static int refuse_twice(const struct policy_reader *reader, const struct policy_place *rules,
	const struct claim *one, const struct claim *other)
{
	const struct policy_rule *later = one->rule->id > other->rule->id ? one->rule : other->rule;
	const struct policy_rule *earlier = later == one->rule ? other->rule : one->rule;
	const struct abi_cidr_key prefix = prefix_of_rule(later);
	const struct policy_place place = {rules, NULL, later->id};
	const struct policy_place first = {rules, NULL, earlier->id};
	char pattern[NAME_PATTERN_SIZE], address[POLICY_PREFIX_TEXT_SIZE], text[POLICY_SHORT_SIZE];
	char spot[POLICY_SPOT_SIZE];

	policy_describe_place(reader, &first, spot);
	policy_shorten(later->kind == POLICY_RULE_CIDR ? prefix_format(&prefix, address)
						       : name_pattern(later, pattern),
		text);
	if (later->kind == POLICY_RULE_RECORDS)
		return policy_fail(reader, &place, -EINVAL,
			"The rule at /network/allow/%u (%s) is for records of %s too; make them "
			"one rule.",
			earlier->id, spot, text);
	if (other->ports.first == 0)
		return policy_fail(reader, &place, -EINVAL,
			"The rule at /network/allow/%u (%s) is for all ports of %s too; make them "
			"one rule.",
			earlier->id, spot, text);
	return policy_fail(reader, &place, -EINVAL,
		"The rule at /network/allow/%u (%s) allows %s port %u too; take it out of one of "
		"the two.",
		earlier->id, spot, text, other->ports.first);
}

/* Two rules for one prefix or name may not share a port: a reader who changes the one would miss
 * the other. */
static int check_twice(const struct policy_reader *reader, const struct policy_place *rules,
	const struct claim *claims, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (compare_targets(claims[i - 1].rule, claims[i].rule) == 0 &&
			claims[i].ports.first <= claims[i - 1].ports.last)
			return refuse_twice(reader, rules, &claims[i - 1], &claims[i]);
	return 0;
}

static int check_rules(const struct policy_reader *reader, const struct policy_place *rules,
	const struct policy *policy)
{
	_cleanup_free_ struct claim *claims = NULL;
	size_t n = 0;

	for (size_t i = 0; i < policy->n_rules; i++)
		n += policy->rules[i].n_ports + 1u;
	claims = calloc(n + 1, sizeof(*claims));
	if (!claims)
		return failure_set(reader->why, -ENOMEM, STAGE, "There is no memory left.");
	n = 0;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		for (size_t j = 0; j < rule->n_ports; j++)
			claims[n++] = (struct claim){rule, rule->ports[j]};
		if (rule->kind == POLICY_RULE_RECORDS)
			claims[n++] = (struct claim){.rule = rule};
	}
	qsort(claims, n, sizeof(*claims), compare_claims);
	return check_twice(reader, rules, claims, n);
}

static int check_ranges(const struct policy_reader *reader, const struct policy_place *rules,
	const struct name_index *index)
{
	const struct policy_rule *rule, *pattern;
	char text[NAME_PATTERN_SIZE], brief[POLICY_SHORT_SIZE];
	struct policy_place place = {rules, NULL, 0};
	int r = name_check_ranges(index, ABI_TICKET_RANGES_MAX, &rule, &pattern);

	if (r != -E2BIG)
		return r;
	place.index = rule->id;
	return policy_fail(reader, &place, r,
		"More than %d ranges of ports come together for %s with this rule; join ranges, or "
		"let fewer rules overlap.",
		ABI_TICKET_RANGES_MAX, policy_shorten(name_pattern(pattern, text), brief));
}

static int check_order(const struct policy_reader *reader, const struct policy_place *rules,
	const struct name_index *index)
{
	const struct policy_rule *rule, *earlier;
	struct policy_place place = {rules, NULL, 0}, first = {rules, NULL, 0};
	char spot[POLICY_SPOT_SIZE];
	uint16_t port;
	int r = name_find_hidden(index, &rule, &earlier, &port);

	if (r <= 0)
		return r;
	place.index = rule->id;
	first.index = earlier->id;
	return policy_fail(reader, &place, -EINVAL,
		"The rule at /network/allow/%u (%s) is for port %u of this name too, has another "
		"\"tls\" or \"private\", and decides, being first; put this rule before it.",
		earlier->id, policy_describe_place(reader, &first, spot), port);
}

static int check_names(const struct policy_reader *reader, const struct policy_place *rules,
	const struct policy *policy)
{
	struct name_index index;
	int r = name_index_init(&index, policy);

	if (r == 0)
		r = check_ranges(reader, rules, &index);
	if (r == 0)
		r = check_order(reader, rules, &index);
	name_index_fini(&index);
	if (r == -ENOMEM)
		failure_set(reader->why, r, STAGE, "There is no memory left.");
	return r;
}

/* So that a file that cannot be enforced is refused when it is read, not when it is needed. */
static int check_compiles(const struct policy_reader *reader, const struct policy_place *rules,
	const struct policy *policy)
{
	struct policy_image *image = NULL;
	struct failure why = {0};
	uint16_t rule = ABI_RULE_NONE;
	int r = compile_image(policy, &image, &rule, &why);

	policy_image_free(image);
	if (r == -E2BIG && rule != ABI_RULE_NONE) {
		const struct policy_place place = {rules, NULL, rule};

		return policy_fail(reader, &place, r, "%s", why.sentence);
	}
	return r < 0 ? policy_fail(reader, rules, r, "%s", why.sentence) : 0;
}

int policy_check(const struct policy_reader *reader, const struct policy_place *rules,
	const struct policy *policy)
{
	int r = check_rules(reader, rules, policy);

	if (r == 0)
		r = check_names(reader, rules, policy);
	return r < 0 ? r : check_compiles(reader, rules, policy);
}
