/* supervisor/audit/segments/segment.c, and reading over several segments. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/audit/lines/time-text.h"
#include "supervisor/audit/segments/segment.h"
#include "supervisor/base/clock.h"
#include "tests/harness/audit-scene.h"
#include "tests/harness/check.h"

static struct audit_scene log_;
static char buffer[1 << 17];

static void begin(uint64_t segment_bytes)
{
	log_.config = (struct audit_config){.segment_bytes = segment_bytes};
	audit_scene_begin(&log_);
}

static void fill(int n)
{
	for (int i = 0; i < n; i++)
		audit_record(log_.audit, "a.b", NULL, json_pack("{s:i}", "i", i));
}

static char *path_of(uint64_t first)
{
	static char path[160];
	char name[SEGMENT_NAME_SIZE];

	segment_name(first, name);
	snprintf(path, sizeof(path), "%s/audit/log/%s", log_.directory, name);
	return path;
}

/* Counts what a query finds, over all its pages, and checks the order. */
static uint64_t count(struct audit_query query, uint64_t *ret_first)
{
	uint64_t n = 0, last = query.after, next;
	bool more;

	do {
		const char *line = buffer;
		uint32_t n_page;
		size_t used;

		CHECK_INT(audit_read(log_.audit, &query, buffer, sizeof(buffer) - 1, &used, &n_page,
				  &next, &more),
			0);
		buffer[used] = '\0';
		for (uint32_t i = 0; i < n_page; i++) {
			uint64_t sequence = strtoull(strstr(line, "\"seq\":") + 6, NULL, 10);

			CHECK(sequence > last);
			if (n++ == 0 && ret_first)
				*ret_first = sequence;
			last = sequence;
			line = strchr(line, '\n') + 1;
		}
		CHECK(next > query.after || !more);
		query.after = next;
	} while (more);
	return n;
}

TEST(a_name_is_the_sequence_in_twenty_digits)
{
	static const char *const bad[] = {"", "1.jsonl", "00000000000000000000.jsonl",
		"0000000000000000001.jsonl", "00000000000000000001.json",
		"00000000000000000001.jsonl2", "99999999999999999999.jsonl",
		"+0000000000000000001.jsonl"};
	char name[SEGMENT_NAME_SIZE];
	uint64_t first = 0;

	segment_name(18446744073709551615ULL, name);
	CHECK_TEXT(name, "18446744073709551615.jsonl");
	CHECK_INT(segment_name_parse(name, &first), 0);
	CHECK(first == UINT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(segment_name_parse(bad[i], &first), -EINVAL);
}

TEST(a_full_segment_is_followed_by_one_named_after_its_first_record)
{
	struct stat info;

	begin(200);
	fill(7);
	/* Lines of 70 bytes: the third makes it full. */
	CHECK_INT(stat(path_of(1), &info), 0);
	CHECK(info.st_size >= 200 && info.st_size < 400);
	CHECK_INT(stat(path_of(4), &info), 0);
	CHECK_INT(info.st_mode & 07777, 0600);
	CHECK_INT(stat(path_of(7), &info), 0);
	CHECK_INT(stat(path_of(10), &info), -1);
	audit_scene_end(&log_);
}

TEST(an_old_segment_is_followed_by_another_at_its_age)
{
	log_.config = (struct audit_config){.segment_age_ns = 1};
	audit_scene_begin(&log_);
	fill(2);
	CHECK_INT(access(path_of(2), F_OK), 0);
	CHECK_INT(access(path_of(3), F_OK), 0);
	audit_scene_end(&log_);
}

TEST(records_are_found_in_all_segments_before_and_after_a_restart)
{
	uint64_t first;

	begin(1000);
	fill(500);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(count((struct audit_query){}, &first), 500);
		CHECK_INT(first, 1);
		for (uint64_t after = 0; after < 500; after += 77) {
			CHECK_INT(count((struct audit_query){.after = after}, &first), 500 - after);
			CHECK_INT(first, after + 1);
		}
		CHECK_INT(count((struct audit_query){.after = 100, .until = 120}, &first), 20);
		CHECK_INT(first, 101);
		CHECK_INT(count((struct audit_query){.after = 120, .until = 120}, NULL), 0);
		audit_scene_reopen(&log_);
	}
	fill(1);
	CHECK_INT(audit_last_sequence(log_.audit), 501);
	CHECK_INT(count((struct audit_query){.after = 499}, NULL), 2);
	audit_scene_end(&log_);
}

TEST(a_new_segment_without_a_record_goes_on_after_a_restart)
{
	begin(1);
	fill(2);
	CHECK_INT(access(path_of(3), F_OK), 0);
	audit_scene_reopen(&log_);
	CHECK_INT(audit_last_sequence(log_.audit), 2);
	fill(1);
	CHECK_INT(count((struct audit_query){}, NULL), 3);
	audit_scene_end(&log_);
}

static void reopen_moves_aside(void)
{
	struct failure why = {};

	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, &why), 1);
	CHECK(strstr(why.sentence, "audit.broken-"));
}

TEST(a_segment_that_is_missing_between_two_is_not_passed_over)
{
	begin(1);
	fill(4);
	log_.audit = audit_free(log_.audit);
	CHECK_INT(unlink(path_of(2)), 0);
	reopen_moves_aside();
	audit_scene_end(&log_);
}

TEST(half_a_line_is_forgiven_in_the_newest_segment_only)
{
	int fd;

	begin(1);
	fill(3);
	log_.audit = audit_free(log_.audit);
	fd = open(path_of(2), O_WRONLY | O_APPEND | O_CLOEXEC);
	CHECK_INT(write(fd, "{", 1), 1);
	close(fd);
	reopen_moves_aside();
	audit_scene_end(&log_);
}

