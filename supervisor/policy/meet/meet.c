/* Prefixes are either nested or apart, so two rules meet in the longer of the two or not at all.
 * Both lists are walked together in the order of prefix_compare(); the rules whose prefixes are
 * around the present one are a stack, and only those can meet it. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/policy/canonical.h"
#include "supervisor/policy/meet/meet.h"
#include "supervisor/policy/network/prefix.h"

#define STAGE "meet of policies"

struct side {
	const struct policy_rule *rule;
	bool is_request;
};

static int compare_sides(const void *a, const void *b)
{
	const struct side *left = a, *right = b;
	const struct abi_cidr_key left_prefix = prefix_of_rule(left->rule),
				  right_prefix = prefix_of_rule(right->rule);

	return prefix_compare(&left_prefix, &right_prefix);
}

static int compare_rules(const void *a, const void *b)
{
	const struct policy_rule *left = a, *right = b;
	const struct abi_cidr_key left_prefix = prefix_of_rule(left),
				  right_prefix = prefix_of_rule(right);
	int order = (int)left->id - (int)right->id;

	if (order == 0)
		order = prefix_compare(&left_prefix, &right_prefix);
	return order ? order : memcmp(left->ports, right->ports, sizeof(left->ports));
}

int meet_append(struct meeting *meeting, const struct policy_rule *rule)
{
	struct policy *policy = meeting->policy;

	if (policy->n_rules == POLICY_RULES_MAX)
		return failure_set(meeting->why, -E2BIG, STAGE,
			"\"%s\" and \"%s\" meet in more than %d rules; make one of them simpler.",
			meeting->bound->name, meeting->request->name, POLICY_RULES_MAX);
	if (policy->n_rules == meeting->room) {
		size_t room = meeting->room ? meeting->room * 2 : 16;
		void *larger = reallocarray(policy->rules, room, sizeof(*policy->rules));

		if (!larger)
			return -ENOMEM;
		policy->rules = larger;
		meeting->room = room;
	}
	policy->rules[policy->n_rules] = *rule;
	if (rule->name) {
		policy->rules[policy->n_rules].name = strdup(rule->name);
		if (!policy->rules[policy->n_rules].name)
			return -ENOMEM;
	}
	policy->n_rules++;
	return 0;
}

int meet_count(struct meeting *meeting, size_t n_pairs)
{
	meeting->n_pairs += n_pairs;
	if (meeting->n_pairs <= MEET_PAIRS_MAX)
		return 0;
	return failure_set(meeting->why, -E2BIG, STAGE,
		"Too many rules of \"%s\" and \"%s\" overlap; make one of them simpler.",
		meeting->bound->name, meeting->request->name);
}

static struct policy_ports meet_ports(struct policy_ports a, struct policy_ports b)
{
	return (struct policy_ports){
		a.first > b.first ? a.first : b.first, a.last < b.last ? a.last : b.last};
}

static int meet_inbound(struct meeting *meeting)
{
	const struct policy *a = meeting->bound, *b = meeting->request;
	struct policy *both = meeting->policy;

	for (size_t i = 0, j = 0; i < a->n_inbound && j < b->n_inbound;) {
		const struct policy_ports ports = meet_ports(a->inbound[i], b->inbound[j]);

		if (ports.first <= ports.last && both->n_inbound == POLICY_INBOUND_MAX)
			return failure_set(meeting->why, -E2BIG, STAGE,
				"The inbound ports of \"%s\" and \"%s\" meet in more than %d "
				"ranges; "
				"make one of them simpler.",
				a->name, b->name, POLICY_INBOUND_MAX);
		if (ports.first <= ports.last)
			both->inbound[both->n_inbound++] = ports;
		if (a->inbound[i].last < b->inbound[j].last)
			i++;
		else
			j++;
	}
	return 0;
}

/* Two rows of ports can meet in more than one rule holds: then there are several rules. */
int meet_add(struct meeting *meeting, const struct policy_rule *a, const struct policy_rule *b,
	struct policy_rule *rule)
{
	for (size_t i = 0; i < a->n_ports; i++) {
		for (size_t j = 0; j < b->n_ports; j++) {
			const struct policy_ports both = meet_ports(a->ports[i], b->ports[j]);
			int r = 0;

			if (both.first > both.last)
				continue;
			if (rule->n_ports == POLICY_RULE_PORTS_MAX) {
				r = meet_append(meeting, rule);
				memset(rule->ports, 0, sizeof(rule->ports));
				rule->n_ports = 0;
			}
			if (r < 0)
				return r;
			rule->ports[rule->n_ports++] = both;
		}
	}
	return rule->n_ports > 0 ? meet_append(meeting, rule) : 0;
}

/* `inner` lies in `outer`. A special range that the inner one is in and the outer one is not is no
 * part of what the outer one allows. */
