#include "api/ocsf/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE 64

/* Takes the first name off `*path`, which becomes NULL at its end. Our own paths all fit. */
static void next_name(const char **path, char ret_name[NAME_SIZE])
{
	size_t length = strcspn(*path, ".");

	snprintf(ret_name, NAME_SIZE, "%.*s", (int)length, *path);
	*path = (*path)[length] ? *path + length + 1 : NULL;
}

json_t *ocsf_get(const json_t *object, const char *path)
{
	char name[NAME_SIZE];

	while (path && object) {
		next_name(&path, name);
		object = json_object_get(object, name);
	}
	return (json_t *)object;
}

const char *ocsf_get_text(const json_t *object, const char *path)
{
	const char *text = json_string_value(ocsf_get(object, path));

	return text ? text : "";
}

bool ocsf_put(json_t *event, const char *path, json_t *value)
{
	char name[NAME_SIZE];

	next_name(&path, name);
	while (path) {
		json_t *inner = json_object_get(event, name);

		if (!inner) {
			json_object_set_new(event, name, json_object());
			inner = json_object_get(event, name);
		}
		event = inner;
		next_name(&path, name);
	}
	return json_object_set_new_nocheck(event, name, value) == 0;
}

bool ocsf_put_text(json_t *event, const char *path, const char *text)
{
	return ocsf_put(event, path, json_string(text));
}

/* A new reference, or NULL when it has not the form that is wanted. */
static json_t *converted(json_t *value, enum ocsf_how how)
{
	char digits[24];

	if (json_is_string(value) && how != OCSF_NUMBER && json_string_length(value) > 0)
		return json_incref(value);
	if (!json_is_integer(value) || how == OCSF_STRING)
		return NULL;
	if (how == OCSF_NUMBER)
		return json_incref(value);
	snprintf(digits, sizeof(digits), "%" PRId64, (int64_t)json_integer_value(value));
	return json_string(digits);
}

static void take_away(json_t *record, const char *path)
{
	char outer[NAME_SIZE], name[NAME_SIZE];
	json_t *inner;

	next_name(&path, outer);
	if (!path) {
		json_object_del(record, outer);
		return;
	}
	next_name(&path, name);
	inner = json_object_get(record, outer);
	json_object_del(inner, name);
	if (json_object_size(inner) == 0)
		json_object_del(record, outer);
}

void ocsf_move(json_t *record, json_t *event, const struct ocsf_place *places, size_t n_places)
{
	for (size_t i = 0; i < n_places; i++) {
		json_t *value = ocsf_get(record, places[i].from);

		if (!value || ocsf_get(event, places[i].to))
			continue;
		value = converted(value, places[i].how);
		if (value && ocsf_put(event, places[i].to, value))
			take_away(record, places[i].from);
	}
}
