/* Rows of what candidates said, and which of them are kept. */
#include "supervisor/core/shadow/rows.h"
#include "tests/harness/check.h"

#include <stdio.h>

static struct shadow_row *row_of(struct shadow_rows *rows, unsigned int version, uint16_t rule)
{
	struct shadow_asked asked = {.tenant = 1, .candidate = "next", .rules_of = "next"};

	snprintf(asked.hash, sizeof(asked.hash), "%u", version);
	return shadow_rows_get(rows, &asked, ABI_SHADOW_WOULD_ALLOW, rule, "");
}

static bool is_version(const struct shadow_row *row, void *userdata)
{
	return strcmp(row->hash, userdata) == 0;
}

TEST(rows_that_are_dropped_make_room)
{
	struct shadow_rows *rows = shadow_rows_new();
	struct shadow_row *kept;
	unsigned int n = 0;

	CHECK(rows);
	kept = row_of(rows, 7, 0);
	kept->sum.n = 3;
	while (n < 100000 && row_of(rows, 8, (uint16_t)n)->sum.rule == n)
		n++;
	CHECK(n > 10000 && n < 100000);
	CHECK_INT(row_of(rows, 9, 1)->sum.rule, ABI_RULE_NONE);

	shadow_rows_drop(rows, is_version, "7");
	CHECK(shadow_rows_first(rows) == kept && !kept->next);
	CHECK(row_of(rows, 7, 0) == kept);
	CHECK_INT(kept->sum.n, 3);
	CHECK_INT(row_of(rows, 9, 1)->sum.rule, 1);
	CHECK_INT(row_of(rows, 8, 5)->sum.n, 0);
	shadow_rows_free(rows);
}
