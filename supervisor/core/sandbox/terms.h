/* What a request for a sandbox asks for, against what its policy allows: a request can only narrow.
 */
#pragma once

#include "supervisor/core/policies/policies.h"
#include "supervisor/wire/api.h"

/* Sets `limits` and `timeout_ms` of `request` to what will hold. `tail` has its labels and its
 * environment. Returns 0, or a refusal that names the layer. */
int terms_settle(const struct effective *effective, struct wire_sandbox_create *request,
	const char *tail, struct refusal *why);
