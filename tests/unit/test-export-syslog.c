/* Records as messages of RFC 5424. */
#include "api/export/syslog-message.h"
#include "tests/harness/check.h"

#include <stdio.h>
#include <stdlib.h>

static const char *message_of(const char *line, bool framed)
{
	static char text[4096];
	struct writer writer = {0};

	syslog_message_write(&writer, "host.example", line, strlen(line), framed);
	CHECK(!writer.failed && writer.size < sizeof(text));
	memcpy(text, writer.bytes, writer.size);
	text[writer.size] = '\0';
	writer_fini(&writer);
	return text;
}

#define HEAD "{\"seq\":7,\"time\":\"2026-11-21T21:40:00.123456789Z\",\"type\":"

TEST(writes_the_header_and_the_data)
{
	CHECK_TEXT(message_of(HEAD "\"network.connect\",\"sandbox\":\"sb-1\",\"tenant\":\"acme\","
				   "\"verdict\":\"deny\"}",
			   false),
		"<108>1 2026-11-21T21:40:00.123456Z host.example cloche - network.connect "
		"[audit@32473 seq=\"7\" type=\"network.connect\" tenant=\"acme\" sandbox=\"sb-1\" "
		"verdict=\"deny\"] " HEAD "\"network.connect\",\"sandbox\":\"sb-1\","
		"\"tenant\":\"acme\",\"verdict\":\"deny\"}");
}

TEST(grades_by_what_happened)
{
	CHECK(strstr(message_of(HEAD "\"audit.lost\"}", false), "<106>1 ") != NULL);
	CHECK(strstr(message_of(HEAD "\"audit.broken\"}", false), "<106>1 ") != NULL);
	CHECK(strstr(message_of(HEAD "\"sandbox.fail\"}", false), "<108>1 ") != NULL);
	CHECK(strstr(message_of(HEAD "\"exec.start\"}", false), "<110>1 ") != NULL);
}

/* What a client chose must not end a value, or the message. */
TEST(escapes_what_would_end_a_value)
{
	const char *text = message_of(HEAD "\"a\",\"tenant\":\"x\\\"]\\\\y\\n\\u001bz\"}", false);

	CHECK(strstr(text, " tenant=\"x\\\"\\]\\\\yz\"]") != NULL);
	CHECK(!strchr(text, '\n') && !strchr(text, '\x1b'));
}

TEST(frames_by_counting)
{
	const char *text = message_of(HEAD "\"a\"}", true);
	char *end;
	unsigned long size = strtoul(text, &end, 10);

	CHECK(*end == ' ');
	CHECK_INT(strlen(end + 1), size);
	CHECK(strncmp(end + 1, "<110>1 ", 7) == 0);
}

TEST(has_dashes_for_what_is_missing)
{
	CHECK_TEXT(message_of("{}", false),
		"<110>1 - host.example cloche - - [audit@32473 seq=\"0\"] {}");
	CHECK_TEXT(message_of("no json", false),
		"<110>1 - host.example cloche - - [audit@32473 seq=\"0\"] no json");
	CHECK(strstr(message_of("{\"type\":\"a b\\u00e4\"}", false), " cloche - ab [") != NULL);
}

/* The time stands in the header, so only a time may. */
TEST(writes_no_time_that_is_none)
{
	static const char *const none[] = {"2026-11-21T21:40:00.1\x7fZ",
		"2026-11-21T21:40:00.1 <34>1Z", "2026-13-21T21:40:00Z", "2026-11-21t21:40:00Z",
		"2026-11-21T21:40:00+02:00"};
	char line[128];

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		snprintf(line, sizeof(line), "{\"time\":\"%s\"}", none[i]);
		CHECK(strncmp(message_of(line, false), "<110>1 - host.example ", 22) == 0);
	}
	CHECK(strncmp(message_of("{\"time\":\"2026-11-21T21:40:00Z\"}", false),
		      "<110>1 2026-11-21T21:40:00Z host.example ", 41) == 0);
}
