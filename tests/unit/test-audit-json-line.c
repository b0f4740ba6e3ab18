/* supervisor/audit/lines/json-line.c: what untrusted bytes look like in a record. */
#include <stdlib.h>

#include "supervisor/audit/audit.h"
#include "supervisor/audit/lines/json-line.h"
#include "tests/harness/check.h"

static void check_escaped(const char *bytes, size_t size_bytes, const char *expected)
{
	struct json_line line = {};

	json_line_text(&line, bytes, size_bytes);
	json_line_raw(&line, "");
	CHECK(!line.failed);
	CHECK_INT(line.size_bytes, strlen(expected));
	CHECK(memcmp(line.data, expected, line.size_bytes) == 0);
	json_line_fini(&line);
}

#define ESCAPED(bytes, expected) check_escaped(bytes, sizeof(bytes) - 1, expected)

TEST(plain_text_and_utf8_stay)
{
	ESCAPED("", "\"\"");
	ESCAPED("abc /x", "\"abc /x\"");
	ESCAPED("gl\xc3\xb6"
		"ckchen \xf0\x9f\x94\x94",
		"\"gl\xc3\xb6"
		"ckchen \xf0\x9f\x94\x94\"");
}

TEST(quotes_and_control_characters_are_escaped)
{
	ESCAPED("a\"b\\c", "\"a\\\"b\\\\c\"");
	ESCAPED("a\nb\tc\rd", "\"a\\nb\\tc\\u000dd\"");
	ESCAPED("\0\x1b[2J\x7f", "\"\xef\xbf\xbd\\u001b[2J\\u007f\"");
	ESCAPED("\xc2\x9b", "\"\\u009b\"");
	ESCAPED("\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"");
}

TEST(bytes_that_are_no_utf8_become_replacement_characters)
{
	ESCAPED("a\xff"
		"b",
		"\"a\xef\xbf\xbd"
		"b\"");
	ESCAPED("\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""); /* overlong slash */
	ESCAPED("\xe0\x80\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	ESCAPED("\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* surrogate */
	ESCAPED("\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	ESCAPED("\xc3", "\"\xef\xbf\xbd\""); /* cut off in the middle */
}

TEST(edges_of_utf8_are_accepted)
{
	ESCAPED("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
		"\"\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf\"");
}

TEST(keys_are_separated_by_commas_in_the_order_of_the_calls)
{
	struct json_line line = {};
	static const char field[4] = {'a', 'b', 'c', 'd'};

	json_line_raw(&line, "{");
	json_line_add_unsigned(&line, "z", UINT64_MAX);
	json_line_add_text(&line, "a", "x");
	json_line_add_field(&line, "f", field, sizeof(field));
	json_line_add_bool(&line, "b", false);
	json_line_key(&line, "o");
	json_line_raw(&line, "{");
	json_line_add_bool(&line, "t", true);
	json_line_raw(&line, "}}");
	json_line_text(&line, "", 0);
	json_line_cut(&line, line.size_bytes - 2);
	line.data[line.size_bytes] = '\0';
	CHECK_TEXT(line.data, "{\"z\":18446744073709551615,\"a\":\"x\",\"f\":\"abcd\",\"b\":false,"
			      "\"o\":{\"t\":true}}");
	json_line_fini(&line);
}

TEST(values_of_jansson_are_written_compactly)
{
	struct json_line line = {};
	json_t *value = json_pack(
		"{s:[i,b,n],s:{},s:s,s:f}", "list", -3, 1, "empty", "text", "q\"", "real", 1.5);

	json_line_value(&line, value);
	json_line_text(&line, "", 0);
	line.data[line.size_bytes - 2] = '\0';
	CHECK_TEXT(line.data,
		"{\"list\":[-3,true,null],\"empty\":{},\"text\":\"q\\\"\",\"real\":1.5}");
	json_decref(value);
	json_line_fini(&line);
}

TEST(audit_text_makes_any_bytes_a_string)
{
	json_t *text = audit_text("a\xff\0z", 4), *empty = audit_text(NULL, 0);

	CHECK_INT(json_string_length(text), 8);
	CHECK(memcmp(json_string_value(text), "a\xef\xbf\xbd\xef\xbf\xbdz", 8) == 0);
	CHECK_TEXT(json_string_value(empty), "");
	json_decref(text);
	json_decref(empty);
}
