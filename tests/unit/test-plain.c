#include "supervisor/base/plain.h"

#include <stdio.h>

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"

/* A character of each kind that misleads, and its neighbours that do not. */
TEST(plain_text_has_nothing_that_a_terminal_obeys_or_that_reads_as_something_else)
{
	static const struct {
		const char *text;
		size_t misleading;
	} rows[] = {
		{"", 0},
		{"\x1f", 1},
		{" ", 0},
		{"~", 0},
		{"\x7f", 1},
		{"\xc2\x80", 2}, /* U+0080 */
		{"\xc2\x9f", 2},
		{"\xc2\xa0", 0},
		{"\xc3\x9b", 0},
		{"\xc2", 0},
		{"\xe2\x80\xa7", 0}, /* U+2027 */
		{"\xe2\x80\xa8", 3},
		{"\xe2\x80\xae", 3},
		{"\xe2\x80\xaf", 0},
		{"\xe2\x81\xa5", 0}, /* U+2065 */
		{"\xe2\x81\xa6", 3},
		{"\xe2\x81\xa9", 3},
		{"\xe2\x81\xaa", 0},
		{"\xe2\x80", 0},
		{"\xe2", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char around[16];

		CHECK_INT(plain_misleading(rows[i].text), rows[i].misleading);
		snprintf(around, sizeof(around), "a%s", rows[i].text);
		CHECK_INT(plain_is(around), rows[i].misleading == 0);
	}
}
