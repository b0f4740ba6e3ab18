/* Complaints: a sentence, and the place of what is complained about. */
#include "supervisor/policy/read/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/plain.h"

#define STAGE "read policy"

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

/* `*n_before` elements of the outermost list are in other files. */
static size_t write_pointer(
	const struct policy_place *place, size_t *n_before, char *text, size_t size)
{
	size_t used;

	text[0] = '\0';
	if (!place->outer)
		return 0;
	used = write_pointer(place->outer, n_before, text, size);
	if (used + 24 > size)
		return used;
	text[used++] = '/';
	if (place->key) {
		used = add_key(place->key, text, used, size);
	} else {
		used += (size_t)snprintf(text + used, size - used, "%zu", place->index - *n_before);
		*n_before = 0;
	}
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

/* Keys and names are shown in logs and terminals: no line breaks, no escape sequences,
 * nothing that reads as something else. */
static void clean(char *text)
{
	for (char *c = text; *c; c++)
		memset(c, '?', plain_misleading(c));
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

/* `format` and `arguments` as for vprintf(3). */
_printf_(5, 0) static void complain(const struct policy_reader *reader,
	const struct policy_place *place, const struct policy_spot *spot, int error,
	const char *format, va_list arguments)
{
	char sentence[sizeof(reader->why->sentence)], pointer[96];
	size_t n_before = spot->n_before;
	unsigned int line, column;

	vsnprintf(sentence, sizeof(sentence), format, arguments);
	clean(sentence);
	failure_set(reader->why, error, STAGE, "%s", sentence);
	write_pointer(place, &n_before, pointer, sizeof(pointer));
	policy_count_lines(spot, &line, &column);
	failure_at(reader->why, "%s:%u:%u%s%s", spot->source->file, line, column,
		pointer[0] ? ": " : "", pointer);
	clean(reader->why->location);
}

int policy_fail(const struct policy_reader *reader, const struct policy_place *place, int error,
	const char *format, ...)
{
	struct policy_spot spot;
	va_list arguments;

	if (!reader->why)
		return error;
	spot = policy_find(reader->source, place);
	va_start(arguments, format);
	complain(reader, place, &spot, error, format, arguments);
	va_end(arguments);
	return error;
}

int policy_fail_at(const struct policy_reader *reader, const struct policy_place *place,
	const struct policy_spot *spot, int error, const char *format, ...)
{
	va_list arguments;

	if (!reader->why)
		return error;
	va_start(arguments, format);
	complain(reader, place, spot, error, format, arguments);
	va_end(arguments);
	return error;
}

const char *policy_describe_spot(const struct policy_reader *reader, const struct policy_spot *spot,
	char ret_text[POLICY_SPOT_SIZE])
{
	const char *slash = strrchr(spot->source->file, '/');
	unsigned int line, column;

	policy_count_lines(spot, &line, &column);
	if (!reader->source->base)
		snprintf(ret_text, POLICY_SPOT_SIZE, "line %u, column %u", line, column);
	else
		snprintf(ret_text, POLICY_SPOT_SIZE, "%.64s:%u:%u",
			slash ? slash + 1 : spot->source->file, line, column);
	return ret_text;
}

const char *policy_describe_place(const struct policy_reader *reader,
	const struct policy_place *place, char ret_text[POLICY_SPOT_SIZE])
{
	const struct policy_spot spot = policy_find(reader->source, place);

	return policy_describe_spot(reader, &spot, ret_text);
}

int policy_read_flag(const struct policy_reader *reader, const struct policy_place *place,
	const json_t *value, bool *ret_flag)
{
	if (value && !json_is_boolean(value))
		return policy_fail(reader, place, -EINVAL, "This is true or false.");
	*ret_flag = json_is_true(value);
	return 0;
}

static bool ends_with_comma(const char *text, size_t length)
{
	while (length > 0 && strchr(" \t\r\n", text[length - 1]))
		length--;
	return length > 0 && text[length - 1] == ',';
}

/* What to write in the place of what people write that is nearly JSON; "" for all else. jansson
 * ends with the token that it did not expect: "string or '}' expected near '}'". */
static const char *hint(const struct policy_source *source, const json_error_t *error)
{
	const char *near = strstr(error->text, " near '");
	size_t end = error->position < 1 ? 0 : (size_t)error->position - 1;

	if (source->size_bytes >= 3 && memcmp(source->text, "\xef\xbb\xbf", 3) == 0)
		return " Save the file without a byte order mark.";
	if (!near || end > source->size_bytes)
		return "";
	switch (near[strlen(" near '")]) {
	case '/':
	case '#':
		return " JSON has no comments: write a \"description\".";
	case '\'':
		return " JSON has text in double quotes.";
	case '}':
	case ']':
		return ends_with_comma(source->text, end) ? " Take the comma before it away." : "";
	case '"':
	case '{':
		return strstr(error->text, "' expected") && !strstr(error->text, "':'") &&
				       !strstr(error->text, " or ")
			       ? " Is a comma missing before it?"
			       : "";
	default:
		return "";
	}
}

int policy_fail_syntax(const struct policy_reader *reader, const json_error_t *error)
{
	if (!reader->why)
		return -EINVAL;
	failure_set(reader->why, -EINVAL, STAGE, "This is no JSON: %s.%s", error->text,
		hint(reader->source, error));
	clean(reader->why->sentence);
	/* An empty text has no line. */
	failure_at(reader->why, "%s:%d:%d", reader->source->file, error->line < 1 ? 1 : error->line,
		error->column < 1 ? 1 : error->column);
	clean(reader->why->location);
	return -EINVAL;
}
