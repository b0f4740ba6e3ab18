/* Points in time: what RFC 3339 has, and nothing else. */
#include "api/text/time.h"
#include "tests/harness/check.h"

#include <errno.h>
#include <time.h>

TEST(reads_rfc_3339)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00.000000001Z", 1},
		{"1970-01-01t00:00:01.5z", 1500000000},
		{"2026-11-21T21:40:00Z", 1795297200000000000},
		{"2026-11-21T21:40:00.123456789Z", 1795297200123456789},
		{"2026-11-21T23:40:00+02:00", 1795297200000000000},
		{"2026-11-21T16:10:00-05:30", 1795297200000000000},
		{"2000-02-29T12:00:00Z", 951825600000000000},
		{"2024-12-31T23:59:59.999999999Z", 1735689599999999999},
		{"2100-03-01T00:00:00Z", 4107542400000000000},
		{"2553-12-31T23:59:59Z", 18429292799000000000ULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 99;

		if (time_parse(rows[i].text, &ns) != 0 || ns != rows[i].ns)
			CHECK_FAIL("%s is %llu", rows[i].text, (unsigned long long)ns);
	}
}

TEST(agrees_with_the_c_library_on_every_day)
{
	for (time_t day = 0; day < 365 * 300; day += 13) {
		time_t seconds = day * 86400 + 3661;
		struct tm when;
		char text[40];
		uint64_t ns = 0;

		gmtime_r(&seconds, &when);
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &when);
		CHECK_INT(time_parse(text, &ns), 0);
		CHECK_INT(ns, seconds * 1000000000LL);
	}
}

TEST(refuses_everything_else)
{
	static const char *const rows[] = {"", "now", "2026-11-21", "2026-11-21T21:40Z",
		"2026-11-21T21:40:00", "2026-11-21 21:40:00Z", "2026-11-21T21:40:00 02:00",
		"2026-11-21T21:40:00+0200", "2026-11-21T21:40:00+24:00", "2026-11-21T21:40:00.Z",
		"2026-11-21T21:40:00.1234567890Z", "2026-11-21T21:40:60Z", "2026-11-21T24:00:00Z",
		"2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-04-31T00:00:00Z",
		"1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "2554-01-01T00:00:00Z",
		"2026-11-21T21:40:00Zx", " 2026-11-21T21:40:00Z", "+026-11-21T21:40:00Z",
		"2026-1-21T21:40:00Z", "1795297200"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t ns = 99;

		if (time_parse(rows[i], &ns) != -EINVAL || ns != 99)
			CHECK_FAIL("\"%s\" is taken", rows[i]);
	}
}
