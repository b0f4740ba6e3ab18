/* Lists of the API as CSV (RFC 4180). */
#pragma once

#include <jansson.h>

/* Prints a heading and a line for each row: its members in order, those of an inner object "usage"
 * too; other inner values are left out. A text that a spreadsheet would take for a formula gets an
 * apostrophe in front, for labels are what a tenant chose. Nothing without rows. `rows` is an
 * array, or one row. */
void csv_print(const json_t *rows);
