/* Inside the policy room: prefixes of the one address space, and the ranges that are special in it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "supervisor/policy/model.h"
#include "supervisor/policy/network/special.h"

#define POLICY_PREFIX_TEXT_SIZE 64

/* True if all addresses of `inner` are in `outer`; also when the two are the same. */
bool prefix_contains(const struct abi_cidr_key *outer, const struct abi_cidr_key *inner);
/* Orders by address, then by length: a prefix comes right before what it contains. */
int prefix_compare(const struct abi_cidr_key *a, const struct abi_cidr_key *b);
struct abi_cidr_key prefix_of_rule(const struct policy_rule *rule);

/* Reads "203.0.113.0/24", "2001:db8::/32", a bare address. Host bits are left as they are. -EINVAL.
 */
int prefix_parse(const char *text, struct abi_cidr_key *ret_prefix);
/* Clears what is behind the prefix. */
struct abi_cidr_key prefix_network(const struct abi_cidr_key *prefix);
/* Writes it as IPv4 where it is IPv4, always with its length. */
const char *prefix_format(
	const struct abi_cidr_key *prefix, char ret_text[POLICY_PREFIX_TEXT_SIZE]);

bool special_is(const struct abi_cidr_key *prefix);
/* The range that no rule may open and that holds all of `prefix`, or NULL. */
const struct special_range *special_never(const struct abi_cidr_key *prefix);
/* True if a rule for `rule` does not open `part`, a prefix inside it, because that lies in a
 * special range that the rule is wider than. */
bool special_hides(const struct abi_cidr_key *rule, const struct abi_cidr_key *part);
