/* Host names as clients write them. */
#include <string.h>

#include "supervisor/inspect/name.h"
#include "tests/harness/check.h"

TEST(name_valid_takes_host_names_and_nothing_else)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{"pypi.org", true},
		{"PyPI.ORG", true},
		{"xn--bcher-kva.example", true},
		{"_dmarc.a-b.c", true},
		{"localhost", true},
		{"", false},
		{".", false},
		{".pypi.org", false},
		{"pypi.org.", false},
		{"pypi..org", false},
		{"pypi org", false},
		{"pypi.org/", false},
		{"pypi.org:443", false},
		{"user@pypi.org", false},
		{"[::1]", false},
		{"*.pypi.org", false},
		{"b\xc3\xbc"
		 "cher.example",
			false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (inspect_name_valid(rows[i].text, strlen(rows[i].text)) != rows[i].valid)
			CHECK_FAIL("%s", rows[i].text);
	}
	CHECK(!inspect_name_valid("pypi\0org", 8));
}

TEST(name_valid_knows_the_lengths_of_labels_and_names)
{
	char text[300];

	memset(text, 'a', sizeof(text));
	CHECK(inspect_name_valid(text, 63));
	CHECK(!inspect_name_valid(text, 64));
	for (size_t i = 63; i < sizeof(text); i += 64)
		text[i] = '.';
	CHECK(inspect_name_valid(text, 253));
	CHECK(!inspect_name_valid(text, 254));
}

TEST(name_equal_ignores_case_only)
{
	CHECK(inspect_name_equal("pypi.org", 8, "pypi.org"));
	CHECK(inspect_name_equal("PYPI.Org", 8, "pypi.org"));
	CHECK(!inspect_name_equal("pypi.org", 7, "pypi.org"));
	CHECK(!inspect_name_equal("pypi.org.", 9, "pypi.org"));
	CHECK(!inspect_name_equal("pypi.org\0x", 10, "pypi.org"));
	CHECK(!inspect_name_equal("pypi-org", 8, "pypi.org"));
	CHECK(!inspect_name_equal("", 0, "pypi.org"));
	/* '@' and '`' are one bit from each other, as 'A' and 'a' are. */
	CHECK(!inspect_name_equal("@", 1, "`"));
}

TEST(name_show_gives_what_can_stand_in_quotes)
{
	char shown[6];

	inspect_name_show("a\"\\\n", 4, shown, sizeof(shown));
	CHECK_TEXT(shown, "a???");
	inspect_name_show("abcdefgh", 8, shown, sizeof(shown));
	CHECK_TEXT(shown, "abcde");
	inspect_name_show("", 0, shown, sizeof(shown));
	CHECK_TEXT(shown, "");
}
