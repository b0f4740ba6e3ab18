#include "api/text/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const void *bytes, size_t size, char *text)
{
	const unsigned char *next = bytes;

	for (; size >= 3; size -= 3, next += 3, text += 4) {
		text[0] = alphabet[next[0] >> 2];
		text[1] = alphabet[(next[0] & 3) << 4 | next[1] >> 4];
		text[2] = alphabet[(next[1] & 15) << 2 | next[2] >> 6];
		text[3] = alphabet[next[2] & 63];
	}
	if (size == 0)
		return;
	text[0] = alphabet[next[0] >> 2];
	text[1] = alphabet[(next[0] & 3) << 4 | (size == 2 ? next[1] >> 4 : 0)];
	text[2] = size == 2 ? alphabet[(next[1] & 15) << 2] : '=';
	text[3] = '=';
}

static int value_of(char character)
{
	if (character >= 'A' && character <= 'Z')
		return character - 'A';
	if (character >= 'a' && character <= 'z')
		return character - 'a' + 26;
	if (character >= '0' && character <= '9')
		return character - '0' + 52;
	if (character == '+')
		return 62;
	return character == '/' ? 63 : -1;
}

int base64_decode(const char *text, size_t size, void *bytes, size_t *ret_size)
{
	unsigned char *out = bytes;
	size_t used = 0, n_padding = 0;

	if (size % 4 != 0)
		return -EINVAL;
	if (size > 0 && text[size - 1] == '=')
		n_padding = text[size - 2] == '=' ? 2 : 1;
	for (size_t i = 0; i < size; i += 4) {
		size_t n_characters = i + 4 == size ? 4 - n_padding : 4;
		uint32_t bits = 0;

		for (size_t k = 0; k < 4; k++) {
			int value = k < n_characters ? value_of(text[i + k]) : 0;

			if (value < 0)
				return -EINVAL;
			bits = bits << 6 | (uint32_t)value;
		}
		if (bits & ((1u << (8 * (4 - n_characters))) - 1))
			return -EINVAL;
		for (size_t k = 0; k + 1 < n_characters; k++)
			out[used++] = (unsigned char)(bits >> (16 - 8 * k));
	}
	*ret_size = used;
	return 0;
}
