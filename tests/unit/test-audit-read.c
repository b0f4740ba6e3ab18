/* supervisor/audit/read.c: filters, pages, what lies before the index. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "supervisor/audit/audit.h"
#include "supervisor/audit/segments/log-file.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static struct audit_scene log_;
static struct {
	char buffer[1 << 17];
	size_t used;
	uint32_t n;
	uint64_t next;
	bool more;
} got;

static void begin(void)
{
	log_.config = (struct audit_config){};
	audit_scene_begin(&log_);
}

static void reopen(void)
{
	audit_scene_reopen(&log_);
}

static void end(void)
{
	audit_scene_end(&log_);
}

/* Records i = 1…n: sandbox i % 4 (0: none), tenant i % 3, types in turn. */
static void fill(int n)
{
	static const char *const types[] = {"network.connect", "exec.start"};

	for (int i = 1; i <= n; i++) {
		struct audit_subject subject = {
			.sandbox = (uint64_t)i % 4,
			.tenant = (uint32_t)i % 3,
			.tenant_name = i % 3 ? "acme" : NULL,
		};

		audit_record(log_.audit, types[i % 2], &subject, json_pack("{s:i}", "i", i));
	}
}

static int ask(const struct audit_query *query)
{
	int r = audit_read(log_.audit, query, got.buffer, sizeof(got.buffer) - 1, &got.used, &got.n,
		&got.next, &got.more);

	if (r == 0)
		got.buffer[got.used] = '\0';
	return r;
}

static uint64_t sequence_of(const char *line)
{
	const char *found = strstr(line, "\"seq\":");

	CHECK(found);
	return strtoull(found + 6, NULL, 10);
}

/* Asks until there is no more; counts the records and checks that they come in order. */
static uint64_t ask_all(struct audit_query query)
{
	uint64_t n = 0, last = query.after;

	do {
		const char *line;

		CHECK_INT(ask(&query), 0);
		CHECK(got.next > query.after || !got.more);
		line = got.buffer;
		for (uint32_t i = 0; i < got.n; i++) {
			CHECK(sequence_of(line) > last);
			last = sequence_of(line);
			line = strchr(line, '\n') + 1;
		}
		CHECK_INT(*line, 0);
		n += got.n;
		query.after = got.next;
	} while (got.more);
	return n;
}

TEST(an_empty_log_has_no_records_and_no_more)
{
	begin();
	CHECK_INT(ask(&(struct audit_query){}), 0);
	CHECK(got.n == 0 && got.used == 0 && got.next == 0 && !got.more);
	end();
}

TEST(all_records_come_in_order_and_the_next_place_is_named)
{
	begin();
	fill(9);
	CHECK_INT(ask(&(struct audit_query){}), 0);
	CHECK_INT(got.n, 9);
	CHECK_INT(got.next, 9);
	CHECK(!got.more);
	CHECK_INT(sequence_of(got.buffer), 1);
	CHECK_INT(ask(&(struct audit_query){.after = 9}), 0);
	CHECK_INT(got.n, 0);
	CHECK_INT(got.next, 9);
	CHECK_INT(ask(&(struct audit_query){.after = 1000}), 0);
	CHECK(got.n == 0 && !got.more);
	end();
}

TEST(filters_are_by_sandbox_tenant_and_type)
{
	begin();
	fill(24);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(ask_all((struct audit_query){.sandbox = 2}), 6);
		CHECK_INT(ask_all((struct audit_query){.tenant = 1}), 8);
		CHECK_INT(ask_all((struct audit_query){.type = "network"}), 12);
		CHECK_INT(ask_all((struct audit_query){.type = "exec.start", .sandbox = 3}), 6);
		CHECK_INT(ask_all((struct audit_query){.type = "exec.start", .sandbox = 2}), 0);
		CHECK_INT(ask_all((struct audit_query){.tenant = 2, .sandbox = 2, .after = 2}), 1);
		/* The second time from the file: the index begins anew. */
		reopen();
	}
	end();
}

TEST(a_limit_ends_a_page_and_the_next_page_goes_on)
{
	struct audit_query query = {.limit = 3, .type = "network"};

	begin();
	fill(10);
	CHECK_INT(ask(&query), 0);
	CHECK_INT(got.n, 3);
	CHECK(got.more);
	query.after = got.next;
	CHECK_INT(ask(&query), 0);
	CHECK_INT(got.n, 2);
	CHECK(!got.more);
	reopen();
	query.after = 0;
	CHECK_INT(ask_all(query), 5);
	end();
}

