#include "tools/verify/log/scan.h"

#include <string.h>

static bool fail(struct scan *scan, const char *error)
{
	if (!scan->error)
		scan->error = error;
	return false;
}

void scan_begin(struct scan *scan, const char *text, size_t size, bool spaces)
{
	*scan = (struct scan){.at = text, .end = text + size, .spaces = spaces};
}

static inline void pass_spaces(struct scan *scan)
{
	while (scan->spaces && scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4))
		scan->at++;
}

static inline bool take(struct scan *scan, char letter)
{
	pass_spaces(scan);
	if (scan->error || scan->at == scan->end || *scan->at != letter)
		return false;
	scan->at++;
	return true;
}

static bool is_hex(char letter)
{
	return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f') ||
	       (letter >= 'A' && letter <= 'F');
}

/* `at` is behind a backslash. */
static bool pass_escape(struct scan *scan)
{
	size_t left = (size_t)(scan->end - scan->at);

	if (left > 0 && *scan->at != 'u' && *scan->at && strchr("\"\\/bfnrt", *scan->at)) {
		scan->at++;
		return true;
	}
	if (left < 5 || *scan->at != 'u')
		return fail(scan, "an escape that JSON does not know");
	for (size_t i = 1; i < 5; i++)
		if (!is_hex(scan->at[i]))
			return fail(scan, "an escape that JSON does not know");
	scan->at += 5;
	return true;
}

static bool read_string(struct scan *scan, struct span *ret_value)
{
	const char *start;

	if (!take(scan, '"'))
		return fail(scan, "a text is expected");
	start = scan->at;
	while (scan->at < scan->end) {
		char letter = *scan->at++;

		if (letter == '"') {
			*ret_value = (struct span){start, (size_t)(scan->at - 1 - start)};
			return true;
		}
		if ((unsigned char)letter < ' ')
			return fail(scan, "a control character in a text");
		if (letter == '\\' && !pass_escape(scan))
			return false;
	}
	return fail(scan, "a text without end");
}

static size_t pass_digits(struct scan *scan)
{
	const char *start = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return (size_t)(scan->at - start);
}

/* One of two. */
static bool at_letter(const struct scan *scan, char one, char other)
{
	return scan->at < scan->end && (*scan->at == one || *scan->at == other);
}

static bool read_number(struct scan *scan, struct span *ret_value)
{
	const char *start = scan->at, *whole;
	size_t n;

	scan->at += at_letter(scan, '-', '-');
	whole = scan->at;
	n = pass_digits(scan);
	if (n == 0 || (n > 1 && *whole == '0'))
		return fail(scan, "no JSON value");
	if (at_letter(scan, '.', '.')) {
		scan->at++;
		if (pass_digits(scan) == 0)
			return fail(scan, "a number without its fraction");
	}
	if (at_letter(scan, 'e', 'E')) {
		scan->at++;
		scan->at += at_letter(scan, '+', '-');
		if (pass_digits(scan) == 0)
			return fail(scan, "a number without its exponent");
	}
	*ret_value = (struct span){start, (size_t)(scan->at - start)};
	return true;
}

static bool read_word(struct scan *scan, const char *word, struct span *ret_value)
{
	size_t size = strlen(word);

	if ((size_t)(scan->end - scan->at) < size || memcmp(scan->at, word, size) != 0)
		return fail(scan, "no JSON value");
	*ret_value = (struct span){scan->at, size};
	scan->at += size;
	return true;
}

static bool read_scalar(struct scan *scan, enum scan_type *ret_type, struct span *ret_value)
{
	char letter = scan->at < scan->end ? *scan->at : '\0';

	*ret_type = SCAN_WORD;
	switch (letter) {
	case '"':
		*ret_type = SCAN_STRING;
		return read_string(scan, ret_value);
	case 't':
		return read_word(scan, "true", ret_value);
	case 'f':
		return read_word(scan, "false", ret_value);
	case 'n':
		return read_word(scan, "null", ret_value);
	default:
		*ret_type = SCAN_NUMBER;
		return read_number(scan, ret_value);
	}
}

static bool read_key(struct scan *scan, struct span *ret_key)
{
	if (!read_string(scan, ret_key))
		return false;
	return take(scan, ':') || fail(scan, "a colon is expected after a key");
}

bool scan_open(struct scan *scan, char bracket)
{
	return take(scan, bracket) || fail(scan, bracket == '{' ? "no JSON object" : "no array");
}

/* What comes between two elements, or ends them. */
static bool goes_on(struct scan *scan, bool *first, char close)
{
	if (scan->error || take(scan, close))
		return false;
	if (!*first && !take(scan, ','))
		return fail(scan, "a comma or a closing bracket is expected");
	*first = false;
	pass_spaces(scan);
	return true;
}

bool scan_member(struct scan *scan, bool *first, struct span *ret_key)
{
	return goes_on(scan, first, '}') && read_key(scan, ret_key);
}

bool scan_element(struct scan *scan, bool *first)
{
	return goes_on(scan, first, ']');
}

/* Goes through a value that has others in it; bit 0 of `objects` is the innermost. */
static bool pass_nested(struct scan *scan)
{
	uint64_t objects = 0;
	unsigned depth = 0;
	bool first = false;
	enum scan_type type;
	struct span span;

	do {
		pass_spaces(scan);
		if (at_letter(scan, '{', '[')) {
			if (++depth > SCAN_DEPTH_MAX)
				return fail(scan, "values nested too deep");
			objects = objects << 1 | (*scan->at == '{');
			scan->at++;
			first = true;
		} else if (!read_scalar(scan, &type, &span)) {
			return false;
		}
		while (depth > 0 && !goes_on(scan, &first, objects & 1 ? '}' : ']')) {
			if (scan->error)
				return false;
			objects >>= 1;
			depth--;
			first = false;
		}
		if (depth > 0 && objects & 1 && !read_key(scan, &span))
			return false;
	} while (depth > 0);
	return true;
}

bool scan_value(struct scan *scan, enum scan_type *ret_type, struct span *ret_value)
{
	const char *start;

	pass_spaces(scan);
	if (scan->error)
		return false;
	if (!at_letter(scan, '{', '['))
		return read_scalar(scan, ret_type, ret_value);
	start = scan->at;
	*ret_type = *start == '{' ? SCAN_OBJECT : SCAN_ARRAY;
	if (!pass_nested(scan))
		return false;
	*ret_value = (struct span){start, (size_t)(scan->at - start)};
	return true;
}

bool scan_ends(struct scan *scan)
{
	pass_spaces(scan);
	return !scan->error && (scan->at == scan->end || fail(scan, "text after the object"));
}

bool span_is(struct span span, const char *text)
{
	return span.size == strlen(text) && memcmp(span.start, text, span.size) == 0;
}

bool span_number(struct span span, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (span.size == 0 || (span.size > 1 && span.start[0] == '0'))
		return false;
	for (size_t i = 0; i < span.size; i++) {
		uint64_t digit = (uint64_t)span.start[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}
