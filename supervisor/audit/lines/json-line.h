/* One JSON line that grows: compact, keys in the order of the calls, text escaped for terminals
 * too. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer that is zero when empty. After memory ran out it is `failed` and takes nothing more. */
struct json_line {
	char *data;
	size_t size_bytes, room_bytes;
	bool failed;
};

void json_line_fini(struct json_line *line);
/* Forgets what lies after `size_bytes` and a failure. */
void json_line_cut(struct json_line *line, size_t size_bytes);

void json_line_raw(struct json_line *line, const char *text);
/* A string. Bytes that are no UTF-8, and NUL, which many readers refuse, become U+FFFD; control
 * characters (C0, DEL, C1) are escaped, so that nobody who prints a log is at the mercy of whoever
 * chose a name in it. */
void json_line_text(struct json_line *line, const char *bytes, size_t size_bytes);
void json_line_number(struct json_line *line, int64_t value);
void json_line_unsigned(struct json_line *line, uint64_t value);
void json_line_value(struct json_line *line, const json_t *value);

/* `,"key":` and a value; the comma is left out after an opening brace or bracket. Keys are ours. */
void json_line_key(struct json_line *line, const char *key);
void json_line_add_text(struct json_line *line, const char *key, const char *text);
/* Text in a fixed field: up to the NUL, if there is one. */
void json_line_add_field(
	struct json_line *line, const char *key, const char *field, size_t size_bytes);
void json_line_add_unsigned(struct json_line *line, const char *key, uint64_t value);
void json_line_add_bool(struct json_line *line, const char *key, bool value);
