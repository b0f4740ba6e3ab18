#include <string.h>

#include "tools/verify/log/scan.h"

static unsigned read_unit(const char *hex)
{
	unsigned unit = 0;

	for (size_t i = 0; i < 4; i++) {
		char letter = hex[i];
		unsigned digit = letter <= '9' ? (unsigned)letter - '0'
					       : ((unsigned)letter | 0x20) - 'a' + 10;

		unit = unit << 4 | digit;
	}
	return unit;
}

/* `*at` is behind "\u"; the scanner has seen that four digits follow. Returns the code point, 0 for
 * what is none, or is NUL. */
static unsigned read_code_point(const char **at, const char *end)
{
	unsigned high = read_unit(*at), low;

	*at += 4;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return 0;
	low = read_unit(*at + 2);
	*at += 6;
	return low < 0xdc00 || low > 0xdfff ? 0 : 0x10000 + (high - 0xd800) * 0x400 + low - 0xdc00;
}

static size_t write_utf8(unsigned code_point, char *ret_bytes)
{
	if (code_point < 0x80) {
		ret_bytes[0] = (char)code_point;
		return 1;
	}
	if (code_point < 0x800) {
		ret_bytes[0] = (char)(0xc0 | code_point >> 6);
		ret_bytes[1] = (char)(0x80 | (code_point & 63));
		return 2;
	}
	if (code_point < 0x10000) {
		ret_bytes[0] = (char)(0xe0 | code_point >> 12);
		ret_bytes[1] = (char)(0x80 | (code_point >> 6 & 63));
		ret_bytes[2] = (char)(0x80 | (code_point & 63));
		return 3;
	}
	ret_bytes[0] = (char)(0xf0 | code_point >> 18);
	ret_bytes[1] = (char)(0x80 | (code_point >> 12 & 63));
	ret_bytes[2] = (char)(0x80 | (code_point >> 6 & 63));
	ret_bytes[3] = (char)(0x80 | (code_point & 63));
	return 4;
}

size_t span_unescape(struct span span, char *ret_text, size_t room)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *at = span.start, *end = span.start + span.size;
	size_t used = 0;

	while (at < end) {
		char bytes[4] = {*at++};
		size_t size = 1;

		if (bytes[0] == '\\' && *at == 'u') {
			unsigned code_point;

			at++;
			code_point = read_code_point(&at, end);
			if (code_point == 0)
				return (size_t)-1;
			size = write_utf8(code_point, bytes);
		} else if (bytes[0] == '\\') {
			bytes[0] = meanings[strchr(letters, *at++) - letters];
		}
		if (size > room - used)
			return (size_t)-1;
		memcpy(ret_text + used, bytes, size);
		used += size;
	}
	return used;
}
