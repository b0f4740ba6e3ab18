#include "tools/verify/notes/base64.h"

static int digit(char letter)
{
	if (letter >= 'A' && letter <= 'Z')
		return letter - 'A';
	if (letter >= 'a' && letter <= 'z')
		return letter - 'a' + 26;
	if (letter >= '0' && letter <= '9')
		return letter - '0' + 52;
	return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

/* Four letters, of which the last `n_padding` are padding, whose bits must be zero. */
static int read_group(const char *text, size_t n_padding, uint32_t *ret_bits)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - n_padding ? digit(text[i]) : 0;

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t)value;
	}
	*ret_bits = bits;
	return bits & ((1u << 8 * n_padding) - 1) ? -1 : 0;
}

ssize_t base64_read(const char *text, size_t size, uint8_t *ret_bytes, size_t room)
{
	size_t used = 0;

	if (size % 4)
		return -1;
	for (size_t at = 0; at < size; at += 4) {
		size_t n_padding = 0;
		uint32_t bits;

		if (at + 4 == size && text[at + 3] == '=')
			n_padding = text[at + 2] == '=' ? 2 : 1;
		if (read_group(text + at, n_padding, &bits) < 0 || used + 3 - n_padding > room)
			return -1;
		for (size_t i = 0; i < 3 - n_padding; i++)
			ret_bytes[used++] = (uint8_t)(bits >> (16 - 8 * i));
	}
	return (ssize_t)used;
}

void base64_write(const uint8_t *bytes, size_t size, char *ret_text)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t at = 0; at < size; at += 3) {
		uint32_t bits = (uint32_t)bytes[at] << 16;

		if (at + 1 < size)
			bits |= (uint32_t)bytes[at + 1] << 8;
		if (at + 2 < size)
			bits |= bytes[at + 2];
		*ret_text++ = letters[bits >> 18];
		*ret_text++ = letters[bits >> 12 & 63];
		*ret_text++ = (char)(at + 1 < size ? letters[bits >> 6 & 63] : '=');
		*ret_text++ = (char)(at + 2 < size ? letters[bits & 63] : '=');
	}
	*ret_text = '\0';
}
