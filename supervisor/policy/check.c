#include <errno.h>
#include <stdlib.h>

#include "supervisor/policy/compile.h"
#include "supervisor/policy/prefix.h"
#include "supervisor/policy/reader.h"

struct claim {
	struct abi_cidr_key prefix;
	struct policy_ports ports;
	uint16_t rule;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *left = a, *right = b;
	int order = prefix_compare(&left->prefix, &right->prefix);

	if (order == 0)
		order = (int)left->ports.first - (int)right->ports.first;
	return order ? order : (int)left->rule - (int)right->rule;
}

static int refuse_twice(const struct policy_reader *reader, const struct policy_place *rules,
	const struct claim *one, const struct claim *other)
{
	const struct claim *later = one->rule > other->rule ? one : other;
	const struct claim *earlier = later == one ? other : one;
	const struct policy_place place = {rules, NULL, later->rule};
	char text[POLICY_PREFIX_TEXT_SIZE];

	prefix_format(&later->prefix, text);
	if (other->ports.first == 0)
		return policy_fail(reader, &place, -EINVAL,
			"The rule at /network/allow/%u is for all ports of %s too; make them one "
			"rule.",
			earlier->rule, text);
	return policy_fail(reader, &place, -EINVAL,
		"The rule at /network/allow/%u allows %s port %u too; take it out of one of the "
		"two.",
		earlier->rule, text, other->ports.first);
}

/* Two rules for one prefix may not share a port: a reader who changes the one would miss the other.
 */
static int check_twice(const struct policy_reader *reader, const struct policy_place *rules,
	const struct claim *claims, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (prefix_compare(&claims[i - 1].prefix, &claims[i].prefix) == 0 &&
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
		n += policy->rules[i].n_ports;
	claims = calloc(n + 1, sizeof(*claims));
	if (!claims)
		return failure_set(reader->why, -ENOMEM, "read policy", "There is no memory left.");
	n = 0;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		for (size_t j = 0; j < rule->n_ports; j++)
			claims[n++] =
				(struct claim){prefix_of_rule(rule), rule->ports[j], rule->id};
	}
	qsort(claims, n, sizeof(*claims), compare_claims);
	return check_twice(reader, rules, claims, n);
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

	return r < 0 ? r : check_compiles(reader, rules, policy);
}
