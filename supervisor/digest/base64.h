/* Base64 (RFC 4648 section 4, with padding) by libcrypto. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1) /* of the text, with its NUL */

/* `ret_text` has BASE64_SIZE(size_bytes). */
void base64_encode(const void *data, size_t size_bytes, char *ret_text);
/* The text must be exactly that of `size_bytes` bytes (at most 256). Returns 0 or -EINVAL. */
int base64_decode(const char *text, size_t length, void *ret_data, size_t size_bytes);
