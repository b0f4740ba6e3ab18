/* Text of strangers that a person will read: in a terminal, in a log, in a review. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character of UTF-8 at `text` if it must not be shown as it is, 0 if it may be:
 * control characters (C0, DEL, and C1, whose U+009B begins a command to a terminal, too), what ends
 * a line, and what turns the direction of what follows, so that it reads as something else
 * (CVE-2021-42574).
 */
size_t plain_misleading(const char *text);

/* Whether there is no such character in it. */
bool plain_is(const char *text);
