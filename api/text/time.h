/* Reading points in time as RFC 3339, section 5.6, has them. */
#pragma once

#include <stdint.h>

/* "2026-11-21T21:40:00Z", with up to nine digits of a fraction or an offset as "+02:00":
 * nanoseconds since 1970. Returns 0, or -EINVAL for anything else, leap seconds and years outside
 * 1970 to 2553 (which 64 bits end in) included. */
int time_parse(const char *text, uint64_t *ret_realtime_ns);
