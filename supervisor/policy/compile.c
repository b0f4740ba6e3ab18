/* The trie's longest prefix alone decides, so each prefix's value must say all that holds in it.
 * The prefixes are sorted, so that each comes after those around it; the row of those around the
 * present one is kept as a stack. A prefix takes over its parent's ranges and adds its own. At a
 * special range it takes over nothing: whatever is wider than the range stops there, and what is
 * inside goes on from that. A special range with no rule of its own becomes a prefix without
 * ranges: a hole. */
#include "supervisor/policy/compile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/network/prefix.h"

#define STAGE "compile policy"
#define DEPTH_MAX 129 /* prefixes that can lie in one another: lengths 0 to 128 */

/* One range of ports at one prefix; or a hole to be, with rule ABI_RULE_NONE. */
struct entry {
	struct abi_cidr_key key;
	struct abi_port_range range;
};

struct compiler {
	const struct policy *policy;
	struct policy_image *image;
	struct entry *entries;
	size_t n_entries;
	struct abi_port_range *scratch; /* the ranges of one prefix before they are thinned out */
	uint16_t rule;                  /* where a limit was passed */
	struct failure *why;
};

static bool is_exact(const struct policy_rule *rule, size_t i)
{
	return rule->prefix_bits == 128 && rule->ports[i].first == rule->ports[i].last;
}

/* Rules for names are no part of an image: tickets stand for them. */
static size_t count_ranges(const struct policy_rule *rule)
{
	return rule->kind == POLICY_RULE_CIDR ? rule->n_ports : 0;
}

static int compare_entries(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;
	int order = prefix_compare(&left->key, &right->key);

	return order ? order : (int)left->range.rule - (int)right->range.rule;
}

static int count_parts(struct compiler *compiler)
{
	const struct policy *policy = compiler->policy;
	struct policy_image *image = compiler->image;
	size_t n_exact = 0, n_entries = special_count();

	for (size_t i = 0; i < policy->n_rules; i++)
		for (size_t j = 0; j < count_ranges(&policy->rules[i]); j++) {
			if (is_exact(&policy->rules[i], j))
				n_exact++;
			else
				n_entries++;
		}
	image->exact_keys = calloc(n_exact + 1, sizeof(*image->exact_keys));
	image->exact_rules = calloc(n_exact + 1, sizeof(*image->exact_rules));
	compiler->entries = calloc(n_entries, sizeof(*compiler->entries));
	compiler->scratch = calloc(n_entries + ABI_PORT_RANGES_MAX, sizeof(*compiler->scratch));
	if (!image->exact_keys || !image->exact_rules || !compiler->entries || !compiler->scratch)
		return -ENOMEM;
	return 0;
}

static void add_exact(struct policy_image *image, const struct policy_rule *rule, uint16_t port)
{
	image->exact_keys[image->n_exact] = (struct abi_exact_key){
		.address = rule->address, .port = port, .protocol = rule->protocol};
	image->exact_rules[image->n_exact++] = rule->id;
}

static void add_entry(
	struct compiler *compiler, const struct policy_rule *rule, const struct policy_ports *ports)
{
	compiler->entries[compiler->n_entries++] =
		(struct entry){prefix_of_rule(rule), {.first = ports->first,
							     .last = ports->last,
							     .rule = rule->id,
							     .protocol = rule->protocol}};
}

static void add_rules(struct compiler *compiler)
{
	for (size_t i = 0; i < compiler->policy->n_rules; i++) {
		const struct policy_rule *rule = &compiler->policy->rules[i];

		for (size_t j = 0; j < count_ranges(rule); j++) {
			if (is_exact(rule, j))
				add_exact(compiler->image, rule, rule->ports[j].first);
			else
				add_entry(compiler, rule, &rule->ports[j]);
		}
	}
}

static void add_holes(struct compiler *compiler)
{
	size_t n_ranges = compiler->n_entries;

	for (size_t i = 0; i < special_count(); i++) {
		const struct abi_cidr_key *special = &special_at(i)->prefix;

		for (size_t j = 0; j < n_ranges; j++) {
			if (!prefix_contains(&compiler->entries[j].key, special))
				continue;
			compiler->entries[compiler->n_entries++] =
				(struct entry){*special, {.rule = ABI_RULE_NONE}};
			break;
		}
	}
}

