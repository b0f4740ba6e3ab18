/* What top shows of two answers: rates, an order that stays, cells that fit. */
#include "tools/cloche/top-rows.h"

#include <stdio.h>

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"

#define SECOND 1000000000ULL

static struct top_rows read_rows(const char *text, uint64_t time_ns, const struct top_rows *before)
{
	json_t *answer = json_loads(text, 0, NULL);
	struct top_rows rows;

	CHECK(answer);
	CHECK_INT(top_rows_read(answer, time_ns, before, &rows), 0);
	json_decref(answer);
	return rows;
}

static const char first[] =
	"{\"sandboxes\":[{\"sandbox\":\"sb-1\",\"tenant\":\"acme\",\"usage\":{\"cpu_ns\":"
	"1000000000,"
	"\"memory_bytes\":1,\"memory_peak_bytes\":2,\"bytes_sent\":10,\"bytes_received\":20,"
	"\"block_read_bytes\":100,\"block_written_bytes\":200,\"execs\":3,\"connections_denied\":4,"
	"\"wall_ns\":5}}]}";
static const char second[] =
	"{\"sandboxes\":[{\"sandbox\":\"sb-2\",\"tenant\":\"acme\",\"usage\":{\"cpu_ns\":"
	"9000000000}},"
	"{\"sandbox\":\"sb-1\",\"tenant\":\"acme\",\"usage\":{\"cpu_ns\":4000000000,"
	"\"bytes_sent\":1010,\"bytes_received\":1020,\"block_read_bytes\":90,"
	"\"block_written_bytes\":100}}]}";

TEST(first_answer_has_sums_and_no_rates)
{
	const struct top_rows none = {0};
	struct top_rows rows = read_rows(first, 7 * SECOND, &none);
	const struct top_row *row = rows.rows;

	CHECK_INT(rows.n, 1);
	CHECK_INT(rows.time_ns, 7 * SECOND);
	CHECK_TEXT(row->sandbox, "sb-1");
	CHECK_TEXT(row->tenant, "acme");
	CHECK_INT(row->cpu_ns, SECOND);
	CHECK_INT(row->memory_bytes, 1);
	CHECK_INT(row->peak_bytes, 2);
	CHECK_INT(row->network_bytes, 30);
	CHECK_INT(row->block_bytes, 300);
	CHECK_INT(row->execs, 3);
	CHECK_INT(row->denied, 4);
	CHECK_INT(row->alive_ns, 5);
	CHECK(row->cpu == 0 && row->network == 0 && row->block == 0);
	top_rows_fini(&rows);
	CHECK(!rows.rows && rows.n == 0);
}

TEST(rates_are_over_the_time_between_two_answers)
{
	const struct top_rows none = {0};
	struct top_rows before = read_rows(first, 10 * SECOND, &none);
	struct top_rows rows = read_rows(second, 12 * SECOND, &before);

	CHECK_INT(rows.n, 2);
	/* New in this answer: all it used so far is no rate. */
	CHECK(rows.rows[0].cpu == 0);
	CHECK(rows.rows[1].cpu == 1.5);
	CHECK(rows.rows[1].network == 1000);
	/* A counter that went back is no traffic. */
	CHECK(rows.rows[1].block == 0);
	top_rows_fini(&rows);
	rows = read_rows(second, 10 * SECOND, &before);
	CHECK(rows.rows[1].cpu == 0 && rows.rows[1].network == 0);
	top_rows_fini(&rows);
	top_rows_fini(&before);
}

TEST(answers_without_members_are_rows_of_nothing)
{
	const struct top_rows none = {0};
	static const char *const answers[] = {
		"{}", "[]", "{\"sandboxes\":{}}", "{\"sandboxes\":[]}", "{\"sandboxes\":null}"};
	char line[TOP_LINE_SIZE];
	struct top_rows rows;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		rows = read_rows(answers[i], 1, &none);
		CHECK_INT(rows.n, 0);
		top_rows_sort(&rows, TOP_BY_CPU, false);
		top_rows_fini(&rows);
	}
	rows = read_rows("{\"sandboxes\":[{},7,{\"sandbox\":1,\"usage\":[]}]}", 1, &none);
	CHECK_INT(rows.n, 3);
	for (size_t i = 0; i < rows.n; i++)
		CHECK(strlen(top_line(line, &rows.rows[i])) < TOP_LINE_SIZE);
	top_rows_fini(&rows);
}

static void check_order(
	struct top_rows *rows, enum top_order order, bool reversed, const char *text)
{
	char found[16] = "";

	top_rows_sort(rows, order, reversed);
	for (size_t i = 0; i < rows->n; i++)
		strcat(found, rows->rows[i].sandbox);
	CHECK_TEXT(found, text);
}

