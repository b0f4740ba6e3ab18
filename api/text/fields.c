#include "api/text/fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

/* RFC 6901: "~" is written "~0", "/" is written "~1". Long names are cut with "…". */
static void escape_pointer(const char *name, char *text, size_t size)
{
	size_t used = 0;

	for (; *name && used + 8 < size; name++) {
		if (*name == '~' || *name == '/') {
			text[used++] = '~';
			text[used++] = *name == '~' ? '0' : '1';
		} else {
			text[used++] = *name;
		}
	}
	if (*name) {
		while (used > 0 && (text[used - 1] & 0xc0) == 0x80)
			used--;
		if (used > 0 && (text[used - 1] & 0x80))
			used--;
		memcpy(text + used, "…", sizeof("…"));
	} else {
		text[used] = '\0';
	}
}

void fields_refuse(struct fields *fields, const char *name, const char *format, ...)
{
	char escaped[80] = "", sentence[296];
	va_list arguments;

	if (fields->error->code)
		return;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	if (name)
		escape_pointer(name, escaped, sizeof(escaped));
	fields->error->code = WIRE_CODE_INVALID;
	if (name || fields->pointer[0])
		snprintf(fields->error->detail, sizeof(fields->error->detail), "%s%s%s: %s",
			fields->pointer, name ? "/" : "", escaped, sentence);
	else
		snprintf(fields->error->detail, sizeof(fields->error->detail), "%s", sentence);
}

void fields_begin(struct fields *fields, const json_t *object, const char *pointer,
	struct wire_api_error *error)
{
	*fields = (struct fields){.error = error};
	snprintf(fields->pointer, sizeof(fields->pointer), "%s", pointer);
	if (!object)
		return;
	if (json_is_object(object))
		fields->object = object;
	else
		fields_refuse(fields, NULL, "must be a JSON object, not %s", type_name(object));
}

static bool was_asked(const struct fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->n_asked; i++)
		if (strcmp(fields->asked[i], name) == 0)
			return true;
	return false;
}

bool fields_end(struct fields *fields)
{
	char known[256] = "", shown[80];
	const char *name;
	json_t *value;
	size_t used = 0;

	if (!fields->object || fields->error->code)
		return fields->error->code == 0;
	json_object_foreach((json_t *)fields->object, name, value)
	{
		if (was_asked(fields, name))
			continue;
		for (size_t i = 0; i < fields->n_asked && used < sizeof(known); i++)
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
				i ? ", " : "", fields->asked[i]);
		escape_pointer(name, shown, sizeof(shown));
		fields_refuse(
			fields, name, "unknown key \"%s\"; the keys here are %s", shown, known);
		return false;
	}
	return true;
}

const json_t *fields_get(struct fields *fields, const char *name)
{
	if (fields->n_asked < FIELDS_MAX)
		fields->asked[fields->n_asked++] = name;
	return fields->object ? json_object_get(fields->object, name) : NULL;
}

/* NULL when absent or refused. */
static const json_t *get_typed(
	struct fields *fields, const char *name, json_type type, const char *wanted)
{
	const json_t *value = fields_get(fields, name);

	if (!value || json_typeof(value) == type)
		return value;
	fields_refuse(fields, name, "must be %s, not %s", wanted, type_name(value));
	return NULL;
}

