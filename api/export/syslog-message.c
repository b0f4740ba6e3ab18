#include "api/export/syslog-message.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "api/text/time.h"

#define FACILITY_AUDIT 13 /* "log audit" (RFC 5424, 6.2.1) */
#define HOST_MAX 255
#define TYPE_MAX 32       /* MSGID */
#define SECOND_LENGTH 19  /* of "2026-11-21T21:40:00" */
#define FRACTION_DIGITS 6 /* more are not allowed */

enum severity { SEVERITY_CRITICAL = 2, SEVERITY_WARNING = 4, SEVERITY_INFORMATIONAL = 6 };

static const char *text_of(const json_t *record, const char *name)
{
	const char *text = json_string_value(json_object_get(record, name));

	return text ? text : "";
}

static int severity_of(const json_t *record)
{
	const char *type = text_of(record, "type");

	if (strcmp(type, "audit.lost") == 0 || strcmp(type, "audit.broken") == 0)
		return SEVERITY_CRITICAL;
	if (strcmp(text_of(record, "verdict"), "deny") == 0 || strcmp(type, "sandbox.fail") == 0)
		return SEVERITY_WARNING;
	return SEVERITY_INFORMATIONAL;
}

/* A word of the header: printable ASCII without spaces, "-" for nothing. */
static void write_word(struct writer *writer, const char *text, size_t max)
{
	size_t n = 0;

	for (; *text && n < max; text++)
		if (*text > ' ' && *text <= '~') {
			writer_bytes(writer, text, 1);
			n++;
		}
	if (n == 0)
		writer_text(writer, "-");
}

/* TIMESTAMP (RFC 5424, 6.2.3) is narrower than what time_parse() takes: capitals, six digits. */
static void write_time(struct writer *writer, const char *time)
{
	size_t length = strspn(time, "0123456789-:.T");
	uint64_t ns;

	if (strcmp(time + length, "Z") != 0 || time_parse(time, &ns) < 0) {
		writer_text(writer, "-");
		return;
	}
	if (length > SECOND_LENGTH + 1 + FRACTION_DIGITS)
		length = SECOND_LENGTH + 1 + FRACTION_DIGITS;
	writer_bytes(writer, time, length);
	writer_text(writer, "Z");
}

/* A value is quoted; '"', '\' and ']' in it are escaped (RFC 5424, 6.3.3). Control characters do
 * not belong into a log. */
static void write_parameter(struct writer *writer, const char *name, const char *value)
{
	if (!*value)
		return;
	writer_print(writer, " %s=\"", name);
	for (; *value; value++) {
		if (strchr("\"\\]", *value))
			writer_text(writer, "\\");
		if ((unsigned char)*value >= ' ' && *value != 0x7f)
			writer_bytes(writer, value, 1);
	}
	writer_text(writer, "\"");
}

static void write_data(struct writer *writer, const json_t *record)
{
	static const char *const names[] = {"type", "tenant", "sandbox", "verdict"};
	json_int_t sequence = json_integer_value(json_object_get(record, "seq"));
	char digits[24];

	writer_text(writer, "[" SYSLOG_DATA_ID);
	snprintf(digits, sizeof(digits), "%lld", (long long)sequence);
	write_parameter(writer, "seq", digits);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		write_parameter(writer, names[i], text_of(record, names[i]));
	writer_text(writer, "]");
}

static void write_message(struct writer *writer, const char *host, const json_t *record,
	const char *line, size_t size)
{
	writer_print(writer, "<%d>1 ", FACILITY_AUDIT * 8 + severity_of(record));
	write_time(writer, text_of(record, "time"));
	writer_text(writer, " ");
	write_word(writer, host, HOST_MAX);
	writer_text(writer, " cloche - ");
	write_word(writer, text_of(record, "type"), TYPE_MAX);
	writer_text(writer, " ");
	write_data(writer, record);
	writer_text(writer, " ");
	writer_bytes(writer, line, size);
}

void syslog_message_write(
	struct writer *writer, const char *host, const char *line, size_t size, bool framed)
{
	json_t *record = json_loadb(line, size, 0, NULL);
	struct writer message = {0};

	write_message(&message, host, record, line, size);
	if (message.failed)
		writer->failed = true;
	if (framed)
		writer_print(writer, "%zu ", message.size);
	writer_bytes(writer, message.bytes, message.size);
	writer_fini(&message);
	json_decref(record);
}
