/* Budgets in JSON: of a sandbox and of a tenant alike. */
#pragma once

#include "api/text/fields.h"
#include "api/text/writer.h"
#include "supervisor/wire/tenants.h"

/* Adds member "budgets": limit and used of each, or null without any. */
void budgets_write(struct writer *writer, const struct wire_budget budgets[WIRE_BUDGETS],
	uint64_t window_seconds);
/* Reads member "budgets", in the form that policies have; null asks for none. Returns whether it is
 * there and right. */
bool budgets_read(struct fields *fields, struct wire_budget_limits *ret_budgets);
