#include "tools/cloche/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/plain.h"
#include "supervisor/base/utf8.h"

#define PRINT_TEXT_SIZE 1024

void print_error(const char *format, ...)
{
	char sentence[1024], plain[4096];
	va_list values;

	va_start(values, format);
	vsnprintf(sentence, sizeof(sentence), format, values);
	va_end(values);
	fflush(stdout);
	fprintf(stderr, "cloche: %s\n", print_plain(plain, sizeof(plain), sentence));
}

void print_verbatim(const char *data, size_t size)
{
	fwrite(data, 1, size, stdout);
	if (size > 0 && data[size - 1] != '\n')
		putchar('\n');
}

void print_json(const json_t *value)
{
	/* jansson escapes control characters */
	_cleanup_free_ char *text = json_dumps(value, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	if (text)
		printf("%s\n", text);
}

const char *print_plain(char *buffer, size_t size, const char *text)
{
	const char *in = text;
	uint32_t ignored;
	size_t used = 0;

	while (*in && used + 5 <= size) {
		size_t n = utf8_decode(in, strnlen(in, UTF8_SEQUENCE_MAX), &ignored);
		size_t n_bad = n == 0 ? 1 : plain_misleading(in);

		if (n_bad > 0 && used + 4 * n_bad >= size)
			break;
		for (size_t i = 0; i < n_bad; i++)
			used += (size_t)snprintf(
				buffer + used, size - used, "\\x%02x", (unsigned char)*in++);
		if (n_bad > 0)
			continue;
		memcpy(buffer + used, in, n);
		used += n;
		in += n;
	}
	buffer[used] = '\0';
	return buffer;
}

void print_row(struct print_table *table, const char *first, ...)
{
	char plain[PRINT_TEXT_SIZE];
	const char *cell = first;
	size_t n_max = table->n_columns ? table->n_columns : PRINT_COLUMNS_MAX;
	size_t n = 0;
	va_list row;

	va_start(row, first);
	while (cell && n < n_max) {
		char **larger = realloc(table->cells, (table->n_cells + 1) * sizeof(*larger));

		if (!larger)
			abort();
		table->cells = larger;
		table->cells[table->n_cells] = strdup(print_plain(plain, sizeof(plain), cell));
		if (!table->cells[table->n_cells++])
			abort();
		n++;
		cell = va_arg(row, const char *);
	}
	va_end(row);
	if (table->n_columns == 0)
		table->n_columns = n;
}

/* Columns that a terminal needs: characters, not bytes. */
static size_t cell_width(const char *cell)
{
	size_t width = 0;

	for (; *cell; cell++)
		width += ((unsigned char)*cell >> 6) != 2;
	return width;
}

void print_table_end(struct print_table *table)
{
	size_t widths[PRINT_COLUMNS_MAX] = {0};

	for (size_t i = 0; i < table->n_cells; i++) {
		size_t width = cell_width(table->cells[i]);

		if (width > widths[i % table->n_columns])
			widths[i % table->n_columns] = width;
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		size_t column = i % table->n_columns;
		bool last = column + 1 == table->n_columns;
		int pad = (int)(widths[column] - cell_width(table->cells[i]));

		if (table->right & 1U << column)
			printf("%*s%s%s", pad, "", table->cells[i], last ? "\n" : "  ");
		else if (last)
			printf("%s\n", table->cells[i]);
		else
			printf("%s%*s  ", table->cells[i], pad, "");
	}
	print_table_fini(table);
}

void print_table_fini(struct print_table *table)
{
	for (size_t i = 0; i < table->n_cells; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct print_table){0};
}

const char *print_bytes(char cell[static PRINT_CELL_SIZE], uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	snprintf(cell, PRINT_CELL_SIZE, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
	return cell;
}

const char *print_sandboxes(char cell[static PRINT_CELL_SIZE], uint64_t n)
{
	snprintf(cell, PRINT_CELL_SIZE, "%" PRIu64 " sandbox%s", n, n == 1 ? "" : "es");
	return cell;
}

const char *print_duration(char cell[static PRINT_CELL_SIZE], uint64_t ns)
{
	if (ns < 1000000)
		snprintf(cell, PRINT_CELL_SIZE, "%.0f µs", (double)ns / 1e3);
	else if (ns < 1000000000)
		snprintf(cell, PRINT_CELL_SIZE, "%.1f ms", (double)ns / 1e6);
	else if (ns < 120000000000)
		snprintf(cell, PRINT_CELL_SIZE, "%.2f s", (double)ns / 1e9);
	else
		snprintf(cell, PRINT_CELL_SIZE, "%" PRIu64 " h %02" PRIu64 " min %02" PRIu64 " s",
			ns / 3600000000000, ns / 60000000000 % 60, ns / 1000000000 % 60);
	return cell;
}

const char *print_count(char cell[static PRINT_CELL_SIZE], int64_t count)
{
	snprintf(cell, PRINT_CELL_SIZE, "%" PRId64, count);
	return cell;
}

const char *print_time(char cell[static PRINT_CELL_SIZE], const char *rfc3339)
{
	/* 2026-11-21T21:40:00.123456Z */
	if (!rfc3339 || strlen(rfc3339) < 19) {
		snprintf(cell, PRINT_CELL_SIZE, "%s", print_or_dash(rfc3339));
		return cell;
	}
	snprintf(cell, PRINT_CELL_SIZE, "%.10s %.8s", rfc3339, rfc3339 + 11);
	return cell;
}

const char *print_member(const json_t *object, const char *name)
{
	return print_or_dash(json_string_value(json_object_get(object, name)));
}

const char *print_policy(char *buffer, size_t size, const json_t *policy)
{
	snprintf(buffer, size, "%s%s", print_member(policy, "name"),
		strcmp(print_member(policy, "mode"), "learn") == 0 ? " (learns)" : "");
	return buffer;
}

uint64_t print_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? (uint64_t)json_integer_value(value)
	       : json_is_real(value)  ? (uint64_t)json_real_value(value)
				      : 0;
}
