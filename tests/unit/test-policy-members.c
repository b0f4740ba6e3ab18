/* Lines of the log, looked through the fast way or read by jansson: the same comes out. */
#include "tests/harness/check.h"

#include <errno.h>
#include <stdio.h>

#include "supervisor/policy/acts/members.h"

static void check_members(const char *line, bool fast, const char *name, int64_t port)
{
	struct members members;
	char text[16];

	CHECK_INT(members_scan(line, strlen(line), &members), fast);
	CHECK_INT(members_read(line, strlen(line), &members), 0);
	CHECK(!members.json == fast);
	member_copy(&members.list[MEMBER_NAME], text, sizeof(text));
	CHECK_TEXT(text, name);
	CHECK_INT(members.list[MEMBER_PORT].integer, port);
	members_fini(&members);
}

TEST(plain_lines_are_read_the_fast_way)
{
	check_members("{\"name\":\"a.org\",\"port\":443}\n", true, "a.org", 443);
	check_members("{ \"name\" : \"a.org\" , \"port\" : 443 }", true, "a.org", 443);
	check_members("{}", true, "", 0);
	check_members("{\"x\":[1,[],{}],\"y\":{\"port\":1,\"z\":[true,false,null]},\"port\":0}",
		true, "", 0);
	check_members("{\"port\":1,\"port\":2}", true, "", 2);
	check_members("{\"name\":7,\"port\":\"7\"}", true, "", 0);
	check_members("{\"name\":\"\",\"names\":\"b\",\"nam\":\"c\",\"\":1}", true, "", 0);
	check_members("{\"port\":-443}", true, "", -443);
	check_members("{\"port\":true,\"name\":false}", true, "", 1);
	check_members("{\"name\":\"0123456789abcdefghi\"}", true, "0123456789abcde", 0);
}

TEST(other_good_lines_are_left_to_jansson)
{
	check_members("{\"name\":\"\\u0061.org\",\"port\":443}", false, "a.org", 443);
	check_members("{\"n\\u0061me\":\"a.org\"}", false, "a.org", 0);
	check_members("{\"name\":\"\xc3\xa4.org\"}", false, "\xc3\xa4.org", 0);
	check_members("{\"port\":443.5}", false, "", 0);
	check_members("{\"port\":1e3,\"name\":\"x\"}", false, "x", 0);
	check_members("{\"port\":9223372036854775807}", false, "", INT64_MAX);
	check_members("{\t\"port\":1}", false, "", 1);
	check_members("{\"x\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]],\"port\":1}", false, "", 1);
}

TEST(what_is_no_object_is_refused)
{
	static const char *const lines[] = {"", "{", "{\"a\":1", "{\"a\":1}}", "{\"a\":1,}",
		"{\"a\":01}", "{\"a\":1 2}", "{\"a\":tru}", "{\"a\":truee}", "{\"a\"}", "{a:1}",
		"{\"a\":\"b}", "{\"a\":[1,]}", "{\"a\":[1}", "[]", "1", "{\"a\":\"\n\"}",
		"{\"a\":\"\xff\"}", "{\"port\":9223372036854775808}", "{\"a\":1,,\"b\":1}",
		"{\"a\":-}", "{\"a\":-01}", "{\"a\":--1}"};
	struct members members;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (members_read(lines[i], strlen(lines[i]), &members) != -EBADMSG)
			CHECK_FAIL("%s", lines[i]);
}

TEST(members_are_compared_whole)
{
	const struct member name = {.text = "deny", .length = 3}, none = {0};

	CHECK(member_is(&name, "den"));
	CHECK(!member_is(&name, "deny"));
	CHECK(!member_is(&name, "de"));
	CHECK(!member_is(&none, ""));
}

TEST(every_member_is_found_by_its_name_alone)
{
	/* Those behind lie deeper. */
	for (size_t i = 0; i < MEMBER_PROCESS_EXE; i++) {
		struct members members;
		char line[128];

		snprintf(line, sizeof(line), "{\"%s\":7,\"%sx\":8}",
			member_name((enum member_key)i), member_name((enum member_key)i));
		CHECK(members_scan(line, strlen(line), &members));
		for (size_t j = 0; j < MEMBERS; j++) {
			CHECK_INT(members.list[j].integer, i == j ? 7 : 0);
			CHECK_INT(members.list[j].is_there, i == j);
		}
	}
}