struct exact_row {
	struct abi_exact_key key;
	uint32_t rule;
};

static int compare_exact(const void *a, const void *b)
{
	const struct exact_row *left = a, *right = b;
	int order = memcmp(&left->key, &right->key, sizeof(left->key));

	return order ? order : (left->rule > right->rule) - (left->rule < right->rule);
}

/* A meet can have one address and port from two rules: the lower one is named. */
static int settle_exact(struct policy_image *image)
{
	struct exact_row *rows = calloc(image->n_exact + 1, sizeof(*rows));
	size_t n = 0;

	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < image->n_exact; i++)
		rows[i] = (struct exact_row){image->exact_keys[i], image->exact_rules[i]};
	qsort(rows, image->n_exact, sizeof(*rows), compare_exact);
	for (size_t i = 0; i < image->n_exact; i++) {
		if (n > 0 &&
			memcmp(&image->exact_keys[n - 1], &rows[i].key, sizeof(rows[i].key)) == 0)
			continue;
		image->exact_keys[n] = rows[i].key;
		image->exact_rules[n++] = rows[i].rule;
	}
	image->n_exact = n;
	free(rows);
	return 0;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct abi_port_range *left = a, *right = b;

	return left->rule != right->rule ? (int)left->rule - (int)right->rule
					 : (int)left->first - (int)right->first;
}

/* Joins what one rule says in several neighbouring or overlapping ranges. */
static size_t join_neighbours(struct abi_port_range *ranges, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct abi_port_range *last = kept ? &ranges[kept - 1] : NULL;

		if (last && last->rule == ranges[i].rule && ranges[i].first <= last->last + 1u) {
			if (ranges[i].last > last->last)
				last->last = ranges[i].last;
		} else {
			ranges[kept++] = ranges[i];
		}
	}
	return kept;
}

/* True if every port of `range` is in one of the value's ranges. */
static bool is_covered(const struct abi_cidr_value *value, const struct abi_port_range *range)
{
	uint32_t port = range->first;

	for (uint32_t i = 0; port <= range->last && i < value->n_ranges; i++) {
		const struct abi_port_range *other = &value->ranges[i];

		if (other->protocol != range->protocol || port < other->first || port > other->last)
			continue;
		port = other->last + 1u;
		i = UINT32_MAX; /* begin again: the next port may be in an earlier range */
	}
	return port > range->last;
}

/* The first range that fits decides, so those of lower rules come first, and what they cover can be
 * left out. */
static int settle_ranges(struct compiler *compiler, size_t n, const struct abi_cidr_key *key,
	struct abi_cidr_value *value)
{
	char text[POLICY_PREFIX_TEXT_SIZE];

	qsort(compiler->scratch, n, sizeof(*compiler->scratch), compare_ranges);
	n = join_neighbours(compiler->scratch, n);
	for (size_t i = 0; i < n; i++) {
		const struct abi_port_range *range = &compiler->scratch[i];

		if (is_covered(value, range))
			continue;
		if (value->n_ranges == ABI_PORT_RANGES_MAX) {
			compiler->rule = range->rule;
			return failure_set(compiler->why, -E2BIG, STAGE,
				"More than %d ranges of ports come together at %s with this rule; "
				"join "
				"ranges, or let fewer rules overlap.",
				ABI_PORT_RANGES_MAX, prefix_format(key, text));
		}
		value->ranges[value->n_ranges++] = *range;
	}
	return 0;
}

/* Adds the prefix that entries[from..to) are about. `parent` is NULL where nothing wider is. */
static int add_prefix(
	struct compiler *compiler, size_t from, size_t to, const struct abi_cidr_value *parent)
{
	struct policy_image *image = compiler->image;
	const struct abi_cidr_key *key = &compiler->entries[from].key;
	size_t n = 0;

