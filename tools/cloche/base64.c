#include "tools/cloche/base64.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "supervisor/base/cleanup.h"

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const void *data, size_t size_bytes)
{
	const uint8_t *in = data;
	char *text = malloc((size_bytes + 2) / 3 * 4 + 1);
	char *out = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < size_bytes; i += 3) {
		size_t left = size_bytes - i;
		uint32_t group = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
				 (left > 2 ? in[i + 2] : 0);

		*out++ = ALPHABET[group >> 18];
		*out++ = ALPHABET[group >> 12 & 63];
		*out++ = left > 1 ? ALPHABET[group >> 6 & 63] : '=';
		*out++ = left > 2 ? ALPHABET[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

int base64_decode(const char *text, size_t length, void **ret_data, size_t *ret_size_bytes)
{
	_cleanup_free_ uint8_t *data = malloc(length / 4 * 3 + 1);
	size_t padding = 0, size = 0;

	if (!data)
		return -ENOMEM;
	if (length % 4)
		return -EINVAL;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < length; i += 4) {
		uint32_t group = 0;

		for (size_t j = i; j < i + 4; j++) {
			const char *at = text[j] ? strchr(ALPHABET, text[j]) : NULL;

			if (!at && j < length - padding)
				return -EINVAL;
			group = group << 6 | (at ? (uint32_t)(at - ALPHABET) : 0);
		}
		data[size++] = (uint8_t)(group >> 16);
		data[size++] = (uint8_t)(group >> 8);
		data[size++] = (uint8_t)group;
	}
	*ret_size_bytes = size - padding;
	*ret_data = steal_ptr(&data);
	return 0;
}
