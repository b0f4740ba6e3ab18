/* Reading a JSON object that a client sent: each member is asked for by name and type, and what was
 * not asked for is an error. The first error stays, as a sentence with the JSON pointer. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/cleanup.h"
#include "supervisor/wire/api.h"
#include "supervisor/wire/strings.h"

#define FIELDS_MAX 24
#define FIELDS_POINTER_SIZE 128

struct fields {
	const json_t *object;
	char pointer[FIELDS_POINTER_SIZE]; /* of the object: "" or "/limits" */
	struct wire_api_error *error;      /* `code` 0: none yet */
	const char *asked[FIELDS_MAX];
	size_t n_asked;
};

/* Sets the error unless one is set. */
void fields_refuse(struct fields *fields, const char *name, const char *format, ...) _printf_(3, 4);

/* `object` may be NULL (then nothing is there). Refuses what is no object. */
void fields_begin(struct fields *fields, const json_t *object, const char *pointer,
	struct wire_api_error *error);
/* Refuses members that nobody asked for. Returns true if there was no error. */
bool fields_end(struct fields *fields);

/* The member, NULL when absent; any type. `name` must outlive `fields`. */
const json_t *fields_get(struct fields *fields, const char *name);

/* Each returns true, and sets its output, only if the member is there and is right. */
bool fields_string(
	struct fields *fields, const char *name, const char **ret_text, size_t *ret_size);
/* For a fixed field of a message: at most `size - 1` bytes, no control characters. */
bool fields_text(struct fields *fields, const char *name, char *ret_text, size_t size);
bool fields_integer(
	struct fields *fields, const char *name, uint64_t min, uint64_t max, uint64_t *ret_value);
bool fields_boolean(struct fields *fields, const char *name, bool *ret_value);
/* Thousandths of a number, whole or with a fraction, greater than 0 and at most `max`. */
bool fields_thousandths(struct fields *fields, const char *name, const char *unit, uint64_t max,
	uint64_t *ret_value);
/* A whole number of bytes, or text with a unit: "512MiB". */
bool fields_bytes(struct fields *fields, const char *name, uint64_t *ret_bytes);
/* Adds each member of an object of strings as "key=value". `kind` names them in sentences:
 * "label". At most `n_max` members, and strings of `bytes_max` together. */
void fields_pairs(struct fields *fields, const char *name, const char *kind, size_t n_max,
	size_t bytes_max, struct wire_strings *pairs);
