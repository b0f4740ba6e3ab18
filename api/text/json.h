/* Writing JSON, a member at a time. Commas are set where they belong. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/text/writer.h"

/* `bracket` is '{' or '[', then '}' or ']'. `json_write_open` in a row sets the comma before it. */
void json_write_open(struct writer *writer, char bracket);
void json_write_close(struct writer *writer, char bracket);

/* A member's name in an object; a value follows. */
void json_write_name(struct writer *writer, const char *name);

/* A quoted string. Bytes that are no UTF-8 become U+FFFD. */
void json_write_string(struct writer *writer, const char *bytes, size_t size);
void json_write_base64(struct writer *writer, const void *bytes, size_t size);

/* Members of an object: name and value. */
void json_write_text(struct writer *writer, const char *name, const char *text);
void json_write_text_or_null(struct writer *writer, const char *name, const char *text);
void json_write_number(struct writer *writer, const char *name, uint64_t value);
void json_write_boolean(struct writer *writer, const char *name, bool value);
void json_write_null(struct writer *writer, const char *name);
/* RFC 3339 in UTC with milliseconds. */
void json_write_time(struct writer *writer, const char *name, uint64_t realtime_ns);
