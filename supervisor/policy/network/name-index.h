/* Inside the policy room: the rules for names, found by name, and laid over one another. */
#pragma once

#include "supervisor/policy/network/name.h"

/* 63 octets of a label (RFC 1035, 2.3.4). */
#define NAME_LABEL_MAX 63

/* True for what may stand on the wire as a host's name, in lower case: labels of a-z, 0-9, "-" and
 * "_", none of which begins or ends with "-"; no dot at the end. */
bool name_is_host(const char *name);
/* As web browsers see it: what ends in a number, decimal or hexadecimal, is an IPv4 address in one
 * of inet_aton(3)'s forms, or nothing. */
bool name_ends_in_number(const char *name);

/* True if the two rules are for the same names. */
bool name_same_pattern(const struct policy_rule *a, const struct policy_rule *b);

struct name_index {
	const struct policy *policy;
	size_t *places; /* in policy->rules, of the rules for names, sorted by name; owned */
	size_t n;
};

/* Borrows `policy`. Returns 0 or -ENOMEM. */
int name_index_init(struct name_index *index, const struct policy *policy);
void name_index_fini(struct name_index *index);

/* The rules that hold for all names of `pattern`, a rule of this or of another policy: those for
 * the same names, and the wildcards above. Fills `ret_places` (room for index->n) with their places
 * in the policy, in its order, and returns how many. */
size_t name_index_around(
	const struct name_index *index, const struct policy_rule *pattern, size_t *ret_places);

/* Gives `rule` those of its ports that no earlier rule has. False when `n_max` ranges do not hold
 * them; then `ranges` has as many as there is room for. */
bool name_overlay(struct policy_name_range *ranges, size_t *n_ranges, size_t n_max,
	const struct policy_rule *rule);

/* As policy_name_ranges(), but however many rules there are. `places`: room for index->n. */
size_t name_index_ranges(const struct name_index *index, const char *name, size_t *places,
	struct policy_name_range *ret_ranges, size_t n_max);

/* Whether a ticket holds what each name may reach; any name fares as one of the patterns does. No
 * more than `n_same_max` rules may be for the same names: with few of those, looking at all
 * patterns ends soon. On -E2BIG `*ret_rule` is the rule with which it is too much, `*ret_pattern`
 * one for those names. Returns 0, -E2BIG, -ENOMEM. */
int name_check_ranges(const struct name_index *index, size_t n_same_max,
	const struct policy_rule **ret_rule, const struct policy_rule **ret_pattern);

/* A rule whose port an earlier and wider rule takes from it, to other ends: whoever wrote it meant
 * the other order. Returns 1 and fills what it found, 0 if there is none, -ENOMEM. */
int name_find_hidden(const struct name_index *index, const struct policy_rule **ret_rule,
	const struct policy_rule **ret_earlier, uint16_t *ret_port);

/* "*.example.org" or "example.org". */
#define NAME_PATTERN_SIZE (POLICY_HOST_SIZE + 2)
const char *name_pattern(const struct policy_rule *rule, char ret_text[NAME_PATTERN_SIZE]);
