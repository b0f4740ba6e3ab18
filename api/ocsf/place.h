/* Members of a record on their way to attributes of an event. Paths have dots: "process.pid". */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum ocsf_how {
	OCSF_STRING, /* a text that is not empty */
	OCSF_NUMBER, /* a whole number */
	OCSF_TEXT,   /* either, written as text */
};

struct ocsf_place {
	const char *from, *to;
	enum ocsf_how how;
};

/* Moves what is there and has the form that is wanted; the rest stays in the record, and so does
 * what would take a place that is taken. An object that becomes empty goes. */
void ocsf_move(json_t *record, json_t *event, const struct ocsf_place *places, size_t n_places);

/* Sets an attribute; the objects on its path are made. Takes `value` over, also on failure; NULL
 * (out of memory) and a path that leads through something else are failures. */
bool ocsf_put(json_t *event, const char *path, json_t *value);
bool ocsf_put_text(json_t *event, const char *path, const char *text);
/* NUL-terminated path; NULL when absent. Borrowed. */
json_t *ocsf_get(const json_t *object, const char *path);
/* "" when absent or no text. */
const char *ocsf_get_text(const json_t *object, const char *path);
