/* What a person reads: aligned tables, numbers with units, and text without control characters. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/cleanup.h"

#define PRINT_CELL_SIZE 64
#define PRINT_COLUMNS_MAX 10

/* "cloche: sentence" on stderr. */
void print_error(const char *format, ...) _printf_(1, 2);

/* `data` as it is on stdout, with a newline at the end if it has none. */
void print_verbatim(const char *data, size_t size);

/* `value` on stdout, indented; only ASCII, so that it is safe on a terminal. */
void print_json(const json_t *value);

/* Writes `text` so that a terminal takes nothing in it for a command: what is not plain
 * (supervisor/base/plain.h) and malformed UTF-8 appear as \xNN. Returns `buffer`. */
const char *print_plain(char *buffer, size_t size, const char *text);

/* Rows of cells, printed at the end with aligned columns. Starts zeroed. */
struct print_table {
	char **cells; /* owned */
	size_t n_cells, n_columns;
	unsigned int right; /* bit N: column N is a number, aligned to the right */
};

/* One row; as many strings as the first row has, ended by NULL. NULL-ness of a value is written "-"
 * by print_or_dash(). */
void print_row(struct print_table *table, const char *first, ...) __attribute__((sentinel));
/* Prints the rows and frees them. */
void print_table_end(struct print_table *table);
/* Frees them unprinted. */
void print_table_fini(struct print_table *table);

static inline const char *print_or_dash(const char *text)
{
	return text && *text ? text : "-";
}

/* Each writes into `cell` and returns it: "512.0 MiB", "1.250 s", "2026-11-21 21:40:00" (UTC). */
const char *print_bytes(char cell[static PRINT_CELL_SIZE], uint64_t bytes);
/* "1 sandbox", "2 sandboxes". */
const char *print_sandboxes(char cell[static PRINT_CELL_SIZE], uint64_t n);
const char *print_duration(char cell[static PRINT_CELL_SIZE], uint64_t ns);
const char *print_count(char cell[static PRINT_CELL_SIZE], int64_t count);
/* RFC 3339 text, shortened to seconds; "-" for NULL. */
const char *print_time(char cell[static PRINT_CELL_SIZE], const char *rfc3339);

/* Members of an answer, with a stand-in where one is missing. */
const char *print_member(const json_t *object, const char *name);
/* The name of a policy, and whether it is in mode "learn": whose rules are not what is denied by.
 * Returns `buffer`. */
const char *print_policy(char *buffer, size_t size, const json_t *policy);
uint64_t print_number(const json_t *object, const char *name);
