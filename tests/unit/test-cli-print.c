#include "tools/cloche/print.h"

#include <stdio.h>

#include "tests/harness/check.h"

TEST(print_lets_no_terminal_command_through)
{
	static const struct {
		const char *text, *plain;
	} rows[] = {
		{"plain text", "plain text"},
		{"grün €", "grün €"},
		{"\x1b[31mred", "\\x1b[31mred"},
		{"a\rb\nc\td", "a\\x0db\\x0ac\\x09d"},
		{"\xc2\x9b"
		 "31m",
			"\\xc2\\x9b31m"}, /* U+009B is CSI too */
		{"\xff\xfe", "\\xff\\xfe"},
		{"\xc0\x9b", "\\xc0\\x9b"},          /* overlong ESC */
		{"\xe2\x82", "\\xe2\\x82"},          /* cut short */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* surrogate */
		{"\x7f", "\\x7f"},
		{"\xe2\x80\xae"
		 "gpj",
			"\\xe2\\x80\\xaegpj"}, /* U+202E turns what follows */
		{"\xe2\x80\x99\xe2\x81\xaa", "\xe2\x80\x99\xe2\x81\xaa"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char plain[64];

		CHECK_TEXT(print_plain(plain, sizeof(plain), rows[i].text), rows[i].plain);
	}
}

TEST(print_cuts_plain_text_between_characters)
{
	char plain[8];

	CHECK_TEXT(print_plain(plain, sizeof(plain), "123456789"), "1234");
	CHECK_TEXT(print_plain(plain, sizeof(plain), "12\x1b\x1b"), "12\\x1b");
	CHECK_TEXT(print_plain(plain, sizeof(plain), "\xc2\x9b"), "");
}

TEST(print_writes_numbers_with_units)
{
	char cell[PRINT_CELL_SIZE];

	CHECK_TEXT(print_bytes(cell, 0), "0 B");
	CHECK_TEXT(print_bytes(cell, 1023), "1023 B");
	CHECK_TEXT(print_bytes(cell, 512ULL << 20), "512.0 MiB");
	CHECK_TEXT(print_bytes(cell, UINT64_MAX), "16.0 EiB");
	CHECK_TEXT(print_duration(cell, 1500), "2 µs");
	CHECK_TEXT(print_duration(cell, 1500000), "1.5 ms");
	CHECK_TEXT(print_duration(cell, 61000000000), "61.00 s");
	CHECK_TEXT(print_duration(cell, 3723000000000), "1 h 02 min 03 s");
	CHECK_TEXT(print_time(cell, "2026-11-21T21:40:00.123456789Z"), "2026-11-21 21:40:00");
	CHECK_TEXT(print_time(cell, NULL), "-");
}