TEST(arguments_are_read_where_they_lie)
{
	static const struct {
		const char *line, *second; /* NULL: it is not there */
	} rows[] = {
		{"{\"arguments\":[\"0x1\",\"0x2\"]}", "0x2"},
		{"{\"arguments\" : [ 1 , \"0x2\" , {\"a\":[]} , 4 , 5 , 6 , \"7\" ] }", "0x2"},
		{"{\"arguments\":[\"\u00e4\",\"0x2\"]}", "0x2"},
		{"{\"arguments\":[\"0x1\",[\"0x2\"]]}", ""},
		{"{\"arguments\":[\"0x1\",\"0x2\"],\"arguments\":[\"0x3\"]}", NULL},
		{"{\"arguments\":[\"0x1\",\"0x2\"],\"arguments\":7}", NULL},
		{"{\"arguments\":{\"1\":\"0x2\"},\"argument\":[1,2]}", NULL},
		{"{\"x\":{\"arguments\":[\"0x1\",\"0x2\"]},\"arguments\":[]}", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct members members;
		char text[16];

		CHECK_INT(members_read(rows[i].line, strlen(rows[i].line), &members), 0);
		CHECK_INT(members.list[MEMBER_ARGUMENT + 1].is_there, rows[i].second != NULL);
		member_copy(&members.list[MEMBER_ARGUMENT + 1], text, sizeof(text));
		CHECK_TEXT(text, rows[i].second ? rows[i].second : "");
		members_fini(&members);
	}
}

TEST(executable_is_read_where_it_lies)
{
	static const struct {
		const char *line, *exe;
	} rows[] = {
		{"{\"process\":{\"pid\":7,\"exe\":\"/a\",\"x\":{\"exe\":\"/b\"}}}", "/a"},
		{"{\"exe\":\"/a\",\"process.exe\":\"/b\",\"x\":{\"exe\":\"/c\"}}", ""},
		{"{\"process\":{\"exe\":\"/a\"},\"process\":{}}", ""},
		{"{\"process\":{\"exe\":\"/a\"},\"process\":7}", ""},
		{"{\"process\":{\"exe\":\"/a\"},\"process\":{\"exe\":\"/b\",\"exe\":\"/c\"}}",
			"/c"},
		{"{\"process\":[{\"exe\":\"/a\"}]}", ""},
		{"{\"process\":{\"exe\":\"/\u00e4\"}}", "/\xc3\xa4"},
		{"{\"process\" : { \"exe\" : \"/a\" } }", "/a"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct members members;
		char text[16];

		CHECK_INT(members_read(rows[i].line, strlen(rows[i].line), &members), 0);
		member_copy(&members.list[MEMBER_PROCESS_EXE], text, sizeof(text));
		CHECK_TEXT(text, rows[i].exe);
		members_fini(&members);
	}
}

/* However long a text is, and wherever a byte is that does not stand for itself. */
TEST(texts_end_where_jansson_ends_them)
{
	static const char stops[] = "\"\\\x7f\x1f\x80\n";

	for (size_t length = 0; length < 40; length++)
		for (size_t at = 0; at <= length; at++)
			for (size_t stop = 0; stop < sizeof(stops); stop++) {
				struct members members;
				char line[80] = "{\"name\":\"", text[64];
				size_t start = strlen(line);

				memset(line + start, 'x', length);
				if (at < length && stops[stop])
					line[start + at] = stops[stop];
				strcpy(line + start + length, "\"}");
				if (!members_scan(line, strlen(line), &members)) {
					CHECK(at < length && stops[stop]);
					continue;
				}
				CHECK(at == length || !stops[stop]);
				member_copy(&members.list[MEMBER_NAME], text, sizeof(text));
				CHECK_INT(strlen(text), length);
			}
}
