/* What is written and read as text: UTF-8, Base64, JSON, ids, signals, routes. */
#include "api/http/auth.h"
#include "api/http/route.h"
#include "api/text/base64.h"
#include "api/text/json.h"
#include "api/v1/ids.h"
#include "api/v1/routes.h"
#include "api/v1/signals.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/utf8.h"
#include "tests/harness/check.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct sequence {
	const char *bytes;
	size_t size, valid;
	bool cut_short;
};

TEST(utf8_accepts_what_rfc_3629_accepts)
{
	static const struct sequence rows[] = {
		{"", 0, 0, false},
		{"abcdefghi", 9, 9, false},
		{"a\0b", 3, 3, false},
		{"\xc2\x80", 2, 2, false},
		{"\xdf\xbf", 2, 2, false},
		{"\xe0\xa0\x80", 3, 3, false},
		{"\xed\x9f\xbf", 3, 3, false},
		{"\xee\x80\x80", 3, 3, false},
		{"\xef\xbf\xbf", 3, 3, false},
		{"\xf0\x90\x80\x80", 4, 4, false},
		{"\xf4\x8f\xbf\xbf", 4, 4, false},
		{"12345678\xc3\xbc", 10, 10, false},
		/* overlong, surrogates, too large, never a first byte */
		{"\xc0\x80", 2, 0, false},
		{"\xc1\xbf", 2, 0, false},
		{"\xe0\x9f\xbf", 3, 0, false},
		{"\xf0\x8f\xbf\xbf", 4, 0, false},
		{"\xed\xa0\x80", 3, 0, false},
		{"\xed\xbf\xbf", 3, 0, false},
		{"\xf4\x90\x80\x80", 4, 0, false},
		{"\xf5\x80\x80\x80", 4, 0, false},
		{"\x80", 1, 0, false},
		{"\xff", 1, 0, false},
		{"abcdefgh\x80", 9, 8, false},
		{"\xc3(", 2, 0, false},
		{"\xe2\x82(", 3, 0, false},
		{"a\xf0\x9f\x92(", 5, 1, false},
		/* the beginning of one more */
		{"\xc3", 1, 0, true},
		{"a\xe2", 2, 1, true},
		{"a\xe2\x82", 3, 1, true},
		{"\xf0\x9f\x92", 3, 0, true},
		{"\xe0\x80", 2, 0, false},
		{"\xed\xa0", 2, 0, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool cut_short;
		size_t valid = utf8_valid_size(rows[i].bytes, rows[i].size, &cut_short);

		if (valid != rows[i].valid || cut_short != rows[i].cut_short)
			CHECK_FAIL("row %zu: %zu, %d", i, valid, cut_short);
		CHECK_INT(
			utf8_is_valid(rows[i].bytes, rows[i].size), rows[i].valid == rows[i].size);
	}
}

TEST(base64_goes_both_ways)
{
	static const char *const rows[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "/+++"}};
	char text[16] = "", bytes[16];
	size_t size;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		base64_encode(rows[i][0], strlen(rows[i][0]), text);
		text[base64_size(strlen(rows[i][0]))] = '\0';
		CHECK_TEXT(text, rows[i][1]);
		CHECK_INT(base64_decode(rows[i][1], strlen(rows[i][1]), bytes, &size), 0);
		CHECK_INT(size, strlen(rows[i][0]));
		CHECK(memcmp(bytes, rows[i][0], size) == 0);
	}
}

TEST(base64_refuses_all_that_is_not_canonical)
{
	static const char *const rows[] = {"Z", "Zg",
		"Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm9v\n",
		"Zm 9v===", "Zg==Zg==", "Zm-_", "=Zg="};
	char bytes[16];
	size_t size;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (base64_decode(rows[i], strlen(rows[i]), bytes, &size) != -EINVAL)
			CHECK_FAIL("\"%s\" was taken", rows[i]);
}

TEST(json_escapes_and_sets_commas)
{
	struct writer writer = {0};

	json_write_open(&writer, '{');
	json_write_text(&writer, "a", "q\" b\\ n\n r\r t\t c\x01 d\x7f u\xc3\xbc");
	json_write_name(&writer, "b");
	json_write_open(&writer, '[');
	json_write_string(&writer, "x\0y", 3);
	json_write_string(&writer, "bad\xff\xc3", 5);
	json_write_open(&writer, '{');
	json_write_close(&writer, '}');
	json_write_open(&writer, '[');
	json_write_close(&writer, ']');
	json_write_close(&writer, ']');
	json_write_number(&writer, "n", UINT64_MAX);
	json_write_boolean(&writer, "t", true);
	json_write_text_or_null(&writer, "z", "");
	json_write_time(&writer, "w", 1);
	json_write_close(&writer, '}');
	writer_bytes(&writer, "", 1);
	CHECK(!writer.failed);
	CHECK_TEXT(writer.bytes,
		"{\"a\":\"q\\\" b\\\\ n\\n r\\r t\\t c\\u0001 d\\u007f "
		"u\xc3\xbc\",\"b\":[\"x\\u0000y\","
		"\"bad\xef\xbf\xbd\xef\xbf\xbd\",{},[]],\"n\":18446744073709551615,\"t\":true,"
		"\"z\":null,\"w\":\"1970-01-01T00:00:00.000Z\"}");
	writer_fini(&writer);
}

TEST(writer_prints_more_than_it_guessed)
{
	struct writer writer = {0};

	writer_print(&writer, "%0500d", 7);
	CHECK_INT(writer.size, 500);
	CHECK(writer.bytes[499] == '7');
	writer_fini(&writer);
}

