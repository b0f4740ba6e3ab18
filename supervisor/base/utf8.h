/* UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_SEQUENCE_MAX 4

/* Returns the size of the longest valid beginning. `*ret_cut_short` says that the rest is the
 * beginning of one more character (1 to 3 bytes), so that the next bytes may complete it. */
size_t utf8_valid_size(const char *bytes, size_t size, bool *ret_cut_short);

/* Bytes of the first character, 0 when none begins so, or it is not whole; its code point. */
size_t utf8_decode(const void *bytes, size_t size, uint32_t *ret_code_point);

bool utf8_is_valid(const char *bytes, size_t size);
