#include "supervisor/audit/lines/json-line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/audit/audit.h"
#include "supervisor/base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

void json_line_fini(struct json_line *line)
{
	free(line->data);
	*line = (struct json_line){};
}

void json_line_cut(struct json_line *line, size_t size_bytes)
{
	line->size_bytes = size_bytes;
	line->failed = false;
}

static bool reserve(struct json_line *line, size_t more_bytes)
{
	size_t room_bytes = line->room_bytes ? line->room_bytes : 1024;
	char *larger;

	if (line->failed)
		return false;
	if (line->size_bytes + more_bytes <= line->room_bytes)
		return true;
	while (room_bytes < line->size_bytes + more_bytes)
		room_bytes *= 2;
	larger = realloc(line->data, room_bytes);
	if (!larger) {
		line->failed = true;
		return false;
	}
	line->data = larger;
	line->room_bytes = room_bytes;
	return true;
}

static void put(struct json_line *line, const void *bytes, size_t size_bytes)
{
	if (!reserve(line, size_bytes))
		return;
	memcpy(line->data + line->size_bytes, bytes, size_bytes);
	line->size_bytes += size_bytes;
}

void json_line_raw(struct json_line *line, const char *text)
{
	put(line, text, strlen(text));
}

static void put_escaped(struct json_line *line, uint32_t code_point)
{
	char escape[8];

	switch (code_point) {
	case '"':
		put(line, "\\\"", 2);
		return;
	case '\\':
		put(line, "\\\\", 2);
		return;
	case '\n':
		put(line, "\\n", 2);
		return;
	case '\t':
		put(line, "\\t", 2);
		return;
	}
	snprintf(escape, sizeof(escape), "\\u%04x", code_point & 0xffff);
	put(line, escape, 6);
}

/* U+2028 and U+2029 end a line for some readers of JSON lines. */
static bool must_escape(uint32_t code_point)
{
	return code_point < 0x20 || code_point == '"' || code_point == '\\' ||
	       (code_point >= 0x7f && code_point <= 0x9f) || code_point == 0x2028 ||
	       code_point == 0x2029;
}

/* What goes into a text as it is; most bytes of most texts do, so they are taken in runs. */
static bool is_plain(unsigned char byte)
{
	return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* Copies plain bytes up to the first other one, and returns where that is. */
static const unsigned char *put_plain(
	struct json_line *line, const unsigned char *next, const unsigned char *end)
{
	char *at;

	if (!reserve(line, (size_t)(end - next)))
		return end;
	at = line->data + line->size_bytes;
	while (next < end && is_plain(*next))
		*at++ = (char)*next++;
	line->size_bytes = (size_t)(at - line->data);
	return next;
}

void json_line_text(struct json_line *line, const char *bytes, size_t size_bytes)
{
	const unsigned char *next = (const unsigned char *)bytes;
	const unsigned char *end = next + size_bytes;

	put(line, "\"", 1);
	while ((next = put_plain(line, next, end)) < end) {
		uint32_t code_point = 0;
		size_t length = utf8_decode(next, (size_t)(end - next), &code_point);

		if (length == 0 || code_point == 0)
			put(line, REPLACEMENT, strlen(REPLACEMENT));
		else if (must_escape(code_point))
			put_escaped(line, code_point);
		else
			put(line, next, length);
		next += length ? length : 1;
	}
	put(line, "\"", 1);
}

/* printf(3) takes a tenth of a microsecond for a number, and a record has a dozen. */
static void put_digits(struct json_line *line, uint64_t value, bool negative)
{
	char digits[24], *first = digits + sizeof(digits);

	do {
		*--first = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	if (negative)
		*--first = '-';
	put(line, first, (size_t)(digits + sizeof(digits) - first));
}

void json_line_number(struct json_line *line, int64_t value)
{
	put_digits(line, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, value < 0);
}

void json_line_unsigned(struct json_line *line, uint64_t value)
{
	put_digits(line, value, false);
}

static void put_object(struct json_line *line, json_t *object)
{
	const char *key;
	json_t *value;

	json_line_raw(line, "{");
	json_object_foreach(object, key, value)
	{
		if (line->failed)
			return;
		if (line->data[line->size_bytes - 1] != '{')
			json_line_raw(line, ",");
		json_line_text(line, key, strlen(key));
		json_line_raw(line, ":");
		json_line_value(line, value);
	}
	json_line_raw(line, "}");
}

static void put_array(struct json_line *line, const json_t *array)
{
	json_line_raw(line, "[");
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			json_line_raw(line, ",");
		json_line_value(line, json_array_get(array, i));
	}
	json_line_raw(line, "]");
}

/* Bodies are made by our own code, a few levels deep, so the recursion is bounded. */
void json_line_value(struct json_line *line, const json_t *value)
{
	char digits[40];

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(line, (json_t *)value);
		break;
	case JSON_ARRAY:
		put_array(line, value);
		break;
	case JSON_STRING:
		json_line_text(line, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		json_line_number(line, json_integer_value(value));
		break;
	case JSON_REAL:
		snprintf(digits, sizeof(digits), "%.17g", json_real_value(value));
		json_line_raw(line, digits);
		break;
	case JSON_TRUE:
		json_line_raw(line, "true");
		break;
	case JSON_FALSE:
		json_line_raw(line, "false");
		break;
	case JSON_NULL:
		json_line_raw(line, "null");
		break;
	}
}

void json_line_key(struct json_line *line, const char *key)
{
	char last = line->size_bytes ? line->data[line->size_bytes - 1] : '{';
	size_t length = strlen(key);
	char *at;

	if (!reserve(line, length + 4))
		return;
	at = line->data + line->size_bytes;
	if (last != '{' && last != '[')
		*at++ = ',';
	*at++ = '"';
	memcpy(at, key, length);
	at += length;
	*at++ = '"';
	*at++ = ':';
	line->size_bytes = (size_t)(at - line->data);
}

void json_line_add_text(struct json_line *line, const char *key, const char *text)
{
	json_line_key(line, key);
	json_line_text(line, text, strlen(text));
}

void json_line_add_field(
	struct json_line *line, const char *key, const char *field, size_t size_bytes)
{
	json_line_key(line, key);
	json_line_text(line, field, strnlen(field, size_bytes));
}

void json_line_add_unsigned(struct json_line *line, const char *key, uint64_t value)
{
	json_line_key(line, key);
	json_line_unsigned(line, value);
}

void json_line_add_bool(struct json_line *line, const char *key, bool value)
{
	json_line_key(line, key);
	json_line_raw(line, value ? "true" : "false");
}

json_t *audit_text(const char *bytes, size_t size_bytes)
{
	const unsigned char *next = (const unsigned char *)bytes;
	const unsigned char *end = next + size_bytes;
	struct json_line clean = {};
	json_t *text;

	while (next < end) {
		uint32_t code_point = 0;
		size_t length = utf8_decode(next, (size_t)(end - next), &code_point);

		if (length == 0 || code_point == 0)
			put(&clean, REPLACEMENT, strlen(REPLACEMENT));
		else
			put(&clean, next, length);
		next += length ? length : 1;
	}
	text = clean.failed ? NULL
			    : json_stringn_nocheck(clean.data ? clean.data : "", clean.size_bytes);
	json_line_fini(&clean);
	return text;
}
