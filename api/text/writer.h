/* Text that grows at its end: answers, streams and metrics are written into it.
 *
 * A failed allocation is remembered and what follows is dropped, so that a caller checks `failed`
 * once, at the end. Starts zeroed: `struct writer writer = {0}`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervisor/base/cleanup.h"

struct writer {
	char *bytes;
	size_t size, room;
	bool failed;
};

void writer_fini(struct writer *writer);

/* Makes room for `more` bytes and returns where they go, NULL when there is no memory. The caller
 * adds what it used to `size`. */
char *writer_reserve(struct writer *writer, size_t more);

void writer_bytes(struct writer *writer, const void *bytes, size_t size);
void writer_text(struct writer *writer, const char *text);
void writer_print(struct writer *writer, const char *format, ...) _printf_(2, 3);
