#include "supervisor/policy/network/name.h"

#include <string.h>

#include "supervisor/policy/network/name-index.h"

bool name_ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.'), *label = dot ? dot + 1 : host;

	if (label[0] == '0' && label[1] == 'x')
		return label[2 + strspn(label + 2, "0123456789abcdef")] == '\0';
	return label[0] && label[strspn(label, "0123456789")] == '\0';
}

bool name_is_host(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *label = name;

	if (strlen(name) >= POLICY_HOST_SIZE)
		return false;
	for (;;) {
		size_t length = strspn(label, letters);

		if (length == 0 || length > NAME_LABEL_MAX || label[0] == '-' ||
			label[length - 1] == '-')
			return false;
		if (label[length] == '\0')
			return true;
		if (label[length] != '.')
			return false;
		label += length + 1;
	}
}

/* A wildcard stands for one or more labels, and ends at a dot: "*.a.org" is neither "a.org" nor
 * "bada.org". */
static bool is_for(const struct policy_rule *rule, const char *name, size_t length)
{
	size_t length_rule;

	if (rule->kind != POLICY_RULE_NAME)
		return false;
	if (!rule->wildcard)
		return strcmp(rule->name, name) == 0;
	length_rule = strlen(rule->name);
	return length > length_rule + 1 && name[length - length_rule - 1] == '.' &&
	       strcmp(name + length - length_rule, rule->name) == 0;
}

static bool joins(const struct policy_name_range *range, const struct policy_rule *rule)
{
	return range->rule == rule->id && range->tls == rule->tls &&
	       range->is_private == rule->is_private;
}

/* Ports that are free, and lie between ranges[i - 1] and ranges[i]. */
static bool insert(struct policy_name_range *ranges, size_t *n_ranges, size_t n_max, size_t i,
	const struct policy_rule *rule, struct policy_ports ports)
{
	struct policy_name_range *before = i > 0 ? &ranges[i - 1] : NULL;

	if (before && joins(before, rule) && before->last + 1u == ports.first) {
		before->last = ports.last;
		return true;
	}
	if (*n_ranges == n_max)
		return false;
	memmove(&ranges[i + 1], &ranges[i], (*n_ranges - i) * sizeof(*ranges));
	ranges[i] = (struct policy_name_range){
		ports.first, ports.last, rule->id, rule->is_private, rule->tls};
	++*n_ranges;
	return true;
}

static bool overlay_ports(struct policy_name_range *ranges, size_t *n_ranges, size_t n_max,
	const struct policy_rule *rule, struct policy_ports ports)
{
	uint32_t port = ports.first, last;
	size_t i = 0;

	while (port <= ports.last) {
		while (i < *n_ranges && ranges[i].last < port)
			i++;
		last = ports.last;
		if (i < *n_ranges && ranges[i].first <= port) {
			port = ranges[i].last + 1u;
			continue;
		}
		if (i < *n_ranges && ranges[i].first <= last)
			last = ranges[i].first - 1u;
		if (!insert(ranges, n_ranges, n_max, i, rule,
			    (struct policy_ports){(uint16_t)port, (uint16_t)last}))
			return false;
		port = last + 1;
	}
	return true;
}

bool name_overlay(struct policy_name_range *ranges, size_t *n_ranges, size_t n_max,
	const struct policy_rule *rule)
{
	for (size_t i = 0; i < rule->n_ports; i++)
		if (!overlay_ports(ranges, n_ranges, n_max, rule, rule->ports[i]))
			return false;
	return true;
}

size_t policy_name_ranges(const struct policy *policy, const char *name,
	struct policy_name_range *ret_ranges, size_t n_max)
{
	size_t n = 0, length = strlen(name);

	if (!name_is_host(name))
		return 0;
	/* In the order of the ids; of rules with the same id, which a meet has, the earlier counts.
	 */
	for (size_t i = 0; i < policy->n_rules; i++)
		if (is_for(&policy->rules[i], name, length) &&
			!name_overlay(ret_ranges, &n, n_max, &policy->rules[i]))
			break;
	return n;
}

bool policy_has_names(const struct policy *policy)
{
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy->rules[i].kind != POLICY_RULE_CIDR)
			return true;
	return false;
}