/* Appends records with times of our choice, as an earlier process would have. */
static void append_at(uint64_t sequence, uint64_t time_ns, const char *rest)
{
	char text[TIME_TEXT_LENGTH + 1], line[512];
	int fd = open(path_of(1), O_WRONLY | O_APPEND | O_CLOEXEC), length;

	time_text_write(time_ns, text);
	length = snprintf(line, sizeof(line),
		"{\"v\":1,\"seq\":%" PRIu64 ",\"time\":\"%s\",\"type\":%s}\n", sequence, text,
		rest);
	CHECK_INT(write(fd, line, (size_t)length), length);
	close(fd);
}

TEST(a_range_of_time_is_found_and_its_bounds_hold)
{
	uint64_t hour_ns = 3600 * NS_PER_SECOND, first = 0;
	struct audit_query query;

	begin(0);
	log_.audit = audit_free(log_.audit);
	for (uint64_t i = 1; i <= 3000; i++)
		append_at(i, i * hour_ns, i % 2 ? "\"a.b\"" : "\"c.d\"");
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	query = (struct audit_query){.since_ns = 2000 * hour_ns, .until_ns = 2010 * hour_ns};
	CHECK_INT(count(query, &first), 10);
	CHECK_INT(first, 2000);
	query.type = "x,c,y";
	CHECK_INT(count(query, NULL), 5);
	query = (struct audit_query){.since_ns = 2000 * hour_ns + 1, .until = 3000};
	CHECK_INT(count(query, &first), 1000);
	CHECK_INT(first, 2001);
	query.after = 2500;
	CHECK_INT(count(query, &first), 500);
	CHECK_INT(count((struct audit_query){.until_ns = 11 * hour_ns}, NULL), 10);
	CHECK_INT(count((struct audit_query){.since_ns = 4000 * hour_ns, .until = 3000}, NULL), 0);
	audit_scene_end(&log_);
}

TEST(what_is_a_little_out_of_order_in_time_is_found_too)
{
	uint64_t second_ns = NS_PER_SECOND, start_ns = 1000000 * second_ns;

	begin(0);
	log_.audit = audit_free(log_.audit);
	for (uint64_t i = 1; i <= 5000; i++)
		append_at(i, start_ns + (i % 10 ? i : i - 500) * second_ns, "\"a.b\"");
	CHECK_INT(audit_open(log_.loop, &log_.config, &log_.audit, NULL), 0);
	/* Nine of ten by their place, and those of 500 records later. */
	CHECK_INT(count((struct audit_query){.since_ns = start_ns + 2000 * second_ns,
				.until_ns = start_ns + 2100 * second_ns},
			  NULL),
		100);
	audit_scene_end(&log_);
}

TEST(a_verdict_is_the_records_own_and_not_one_in_a_text)
{
	begin(0);
	for (int i = 0; i < 3; i++) {
		audit_record(log_.audit, "n.c", NULL, json_pack("{s:s}", "verdict", "deny"));
		audit_record(log_.audit, "n.c", NULL, json_pack("{s:s}", "verdict", "denying"));
		audit_record(log_.audit, "n.c", NULL,
			json_pack("{s:s}", "text", ",\"verdict\":\"deny\""));
		audit_record(log_.audit, "n.c", NULL, json_pack("{s:s}", "verdict", "allow"));
	}
	for (int i = 0; i < 2; i++) {
		CHECK_INT(count((struct audit_query){.verdict = "deny"}, NULL), 3);
		CHECK_INT(count((struct audit_query){.verdict = "allow"}, NULL), 3);
		CHECK_INT(count((struct audit_query){.verdict = ""}, NULL), 12);
		audit_scene_reopen(&log_);
	}
	audit_scene_end(&log_);
}

TEST(times_are_written_and_read_as_the_c_library_has_them)
{
	static const uint64_t times_s[] = {0, 1, 86399, 951782399, 951782400, 951868800, 1709164800,
		4107542399, 4107542400, 16725225599, 1769904000};
	char text[TIME_TEXT_LENGTH + 1], expected[64];

	for (size_t i = 0; i < sizeof(times_s) / sizeof(times_s[0]); i++) {
		time_t seconds = (time_t)times_s[i];
		uint64_t back = 0;
		struct tm when;

		gmtime_r(&seconds, &when);
		strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000042Z", &when);
		time_text_write(times_s[i] * NS_PER_SECOND + 42, text);
		CHECK_TEXT(text, expected);
		CHECK_INT(time_text_parse(text, strlen(text), &back), 0);
		CHECK_INT(back, times_s[i] * NS_PER_SECOND + 42);
	}
}

TEST(a_time_of_another_form_is_refused)
{
	static const char *const bad[] = {"", "2026-01-31T00:00:00.00000000Z",
		"2026-13-31T00:00:00.000000000Z", "2026-00-31T00:00:00.000000000Z",
		"2026-01-32T00:00:00.000000000Z", "2026-01-31T24:00:00.000000000Z",
		"2026-01-31 00:00:00.000000000Z", "1969-01-31T00:00:00.000000000Z",
		"2026-01-31T00:00:00.000000000+", "9999-01-31T00:00:00.000000000Z"};
	uint64_t time_ns = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(time_text_parse(bad[i], strlen(bad[i]), &time_ns), -EINVAL);
	CHECK_INT(time_ns, 7);
}
