/* What rules for names mean, label by label and port by port, and policies made to collide. */
#pragma once

#include "supervisor/policy/network/name.h"
#include "tests/unit/policy/naive.h"

#define NAIVE_LABELS_MAX 128

static inline size_t naive_labels(const char *name, const char **labels, size_t *lengths)
{
	size_t n = 0;

	for (;; name++) {
		labels[n] = name;
		lengths[n] = strcspn(name, ".");
		name += lengths[n++];
		if (*name == '\0')
			return n;
	}
}

static inline bool naive_is_for(const struct policy_rule *rule, const char *name)
{
	const char *left[NAIVE_LABELS_MAX], *right[NAIVE_LABELS_MAX];
	size_t left_length[NAIVE_LABELS_MAX], right_length[NAIVE_LABELS_MAX];
	size_t n_left = naive_labels(rule->name, left, left_length);
	size_t n_right = naive_labels(name, right, right_length);

	if (rule->wildcard ? n_right <= n_left : n_right != n_left)
		return false;
	for (size_t i = 1; i <= n_left; i++)
		if (left_length[n_left - i] != right_length[n_right - i] ||
			memcmp(left[n_left - i], right[n_right - i], left_length[n_left - i]) != 0)
			return false;
	return true;
}

/* The first rule that is for the name and has the port, or NULL. */
static inline const struct policy_rule *naive_decides(
	const struct policy *policy, const char *name, uint16_t port)
{
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct policy_rule *rule = &policy->rules[i];

		if (rule->kind != POLICY_RULE_NAME || !naive_is_for(rule, name))
			continue;
		for (size_t j = 0; j < rule->n_ports; j++)
			if (port >= rule->ports[j].first && port <= rule->ports[j].last)
				return rule;
	}
	return NULL;
}

static const char *const drawn_names[] = {"example.org", "a.example.org", "b.a.example.org",
	"c.b.a.example.org", "ba.example.org", "xexample.org", "b.example.org", "a.b.example.org",
	"org", "example.com", "z.c.b.a.example.org", "z.ba.example.org", "z.xexample.org",
	"z.a.b.example.org", "rg"};

#define DRAWN_NAMES (sizeof(drawn_names) / sizeof(drawn_names[0]))

/* Rules for names, and one for addresses now and then; ports from 1 to `port_max`. */
static inline struct policy draw_names(
	uint64_t *state, struct policy_rule *rules, size_t n_max, unsigned int port_max)
{
	struct policy policy = {.name = "drawn",
		.rules = rules,
		.n_references = 1,
		.n_rules = draw(state, (uint32_t)n_max + 1)};

	for (unsigned int i = 0; i < policy.n_rules; i++) {
		struct policy_rule rule = {.kind = POLICY_RULE_NAME,
			.protocol = IPPROTO_TCP,
			.id = (uint16_t)i,
			.wildcard = draw(state, 2),
			.is_private = draw(state, 2),
			.tls = draw(state, 3),
			.name = (char *)drawn_names[draw(state, 8)]};

		for (unsigned int port = 1 + draw(state, 3); port <= port_max && rule.n_ports < 4;
			port += 1 + draw(state, 4)) {
			unsigned int last = port + draw(state, 3);

			last = last > port_max ? port_max : last;
			rule.ports[rule.n_ports++] =
				(struct policy_ports){(uint16_t)port, (uint16_t)last};
			port = last;
		}
		rules[i] = draw(state, 8) == 0 ? draw_rule(state, i) : rule;
	}
	return policy;
}
