/* Base64 (RFC 4648, section 4), for bytes that are no UTF-8. */
#pragma once

#include <stddef.h>

/* A NUL-terminated heap string, or NULL without memory. */
char *base64_encode(const void *data, size_t size_bytes);

/* Decodes `length` characters into a heap buffer. Returns 0, -EINVAL for anything that the encoder
 * would not write, or -ENOMEM. */
int base64_decode(const char *text, size_t length, void **ret_data, size_t *ret_size_bytes);
