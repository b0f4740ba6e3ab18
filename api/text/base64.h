/* Base64 with the standard alphabet and padding (RFC 4648, section 4). */
#pragma once

#include <stddef.h>

static inline size_t base64_size(size_t size_bytes)
{
	return (size_bytes + 2) / 3 * 4;
}

/* Writes base64_size(size) characters, no NUL. */
void base64_encode(const void *bytes, size_t size, char *text);

/* Writes at most `size / 4 * 3` bytes. Returns 0, or -EINVAL for anything but canonical Base64
 * (white space and missing padding are refused). */
int base64_decode(const char *text, size_t size, void *bytes, size_t *ret_size);