TEST(a_full_buffer_ends_a_page_between_two_lines)
{
	size_t used;
	uint32_t n;
	uint64_t next;
	bool more;
	char small[300];
	struct audit_query query = {};

	begin();
	fill(5);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(audit_read(log_.audit, &query, small, sizeof(small), &used, &n, &next,
				  &more),
			0);
		CHECK_INT(n, 2);
		CHECK_INT(next, 2);
		CHECK(more && small[used - 1] == '\n');
		CHECK_INT(audit_read(log_.audit, &query, small, 50, &used, &n, &next, &more),
			-EMSGSIZE);
		reopen();
	}
	end();
}

TEST(what_lies_before_the_index_is_found_in_the_file)
{
	begin();
	fill(3000);
	reopen();
	fill(3000);
	CHECK_INT(ask_all((struct audit_query){}), 6000);
	CHECK_INT(ask_all((struct audit_query){.after = 2990, .limit = 7}), 3010);
	for (uint64_t after = 0; after < 6000; after += 487) {
		CHECK_INT(ask(&(struct audit_query){.after = after, .limit = 1}), 0);
		CHECK_INT(got.n, 1);
		CHECK_INT(sequence_of(got.buffer), after + 1);
	}
	end();
}

TEST(records_older_than_the_ring_are_found_without_a_restart)
{
	begin();
	fill(AUDIT_INDEX_MAX + 100);
	CHECK_INT(ask(&(struct audit_query){.limit = 1}), 0);
	CHECK_INT(sequence_of(got.buffer), 1);
	CHECK_INT(ask_all((struct audit_query){.after = 50, .type = "network"}),
		AUDIT_INDEX_MAX / 2 + 25);
	end();
}

TEST(one_call_looks_at_a_bounded_stretch_of_the_file)
{
	struct audit_query query = {.sandbox = 77};

	begin();
	fill(45000);
	reopen();
	CHECK_INT(ask(&query), 0);
	CHECK(got.n == 0 && got.more && got.next > 10000 && got.next < 45000);
	CHECK_INT(ask_all(query), 0);
	CHECK_INT(got.next, 45000);
	end();
}

TEST(a_line_that_is_damaged_while_the_log_is_open_is_passed_over)
{
	FILE *file;

	begin();
	fill(AUDIT_INDEX_MAX + 10);
	file = fopen(log_.segment_path, "r+");
	CHECK(file);
	fseek(file, 200, SEEK_SET);
	fputs("#\n#\n#", file);
	fclose(file);
	CHECK(ask_all((struct audit_query){}) >= AUDIT_INDEX_MAX + 8);
	end();
}

TEST(events_that_wait_are_read_too)
{
	struct abi_exit_event event = {
		.header = {.version = ABI_VERSION, .type = ABI_EVENT_EXIT, .size = sizeof(event)},
	};

	begin();
	audit_event(log_.audit, &event.header, NULL);
	CHECK_INT(ask_all((struct audit_query){.type = "process"}), 1);
	end();
}

TEST(only_lines_of_ours_are_parsed)
{
	static const char *const bad[] = {
		"{\"v\":1,\"seq\":0,\"time\":\"2026-02-01T00:00:00.000000000Z\",\"type\":\"a.b\"}",
		"",
		"{}",
		"{\"v\":2,\"seq\":1,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":\"a\"}",
		"{\"v\":1,\"seq\":-1,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":\"a\"}",
		"{\"v\":1,\"seq\":,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":\"a\"}",
		"{\"v\":1,\"seq\":1,\"time\":\"x",
		"{\"v\":1,\"seq\":1,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":\"a",
		("{\"v\":1,\"seq\":1,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":"
		 "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
		"{\"v\":1,\"seq\":99999999999999999999999,\"time\":\"2026-01-31T00:00:00."
		"000000000Z\",\"type\":\"a\"}",
		"{\"v\":1,\"seq\":1,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":\"a\","
		"\"sandbox\":\"sb-\"}",
		"{\"v\":1,\"seq\":1,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":\"a\","
		"\"tenant_id\":x}",
	};
	static const char good[] =
		"{\"v\":1,\"seq\":9,\"time\":\"2026-01-31T00:00:00.000000000Z\",\"type\":\"a.b\","
		"\"sandbox\":\"sb-00000000000000ff\",\"tenant_id\":3,\"z\":1}";
	struct audit_facts facts = {.sequence = 5};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!audit_line_parse(bad[i], strlen(bad[i]), &facts));
	CHECK_INT(facts.sequence, 5);
	CHECK(audit_line_parse(good, strlen(good), &facts));
	CHECK(facts.sequence == 9 && facts.sandbox == 255 && facts.tenant == 3);
	CHECK_TEXT(facts.type, "a.b");
}
