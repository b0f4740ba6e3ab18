#include "tools/cloche/csv.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void print_text(const char *text)
{
	bool formula = text[0] && strchr("=+-@\t\r", text[0]);

	if (!formula && !strpbrk(text, ",\"\r\n")) {
		fputs(text, stdout);
		return;
	}
	fputs(formula ? "\"'" : "\"", stdout);
	for (; *text; text++)
		printf(*text == '"' ? "\"%c" : "%c", *text);
	putchar('"');
}

static void print_value(const json_t *value)
{
	if (json_is_string(value))
		print_text(json_string_value(value));
	else if (json_is_integer(value))
		printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		printf("%.6f", json_real_value(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "true" : "false", stdout);
}

/* Members of a row or of its usage; `first`: whether a comma comes before. Prints the names, or
 * what `row` has of that name. */
static void print_members(const json_t *form, const json_t *row, bool names, bool *first)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)form, name, value)
	{
		if (json_is_object(value) && strcmp(name, "usage") == 0) {
			print_members(value, json_object_get(row, name), names, first);
			continue;
		}
		if (json_is_object(value) || json_is_array(value) || strcmp(name, "budgets") == 0)
			continue;
		if (!*first)
			putchar(',');
		*first = false;
		if (names)
			print_text(name);
		else
			print_value(json_object_get(row, name));
	}
}

static void print_line(const json_t *form, const json_t *row, bool names)
{
	bool first = true;

	print_members(form, row, names, &first);
	fputs("\r\n", stdout);
}

void csv_print(const json_t *rows)
{
	const json_t *form = json_is_array(rows) ? json_array_get(rows, 0) : rows, *row;
	size_t i;

	if (!form)
		return;
	print_line(form, form, true);
	if (!json_is_array(rows)) {
		print_line(form, form, false);
		return;
	}
	json_array_foreach(rows, i, row) print_line(form, row, false);
}
