/* The tail of a message: a counted row of NUL-terminated strings. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/wire/frame.h"

/* Collects strings for a tail; starts zeroed: `struct wire_strings s = {0}`. */
struct wire_strings {
	char *bytes;
	size_t size, room;
	uint32_t count;
};

/* Appends a copy with its NUL. Returns 0, -E2BIG past WIRE_FRAME_MAX, or -ENOMEM. */
int wire_strings_add(struct wire_strings *strings, const char *text);
void wire_strings_fini(struct wire_strings *strings);

/* True if `bytes` is exactly `count` NUL-terminated strings. */
bool wire_strings_valid(const void *bytes, size_t size, uint32_t count);

/* Walks a checked tail: returns the string at `*cursor` and moves on. */
const char *wire_strings_next(const char **cursor);

/* True if the fixed field holds a NUL. Every char array in a received body must pass it. */
bool wire_text_valid(const char *field, size_t size);
#define WIRE_TEXT_VALID(field) wire_text_valid((field), sizeof(field))