TEST(the_largest_comes_first_and_equal_ones_stay)
{
	struct top_row list[] = {
		{.sandbox = "c",
			.cpu = 1,
			.memory_bytes = 3,
			.network = 2,
			.block = 9,
			.denied = 1},
		{.sandbox = "a",
			.cpu = 2,
			.memory_bytes = 2,
			.network = 2,
			.block = 0,
			.alive_ns = 7},
		{.sandbox = "b",
			.cpu = 3,
			.memory_bytes = 1,
			.network = 2,
			.block = 5,
			.denied = 2},
	};
	struct top_rows rows = {list, ARRAY_SIZE(list), 0};

	check_order(&rows, TOP_BY_CPU, false, "bac");
	check_order(&rows, TOP_BY_CPU, true, "cab");
	check_order(&rows, TOP_BY_MEMORY, false, "cab");
	check_order(&rows, TOP_BY_BLOCK, false, "cba");
	check_order(&rows, TOP_BY_DENIED, false, "bca");
	check_order(&rows, TOP_BY_NETWORK, false, "abc");
	check_order(&rows, TOP_BY_DENIED, false, "bca");
	check_order(&rows, TOP_BY_NETWORK, true, "abc");
	check_order(&rows, TOP_BY_AGE, false, "abc");
}

TEST(each_order_has_a_key_of_its_own)
{
	static const char keys[] = "cmnbda";
	enum top_order order = TOP_BY_AGE;

	for (size_t i = 0; i < strlen(keys); i++) {
		CHECK(top_order_by_key(keys[i], &order));
		CHECK_INT(order, i);
	}
	CHECK(!top_order_by_key('q', &order) && !top_order_by_key('\0', &order));
	CHECK_INT(order, TOP_BY_AGE);
	CHECK_TEXT(top_order_name(TOP_BY_CPU), "CPU");
	CHECK_TEXT(top_order_name(TOP_BY_DENIED), "denials");
}

TEST(age_is_told_in_the_unit_that_says_most)
{
	static const struct {
		uint64_t seconds;
		const char *cell;
	} rows[] = {{0, " 0 s"}, {119, " 119 s"}, {120, " 2 min"}, {7199, " 119 min"},
		{7200, " 2 h 00"}, {11100, " 3 h 05"}, {172799, " 47 h 59"}, {172800, " 2 d"}};
	char line[TOP_LINE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct top_row row = {.alive_ns = rows[i].seconds * SECOND};
		size_t length = strlen(top_line(line, &row)), tail = strlen(rows[i].cell);

		CHECK(length > tail);
		CHECK_TEXT(line + length - tail, rows[i].cell);
	}
}

TEST(cells_stand_below_their_heads)
{
	const struct top_row row = {.sandbox = "sb-0123456789abcdef",
		.tenant = "a-tenant-with-a-long-name",
		.cpu = 1.25,
		.memory_bytes = 1536,
		.peak_bytes = 1ULL << 30,
		.network = 2048,
		.execs = 12,
		.denied = 3,
		.alive_ns = 90 * SECOND};
	char head[TOP_LINE_SIZE], line[TOP_LINE_SIZE];

	top_head(head);
	top_line(line, &row);
	CHECK_INT(strlen(line), strlen(head));
	CHECK(strstr(line, "sb-0123456789abcdef  a-tenant-wit  125.0"));
	CHECK(strstr(
		line, "1.5 KiB    1.0 GiB      2.0 KiB          0 B       12        3      90 s"));
}

TEST(terminal_commands_in_an_answer_are_text)
{
	const struct top_rows none = {0};
	struct top_rows rows = read_rows(
		"{\"sandboxes\":[{\"sandbox\":\"\\u001b[2J\",\"tenant\":\"a\\nb\"}]}", 1, &none);
	char line[TOP_LINE_SIZE];

	top_line(line, rows.rows);
	CHECK(!strchr(line, '\x1b') && !strchr(line, '\n'));
	CHECK(strstr(line, "\\x1b[2J"));
	top_rows_fini(&rows);
}

TEST(last_line_sums_all_rows)
{
	struct top_row list[] = {{.cpu = 0.5, .memory_bytes = 1024, .network = 1024, .denied = 1},
		{.cpu = 1, .memory_bytes = 1024, .block = 512, .denied = 2}};
	const struct top_rows two = {list, 2, 0}, one = {list, 1, 0};
	char line[TOP_LINE_SIZE];

	CHECK_TEXT(top_sum(line, &two),
		"2 sandboxes   CPU 150.0 %   memory 2.0 KiB   network 1.0 KiB/s"
		"   block I/O 512 B/s   3 denied");
	CHECK(strncmp(top_sum(line, &one), "1 sandbox   CPU 50.0 %", 22) == 0);
}
