/* The ranges of addresses that are special, for all who judge addresses: policies, and the answers
 * of resolvers (supervisor/resolve/vet.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bpf/abi/rule.h"

/* What it takes to open a range. A rule that is wider than it never does. */
enum special_kind {
	SPECIAL_NEVER,   /* no rule can */
	SPECIAL_EXACT,   /* a rule for addresses inside it */
	SPECIAL_PRIVATE, /* the same, or a rule for a name that may be private */
};

struct special_range {
	struct abi_cidr_key prefix;
	const char *name;
	enum special_kind kind;
};

/* They nest: an address may be in several. */
size_t special_count(void);
const struct special_range *special_at(size_t index);
bool special_holds(const struct special_range *range, const struct abi_address *address);
/* True if a rule for a name reaches the address only when it says "private". */
bool special_is_private(const struct abi_address *address);
