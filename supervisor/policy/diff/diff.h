/* What a change of a policy would allow that was denied, and deny that was allowed: by meaning, not
 * by text. */
#pragma once

#include "supervisor/policy/policy.h"

enum policy_change_kind {
	POLICY_CHANGE_ALLOWED, /* was denied, or was less */
	POLICY_CHANGE_DENIED,  /* was allowed, or was more */
	POLICY_CHANGE_SAME,    /* inside what the last one named: there nothing changes */
	POLICY_CHANGE_OTHER, /* what is recorded, or done about losses; nothing is allowed by it */
};

struct policy_change {
	enum policy_change_kind kind;
	const char *section; /* "network", "budgets", …: the policy's key */
	char what[256];      /* "203.0.113.0/24 tcp 443, 8000-8010" */
};

typedef void (*policy_change_callback)(const struct policy_change *change, void *userdata);

/* Calls `each` for every change: of the mode, then of what each says as written, addresses first,
 * from wide to narrow. Addresses are compared as the kernel judges them, names as the resolver and
 * the relay do; descriptions, names of policies and the order of rules are no changes. Returns 0,
 * -ENOMEM, or as policy_compile(). */
int policy_diff(const struct policy *before, const struct policy *after,
	policy_change_callback each, void *userdata, struct failure *why);