static int meet_pair(struct meeting *meeting, const struct side *outer, const struct side *inner)
{
	const struct abi_cidr_key outer_prefix = prefix_of_rule(outer->rule),
				  inner_prefix = prefix_of_rule(inner->rule);
	struct policy_rule rule = {.address = inner->rule->address,
		.prefix_bits = inner->rule->prefix_bits,
		.protocol = inner->rule->protocol,
		.id = inner->is_request ? inner->rule->id : outer->rule->id};
	int r = meet_count(meeting, 1);

	if (r < 0)
		return r;
	if (outer->is_request == inner->is_request ||
		outer->rule->protocol != inner->rule->protocol ||
		special_hides(&outer_prefix, &inner_prefix))
		return 0;
	return meet_add(meeting, outer->rule, inner->rule, &rule);
}

static int meet_sorted(struct meeting *meeting, const struct side *sides, size_t n, size_t *around)
{
	size_t depth = 0;

	for (size_t i = 0; i < n; i++) {
		const struct abi_cidr_key inner = prefix_of_rule(sides[i].rule);

		while (depth > 0) {
			const struct abi_cidr_key outer =
				prefix_of_rule(sides[around[depth - 1]].rule);

			if (prefix_contains(&outer, &inner))
				break;
			depth--;
		}
		for (size_t j = 0; j < depth; j++) {
			int r = meet_pair(meeting, &sides[around[j]], &sides[i]);

			if (r < 0)
				return r;
		}
		around[depth++] = i;
	}
	return 0;
}

static int meet_addresses(struct meeting *meeting)
{
	const struct policy *bound = meeting->bound, *request = meeting->request;
	size_t n = 0, n_max = bound->n_rules + request->n_rules;
	_cleanup_free_ struct side *sides = calloc(n_max + 1, sizeof(*sides));
	_cleanup_free_ size_t *around = calloc(n_max + 1, sizeof(*around));
	int r;

	if (!sides || !around)
		return -ENOMEM;
	for (size_t i = 0; i < bound->n_rules; i++)
		if (bound->rules[i].kind == POLICY_RULE_CIDR)
			sides[n++] = (struct side){&bound->rules[i], false};
	for (size_t i = 0; i < request->n_rules; i++)
		if (request->rules[i].kind == POLICY_RULE_CIDR)
			sides[n++] = (struct side){&request->rules[i], true};
	qsort(sides, n, sizeof(*sides), compare_sides);
	r = meet_sorted(meeting, sides, n, around);
	if (r == 0 && meeting->policy->n_rules)
		qsort(meeting->policy->rules, meeting->policy->n_rules,
			sizeof(*meeting->policy->rules), compare_rules);
	return r;
}

#define LEAST(a, b) ((a) < (b) ? (a) : (b))

static struct policy_limits meet_limits(
	const struct policy_limits *a, const struct policy_limits *b)
{
	return (struct policy_limits){
		.memory_bytes = LEAST(a->memory_bytes, b->memory_bytes),
		.disk_bytes = LEAST(a->disk_bytes, b->disk_bytes),
		.cpu_millis = LEAST(a->cpu_millis, b->cpu_millis),
		.pids = LEAST(a->pids, b->pids),
		.open_files = LEAST(a->open_files, b->open_files),
	};
}

int policy_meet(const struct policy *bound, const struct policy *request,
	struct policy **ret_policy, struct failure *why)
{
	struct meeting meeting = {.bound = bound, .request = request, .why = why};
	int r;

	if (!bound) {
		/* The count of references is no part of what a policy says. */
		*ret_policy = policy_ref((struct policy *)request);
		return 0;
	}
	meeting.policy = calloc(1, sizeof(*meeting.policy));
	if (!meeting.policy)
		return failure_set(why, -ENOMEM, STAGE, "There is no memory left.");
	meeting.policy->n_references = 1;
	strcpy(meeting.policy->name, request->name);
	strcpy(meeting.policy->description, request->description);
	if (bound->mode == request->mode)
		meeting.policy->mode = bound->mode;
	meeting.policy->limits = meet_limits(&bound->limits, &request->limits);
	meet_lifecycle(&meeting);
	meeting.policy->devices = bound->devices & request->devices;
	r = meet_budgets(&meeting);
	if (r == 0)
		r = meet_addresses(&meeting);
	if (r == 0)
		r = meet_names(&meeting);
	if (r == 0)
		r = meet_records(&meeting);
	if (r == 0)
		r = meet_inbound(&meeting);
	if (r == 0)
		r = meet_calls(&meeting);
	if (r == 0)
		r = meet_secrets(&meeting);
	if (r == 0)
		r = meet_paths(&meeting);
	if (r == 0)
		r = meet_executables(&meeting);
	if (r == 0)
		r = meet_audit(&meeting);
	if (r == 0)
		r = policy_canonicalize(meeting.policy, NULL, why);
	if (r < 0) {
		policy_unref(meeting.policy);
		return r == -ENOMEM ? failure_set(why, r, STAGE, "There is no memory left.") : r;
	}
	*ret_policy = meeting.policy;
	return 0;
}