	if (image->n_cidr == ABI_CIDR_RULES_MAX) {
		compiler->rule = compiler->entries[from].range.rule;
		return failure_set(compiler->why, -E2BIG, STAGE,
			"The policy needs more than %d prefixes, special ranges included; join "
			"some.",
			ABI_CIDR_RULES_MAX);
	}
	for (uint32_t i = 0; parent && !special_is(key) && i < parent->n_ranges; i++)
		compiler->scratch[n++] = parent->ranges[i];
	for (size_t i = from; i < to; i++)
		if (compiler->entries[i].range.rule != ABI_RULE_NONE)
			compiler->scratch[n++] = compiler->entries[i].range;
	image->cidr_keys[image->n_cidr] = *key;
	return settle_ranges(compiler, n, key, &image->cidr_values[image->n_cidr++]);
}

static int add_prefixes(struct compiler *compiler)
{
	struct policy_image *image = compiler->image;
	size_t around[DEPTH_MAX], depth = 0;

	for (size_t from = 0, to; from < compiler->n_entries; from = to) {
		const struct abi_cidr_key *key = &compiler->entries[from].key;
		int r;

		for (to = from + 1; to < compiler->n_entries; to++)
			if (prefix_compare(&compiler->entries[to].key, key) != 0)
				break;
		while (depth > 0 && !prefix_contains(&image->cidr_keys[around[depth - 1]], key))
			depth--;
		r = add_prefix(compiler, from, to,
			depth > 0 ? &image->cidr_values[around[depth - 1]] : NULL);
		if (r < 0)
			return r;
		around[depth++] = image->n_cidr - 1;
	}
	return 0;
}

static size_t count_prefixes(const struct compiler *compiler)
{
	size_t n = 0;

	for (size_t i = 0; i < compiler->n_entries; i++)
		if (i == 0 ||
			prefix_compare(&compiler->entries[i - 1].key, &compiler->entries[i].key))
			n++;
	return n < ABI_CIDR_RULES_MAX ? n : ABI_CIDR_RULES_MAX;
}

static int compile_steps(struct compiler *compiler)
{
	struct policy_image *image = compiler->image;
	size_t n_prefixes;
	int r = count_parts(compiler);

	if (r < 0)
		return r;
	add_rules(compiler);
	r = settle_exact(image);
	if (r < 0)
		return r;
	add_holes(compiler);
	qsort(compiler->entries, compiler->n_entries, sizeof(*compiler->entries), compare_entries);
	n_prefixes = count_prefixes(compiler);
	image->cidr_keys = calloc(n_prefixes + 1, sizeof(*image->cidr_keys));
	image->cidr_values = calloc(n_prefixes + 1, sizeof(*image->cidr_values));
	if (!image->cidr_keys || !image->cidr_values)
		return -ENOMEM;
	return add_prefixes(compiler);
}

int compile_image(const struct policy *policy, struct policy_image **ret_image, uint16_t *ret_rule,
	struct failure *why)
{
	struct compiler compiler = {.policy = policy, .rule = ABI_RULE_NONE, .why = why};
	int r = -ENOMEM;

	compiler.image = calloc(1, sizeof(*compiler.image));
	if (compiler.image)
		r = compile_steps(&compiler);
	free(compiler.entries);
	free(compiler.scratch);
	if (r < 0) {
		policy_image_free(compiler.image);
		*ret_rule = compiler.rule;
		return r == -ENOMEM ? failure_set(why, r, STAGE, "There is no memory left.") : r;
	}
	*ret_image = compiler.image;
	return 0;
}

int policy_compile(
	const struct policy *policy, struct policy_image **ret_image, struct failure *why)
{
	uint16_t rule = ABI_RULE_NONE;
	int r = compile_image(policy, ret_image, &rule, why);

	if (r == -E2BIG && rule != ABI_RULE_NONE)
		failure_at(why, "/network/allow/%u", rule);
	return r;
}

struct policy_image *policy_image_free(struct policy_image *image)
{
	if (!image)
		return NULL;
	free(image->exact_keys);
	free(image->exact_rules);
	free(image->cidr_keys);
	free(image->cidr_values);
	free(image);
	return NULL;
}