bool fields_string(struct fields *fields, const char *name, const char **ret_text, size_t *ret_size)
{
	const json_t *value = get_typed(fields, name, JSON_STRING, "a string");

	if (!value)
		return false;
	*ret_text = json_string_value(value);
	if (ret_size)
		*ret_size = json_string_length(value);
	return true;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

bool fields_text(struct fields *fields, const char *name, char *ret_text, size_t size)
{
	const char *text;
	size_t length;

	if (!fields_string(fields, name, &text, &length))
		return false;
	if (length >= size) {
		fields_refuse(fields, name, "is %zu bytes long; at most %zu are allowed", length,
			size - 1);
		return false;
	}
	if (has_control(text)) {
		fields_refuse(fields, name, "must not hold control characters");
		return false;
	}
	memcpy(ret_text, text, length + 1);
	return true;
}

bool fields_integer(
	struct fields *fields, const char *name, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const json_t *value = get_typed(fields, name, JSON_INTEGER, "a whole number");
	json_int_t number;

	if (!value)
		return false;
	number = json_integer_value(value);
	if (number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
		fields_refuse(fields, name, "must be a whole number from %llu to %llu",
			(unsigned long long)min, (unsigned long long)max);
		return false;
	}
	*ret_value = (uint64_t)number;
	return true;
}

bool fields_boolean(struct fields *fields, const char *name, bool *ret_value)
{
	const json_t *value = fields_get(fields, name);

	if (!value)
		return false;
	if (!json_is_boolean(value)) {
		fields_refuse(fields, name, "must be true or false, not %s", type_name(value));
		return false;
	}
	*ret_value = json_is_true(value);
	return true;
}

bool fields_thousandths(struct fields *fields, const char *name, const char *unit, uint64_t max,
	uint64_t *ret_value)
{
	const json_t *value = fields_get(fields, name);
	double number, thousandths;

	if (!value)
		return false;
	if (!json_is_number(value)) {
		fields_refuse(
			fields, name, "must be a number of %s, not %s", unit, type_name(value));
		return false;
	}
	number = json_number_value(value);
	if (!(number >= 0.001 && number <= (double)max)) {
		fields_refuse(fields, name, "must be a number of %s from 0.001 to %llu", unit,
			(unsigned long long)max);
		return false;
	}
	thousandths = number * 1000.0;
	*ret_value = (uint64_t)(thousandths + 0.5);
	return true;
}

static bool parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t n_digits = strspn(text, "0123456789");
	uint64_t number;

	if (n_digits == 0 || n_digits > 15)
		return false;
	number = strtoull(text, NULL, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(text + n_digits, units[i]) != 0)
			continue;
		if (number == 0 || number > (UINT64_C(1) << 50) >> (10 * i))
			return false;
		*ret_bytes = number << (10 * i);
		return true;
	}
	return false;
}

bool fields_bytes(struct fields *fields, const char *name, uint64_t *ret_bytes)
{
	const json_t *value = fields_get(fields, name);

	if (!value)
		return false;
	if (json_is_integer(value) && json_integer_value(value) > 0 &&
		json_integer_value(value) <= INT64_C(1) << 50) {
		*ret_bytes = (uint64_t)json_integer_value(value);
		return true;
	}
	if (json_is_string(value) && parse_size(json_string_value(value), ret_bytes))
		return true;
	fields_refuse(fields, name,
		"must be a whole number of bytes greater than 0, or text like \"512MiB\" "
		"(B, KiB, MiB, GiB, TiB)");
	return false;
}

static bool add_pair(struct fields *inner, const char *kind, const char *name, const json_t *value,
	struct wire_strings *pairs)
{
	_cleanup_free_ char *pair = NULL;

	if (!json_is_string(value)) {
		fields_refuse(inner, name, "the value of a %s must be a string, not %s", kind,
			type_name(value));
		return false;
	}
	if (!name[0] || strchr(name, '=') || has_control(name)) {
		fields_refuse(inner, name,
			"the name of a %s must not be empty nor hold \"=\" or control characters",
			kind);
		return false;
	}
	if (asprintf(&pair, "%s=%s", name, json_string_value(value)) < 0) {
		pair = NULL;
		return false;
	}
	if (wire_strings_add(pairs, pair) < 0) {
		fields_refuse(inner, name, "this %s is too long", kind);
		return false;
	}
	return true;
}

void fields_pairs(struct fields *fields, const char *name, const char *kind, size_t n_max,
	size_t bytes_max, struct wire_strings *pairs)
{
	const json_t *object = get_typed(fields, name, JSON_OBJECT, "an object of strings");
	size_t size_before = pairs->size;
	struct fields inner;
	const char *key;
	json_t *value;

	if (!object)
		return;
	fields_begin(&inner, object, "", fields->error);
	snprintf(inner.pointer, sizeof(inner.pointer), "%.*s/%s", (int)(sizeof(inner.pointer) / 2),
		fields->pointer, name);
	if (json_object_size(object) > n_max) {
		fields_refuse(fields, name, "holds %zu %ss; at most %zu are allowed",
			json_object_size(object), kind, n_max);
		return;
	}
	json_object_foreach((json_t *)object, key,
		value) if (!add_pair(&inner, kind, key, value, pairs)) return;
	if (pairs->size - size_before > bytes_max)
		fields_refuse(fields, name,
			"all %ss together take %zu bytes; at most %zu are allowed", kind,
			pairs->size - size_before, bytes_max);
}