TEST(ids_are_read_as_they_are_written)
{
	char text[ID_SIZE];
	uint64_t id;

	id_write_sandbox(UINT64_MAX, text);
	CHECK_TEXT(text, "sb-ffffffffffffffff");
	CHECK(id_read_sandbox(text, &id) && id == UINT64_MAX);
	id_write_exec(0x1a, text);
	CHECK_TEXT(text, "ex-000000000000001a");
	CHECK(id_read_exec(text, &id) && id == 0x1a);
	CHECK(!id_read_sandbox("sb-1a", &id));
	CHECK(!id_read_sandbox("sb-0000000000000000", &id));
	CHECK(!id_read_sandbox("sb-00000000000000AB", &id));
	CHECK(!id_read_sandbox("ex-00000000000000ab", &id));
	CHECK(!id_read_sandbox("sb-00000000000000ab0", &id));
	CHECK(!id_read_exec("ex-", &id));
}

TEST(signals_have_names)
{
	char name[SIGNAL_NAME_SIZE];

	CHECK_INT(signal_from_name("SIGTERM"), SIGTERM);
	CHECK_INT(signal_from_name("KILL"), SIGKILL);
	CHECK_INT(signal_from_name("SIGsomething"), 0);
	CHECK_INT(signal_from_name(""), 0);
	CHECK_INT(signal_from_name("SIG"), 0);
	signal_write_name(SIGKILL, name);
	CHECK_TEXT(name, "SIGKILL");
	signal_write_name(40, name);
	CHECK_TEXT(name, "SIG40");
}

TEST(routes_are_found_by_method_and_path)
{
	struct route_table table = v1_routes();
	struct route_match match;

	route_find(&table, "DELETE", "/v1/sandboxes/sb-1/execs/ex-2", &match);
	CHECK(match.route && match.route->handler == exec_kill);
	CHECK_TEXT(match.parameters[0], "sb-1");
	CHECK_TEXT(match.parameters[1], "ex-2");
	route_find(&table, "GET", "/v1/policies/reload", &match);
	CHECK(match.route && match.route->handler == policies_get);
	route_find(&table, "POST", "/v1/policies/reload", &match);
	CHECK(match.route && match.route->handler == policies_reload);
	route_find(&table, "HEAD", "/v1/usage", &match);
	CHECK(match.route && match.route->handler == usage_of_tenant);
	route_find(&table, "HEAD", "/v1/events", &match);
	CHECK(!match.route && match.path_known);
	route_find(&table, "GET", "/v1/sandboxes//usage", &match);
	CHECK(!match.route && !match.path_known);
	route_find(&table, "GET", "/v1/sandbox", &match);
	CHECK(!match.route && !match.path_known);
	route_find(&table, "GET", "/v1/sandboxes/x/usage/y", &match);
	CHECK(!match.route && !match.path_known);
	route_find(&table, "GET", "/v1/sandboxes/sb-1/ports/80", &match);
	CHECK(match.route && match.route->handler == ports_get);
	route_find(&table, "POST", "/v1/sandboxes/sb-1/ports/80", &match);
	CHECK(match.route && match.route->handler == ports_issue_ticket);
	route_find(&table, "DELETE", "/v1/sandboxes/sb-1/ports/80", &match);
	CHECK(!match.route && match.path_known);
	route_find(&table, "PROPFIND", "/v1/sandboxes/sb-1/ports/80/", &match);
	CHECK(match.route && match.route->handler == ports_preview);
	route_find(&table, "HEAD", "/v1/sandboxes/sb-1/ports/80/a/b", &match);
	CHECK(match.route && match.route->handler == ports_preview);
	CHECK_TEXT(match.parameters[1], "80");
	route_find(&table, "GET", "/v1/sandboxes/sb-1/ports//a", &match);
	CHECK(!match.route && !match.path_known);
}

TEST(keys_are_taken_out_of_the_header)
{
	char key[WIRE_KEY_SIZE] = "";

	CHECK_INT(auth_take_key("bearer  clo_1_2", key), 0);
	CHECK_TEXT(key, "clo_1_2");
	CHECK_INT(auth_take_key(NULL, key), -ENOENT);
	CHECK_INT(auth_take_key("Bearer", key), -EINVAL);
	CHECK_INT(auth_take_key("Bearer a\x80", key), -EINVAL);
}

/* True if the path's section of openapi.yaml has the method. OpenAPI has neither "any method" nor
 * tails of paths: there they are GET and "{path}". */
static bool is_described(const char *document, const struct route *route)
{
	char mark[128], method[16] = "";
	const char *section, *next, *found;

	for (size_t i = 0; route->method[i]; i++)
		method[i] = (char)tolower(route->method[i]);
	if (strcmp(route->method, "*") == 0)
		strcpy(method, "get");
	snprintf(mark, sizeof(mark), "\n  %.*s%s:\n", (int)strcspn(route->pattern, "*"),
		route->pattern, strchr(route->pattern, '*') ? "{path}" : "");
	section = strstr(document, mark);
	if (!section)
		return false;
	next = strstr(section + strlen(mark), "\n  /");
	snprintf(mark, sizeof(mark), "\n    %s:\n", method);
	found = strstr(section, mark);
	return found && (!next || found < next);
}

TEST(openapi_describes_every_route)
{
	struct route_table table = v1_routes();
	char *document;

	if (fd_read_file_at(AT_FDCWD, "api/v1/openapi.yaml", 1 << 20, &document, NULL) < 0)
		check_skip("api/v1/openapi.yaml is not below the working directory");
	for (size_t i = 0; i < table.n; i++)
		if (!is_described(document, &table.routes[i]))
			CHECK_FAIL("%s %s", table.routes[i].method, table.routes[i].pattern);
	free(document);
}
