/* Host names as clients write them, compared with the name that a connection is for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define INSPECT_NAME_MAX 253 /* characters, without a dot at the end (RFC 1035, 2.3.4) */

/* Letters, digits, '-' and '_' in labels of 1 to 63, parted by dots, none at the end (RFC 6066, 3).
 * Addresses in digits pass: they are no name that a ticket has. */
bool inspect_name_valid(const char *text, size_t length);

/* `name` is lower-case and ends with NUL; ASCII letters of `text` count as lower-case. */
bool inspect_name_equal(const char *text, size_t length, const char *name);

/* Copies what can be shown (others as '?'), cut to fit. */
void inspect_name_show(const char *text, size_t length, char *ret_shown, size_t size);
