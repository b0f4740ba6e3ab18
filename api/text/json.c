#include "api/text/json.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "api/text/base64.h"
#include "supervisor/base/clock.h"
#include "supervisor/base/utf8.h"

/* No value ends in an opening bracket or a colon, so the last byte tells whether a comma is due. */
static void separate(struct writer *writer)
{
	char last = writer->size ? writer->bytes[writer->size - 1] : '\n';

	if (last != '{' && last != '[' && last != ':' && last != '\n' && last != ' ')
		writer_bytes(writer, ",", 1);
}

void json_write_open(struct writer *writer, char bracket)
{
	separate(writer);
	writer_bytes(writer, &bracket, 1);
}

void json_write_close(struct writer *writer, char bracket)
{
	writer_bytes(writer, &bracket, 1);
}

void json_write_name(struct writer *writer, const char *name)
{
	separate(writer);
	writer_bytes(writer, "\"", 1);
	writer_text(writer, name);
	writer_bytes(writer, "\":", 2);
}

static void escape(struct writer *writer, unsigned char byte)
{
	switch (byte) {
	case '"':
		writer_bytes(writer, "\\\"", 2);
		break;
	case '\\':
		writer_bytes(writer, "\\\\", 2);
		break;
	case '\n':
		writer_bytes(writer, "\\n", 2);
		break;
	case '\r':
		writer_bytes(writer, "\\r", 2);
		break;
	case '\t':
		writer_bytes(writer, "\\t", 2);
		break;
	default:
		writer_print(writer, "\\u%04x", byte);
	}
}

static void write_valid(struct writer *writer, const char *bytes, size_t size)
{
	size_t begin = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f)
			continue;
		writer_bytes(writer, bytes + begin, i - begin);
		escape(writer, byte);
		begin = i + 1;
	}
	writer_bytes(writer, bytes + begin, size - begin);
}

void json_write_string(struct writer *writer, const char *bytes, size_t size)
{
	bool cut_short;

	separate(writer);
	writer_reserve(writer, size + 2);
	writer_bytes(writer, "\"", 1);
	for (;;) {
		size_t valid = utf8_valid_size(bytes, size, &cut_short);

		write_valid(writer, bytes, valid);
		if (valid == size)
			break;
		writer_text(writer, "\xef\xbf\xbd");
		bytes += valid + 1;
		size -= valid + 1;
	}
	writer_bytes(writer, "\"", 1);
}

void json_write_base64(struct writer *writer, const void *bytes, size_t size)
{
	char *at;

	separate(writer);
	writer_bytes(writer, "\"", 1);
	at = writer_reserve(writer, base64_size(size));
	if (at) {
		base64_encode(bytes, size, at);
		writer->size += base64_size(size);
	}
	writer_bytes(writer, "\"", 1);
}

void json_write_text(struct writer *writer, const char *name, const char *text)
{
	json_write_name(writer, name);
	json_write_string(writer, text, strlen(text));
}

void json_write_text_or_null(struct writer *writer, const char *name, const char *text)
{
	if (text && text[0])
		json_write_text(writer, name, text);
	else
		json_write_null(writer, name);
}

void json_write_number(struct writer *writer, const char *name, uint64_t value)
{
	json_write_name(writer, name);
	writer_print(writer, "%" PRIu64, value);
}

void json_write_boolean(struct writer *writer, const char *name, bool value)
{
	json_write_name(writer, name);
	writer_text(writer, value ? "true" : "false");
}

void json_write_null(struct writer *writer, const char *name)
{
	json_write_name(writer, name);
	writer_text(writer, "null");
}

void json_write_time(struct writer *writer, const char *name, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_SECOND);
	struct tm parts;
	char text[32];

	if (!gmtime_r(&seconds, &parts) ||
		!strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts)) {
		json_write_null(writer, name);
		return;
	}
	json_write_name(writer, name);
	writer_print(writer, "\"%s.%03uZ\"", text,
		(unsigned)(realtime_ns / NS_PER_MS % (NS_PER_SECOND / NS_PER_MS)));
}
