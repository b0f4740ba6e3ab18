/* Host names in policies: what a rule may say, and what a name may reach. */
#pragma once

#include "supervisor/base/failure.h"
#include "supervisor/policy/model.h"

#define POLICY_HOST_SIZE 254 /* a host name with its NUL: 253 characters (RFC 1035, 2.3.4) */

struct policy_name_range {
	uint16_t first, last; /* ports, both inside */
	uint16_t rule;
	bool is_private;
	enum policy_tls tls;
};

/* What `policy` allows for `name` (lower-case A-labels, no dot at its end): fills at most `n_max`
 * ranges, sorted, not overlapping; where rules overlap the one with the smaller id counts. Returns
 * how many; 0: the name is not allowed. */
size_t policy_name_ranges(const struct policy *policy, const char *name,
	struct policy_name_range *ret_ranges, size_t n_max);

/* What else than addresses `policy` lets the resolver tell of `name`: enum policy_record, several.
 * Says nothing about connections. */
uint8_t policy_name_records(const struct policy *policy, const char *name);
/* The id of the first rule that names this record of it; ABI_RULE_NONE: none does. */
uint16_t policy_record_rule(
	const struct policy *policy, const char *name, enum policy_record record);

/* True if any rule names a host, so that a resolver is of use. */
bool policy_has_names(const struct policy *policy);
