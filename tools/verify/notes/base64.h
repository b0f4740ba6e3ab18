/* Base64 (RFC 4648, section 4: with padding), strict: one text for each value. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BASE64_SIZE(bytes) (((bytes) + 2) / 3 * 4 + 1) /* with NUL */

/* Returns how many bytes came out, -1 when the text is none, or longer than `room`. */
ssize_t base64_read(const char *text, size_t size, uint8_t *ret_bytes, size_t room);
/* `ret_text` has BASE64_SIZE(size) bytes. */
void base64_write(const uint8_t *bytes, size_t size, char *ret_text);
