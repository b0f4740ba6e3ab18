/* jansson tells line and column of syntax errors only. For all others the text is walked again,
 * along the chain of keys and indexes, to the value that was meant. The text is known to be good
 * JSON by then; whatever else it may be, the walk stays inside it. */
#include "supervisor/policy/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define STAGE "read policy"

static size_t skip_space(const struct policy_reader *reader, size_t at)
{
	while (at < reader->size_bytes && strchr(" \t\r\n", reader->text[at]) && reader->text[at])
		at++;
	return at;
}

/* From the opening quote to behind the closing one. */
static size_t skip_string(const struct policy_reader *reader, size_t at)
{
	for (at++; at < reader->size_bytes && reader->text[at] != '"'; at++)
		if (reader->text[at] == '\\')
			at++;
	return at + 1;
}

static size_t skip_value(const struct policy_reader *reader, size_t at)
{
	size_t depth = 0;

	while (at < reader->size_bytes) {
		char c = reader->text[at];

		if (c == '"') {
			at = skip_string(reader, at);
			if (depth == 0)
				return at;
			continue;
		}
		if (depth == 0 && (c == ',' || c == ']' || c == '}'))
			return at;
		if (c == '{' || c == '[')
			depth++;
		if ((c == '}' || c == ']') && --depth == 0)
			return at + 1;
		at++;
	}
	return at;
}

/* Compares a key as it is written, escapes and all, with the one meant. */
static bool key_is(const struct policy_reader *reader, size_t from, size_t to, const char *key)
{
	json_t *written;
	bool same;

	if (to > reader->size_bytes)
		return false;
	written = json_loadb(reader->text + from, to - from, JSON_DECODE_ANY, NULL);
	same = json_is_string(written) && strcmp(json_string_value(written), key) == 0;
	json_decref(written);
	return same;
}

/* Offset of the member's key, or with `ret_value` of the value behind it as well. */
static size_t find_member(
	const struct policy_reader *reader, size_t at, const char *key, size_t *ret_value)
{
	size_t object = at;

	for (at = skip_space(reader, at + 1); at < reader->size_bytes && reader->text[at] == '"';) {
		size_t start = at, end = skip_string(reader, at);

		at = skip_space(reader, skip_space(reader, end) + 1); /* behind the colon */
		if (key_is(reader, start, end, key)) {
			*ret_value = at;
			return start;
		}
		at = skip_space(reader, skip_value(reader, at));
		at = skip_space(reader, at + 1);
	}
	*ret_value = object;
	return object;
}

static size_t find_element(const struct policy_reader *reader, size_t at, size_t index)
{
	at = skip_space(reader, at + 1);
	while (index-- > 0) {
		at = skip_space(reader, skip_value(reader, at));
		at = skip_space(reader, at + 1);
	}
	return at;
}

static size_t find_value(const struct policy_reader *reader, const struct policy_place *place)
{
	size_t outer, value;

	if (!place->outer)
		return skip_space(reader, 0);
	outer = find_value(reader, place->outer);
	if (!place->key)
		return find_element(reader, outer, place->index);
	find_member(reader, outer, place->key, &value);
	return value;
}

static size_t find_place(const struct policy_reader *reader, const struct policy_place *place)
{
	size_t value;

	if (!place->outer || !place->key)
		return find_value(reader, place);
	return find_member(reader, find_value(reader, place->outer), place->key, &value);
}

/* Lines and columns count from 1, columns in characters (UTF-8: bytes that continue one do not). */
static void count_lines(const struct policy_reader *reader, size_t offset, unsigned int *ret_line,
	unsigned int *ret_column)
{
	*ret_line = 1;
	*ret_column = 1;
	for (size_t i = 0; i < offset && i < reader->size_bytes; i++) {
		if (reader->text[i] == '\n') {
			++*ret_line;
			*ret_column = 1;
		} else if ((reader->text[i] & 0xc0) != 0x80) {
			++*ret_column;
		}
	}
}

/* RFC 6901: "~" becomes "~0" and "/" becomes "~1". */
static size_t add_key(const char *key, char *text, size_t used, size_t size)
{
	for (; *key && used + 3 < size; key++) {
		if (*key == '~' || *key == '/') {
			text[used++] = '~';
			text[used++] = *key == '~' ? '0' : '1';
		} else {
			text[used++] = *key;
		}
	}
	return used;
}

static size_t write_pointer(const struct policy_place *place, char *text, size_t size)
{
	size_t used;

	text[0] = '\0';
	if (!place->outer)
		return 0;
	used = write_pointer(place->outer, text, size);
	if (used + 24 > size)
		return used;
	text[used++] = '/';
	if (place->key)
		used = add_key(place->key, text, used, size);
	else
		used += (size_t)snprintf(text + used, size - used, "%zu", place->index);
	text[used] = '\0';
	return used;
}

/* Takes away half a character at the end. */
static void mend_end(char *text, size_t length)
{
	size_t start = length;

	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && (unsigned char)text[start - 1] >= 0xc0) {
		unsigned char lead = (unsigned char)text[start - 1];
		size_t wanted = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

		if (length - (start - 1) < wanted)
			text[start - 1] = '\0';
	}
}

/* Keys and names are shown in logs and terminals: no line breaks, no escape sequences. */
static void clean(char *text)
{
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	mend_end(text, strlen(text));
}

const char *policy_shorten(const char *text, char ret_short[POLICY_SHORT_SIZE])
{
	static const char more[] = "…";
	size_t length = strlen(text);

	if (length < POLICY_SHORT_SIZE) {
		memcpy(ret_short, text, length + 1);
		return ret_short;
	}
	length = POLICY_SHORT_SIZE - sizeof(more);
	memcpy(ret_short, text, length);
	ret_short[length] = '\0';
	mend_end(ret_short, length);
	strcat(ret_short, more);
	return ret_short;
}

int policy_fail(const struct policy_reader *reader, const struct policy_place *place, int error,
	const char *format, ...)
{
	char sentence[sizeof(reader->why->sentence)], pointer[96];
	unsigned int line, column;
	va_list arguments;

	if (!reader->why)
		return error;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	clean(sentence);
	failure_set(reader->why, error, STAGE, "%s", sentence);
	write_pointer(place, pointer, sizeof(pointer));
	count_lines(reader, find_place(reader, place), &line, &column);
	failure_at(reader->why, "%s:%u:%u%s%s", reader->file, line, column, pointer[0] ? ": " : "",
		pointer);
	clean(reader->why->location);
	return error;
}

int policy_fail_syntax(const struct policy_reader *reader, const json_error_t *error)
{
	if (!reader->why)
		return -EINVAL;
	failure_set(reader->why, -EINVAL, STAGE, "This is no JSON: %s.", error->text);
	clean(reader->why->sentence);
	/* An empty text has no line. */
	failure_at(reader->why, "%s:%d:%d", reader->file, error->line < 1 ? 1 : error->line,
		error->column < 1 ? 1 : error->column);
	clean(reader->why->location);
	return -EINVAL;
}
