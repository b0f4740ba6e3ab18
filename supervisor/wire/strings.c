#include "supervisor/wire/strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int wire_strings_add(struct wire_strings *strings, const char *text)
{
	size_t added = strlen(text) + 1;

	if (added > WIRE_FRAME_MAX || strings->size + added > WIRE_FRAME_MAX)
		return -E2BIG;
	if (strings->size + added > strings->room) {
		size_t room = (strings->size + added) * 2;
		char *larger = realloc(strings->bytes, room);

		if (!larger)
			return -ENOMEM;
		strings->bytes = larger;
		strings->room = room;
	}
	memcpy(strings->bytes + strings->size, text, added);
	strings->size += added;
	strings->count++;
	return 0;
}

void wire_strings_fini(struct wire_strings *strings)
{
	free(strings->bytes);
	*strings = (struct wire_strings){0};
}

bool wire_strings_valid(const void *bytes, size_t size, uint32_t count)
{
	const char *next = bytes;

	for (uint32_t i = 0; i < count; i++) {
		const char *end = size ? memchr(next, '\0', size) : NULL;

		if (!end)
			return false;
		size -= (size_t)(end + 1 - next);
		next = end + 1;
	}
	return size == 0;
}

const char *wire_strings_next(const char **cursor)
{
	const char *text = *cursor;

	*cursor += strlen(text) + 1;
	return text;
}

bool wire_text_valid(const char *field, size_t size)
{
	return memchr(field, '\0', size) != NULL;
}
