/* The time of a record as RFC 3339 has it, in UTC with nine digits after the second:
 * 2026-01-31T23:59:59.000000000Z. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT_LENGTH 30

/* Writes TIME_TEXT_LENGTH characters and a NUL. `time_ns` counts from 1970 and lies before 2554. */
void time_text_write(uint64_t time_ns, char ret_text[TIME_TEXT_LENGTH + 1]);
/* Reads what time_text_write() wrote. Returns 0, or -EINVAL when the text is of another form. */
int time_text_parse(const char *text, size_t size_bytes, uint64_t *ret_time_ns);
