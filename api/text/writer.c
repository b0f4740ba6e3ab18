#include "api/text/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITER_ROOM_MIN 512

void writer_fini(struct writer *writer)
{
	free(writer->bytes);
	*writer = (struct writer){0};
}

char *writer_reserve(struct writer *writer, size_t more)
{
	size_t room = writer->room ? writer->room : WRITER_ROOM_MIN;
	char *larger;

	if (writer->failed)
		return NULL;
	if (writer->room - writer->size >= more)
		return writer->bytes + writer->size;
	while (room - writer->size < more)
		room *= 2;
	larger = realloc(writer->bytes, room);
	if (!larger) {
		writer->failed = true;
		return NULL;
	}
	writer->bytes = larger;
	writer->room = room;
	return writer->bytes + writer->size;
}

void writer_bytes(struct writer *writer, const void *bytes, size_t size)
{
	char *at = size > 0 ? writer_reserve(writer, size) : NULL;

	if (!at)
		return;
	memcpy(at, bytes, size);
	writer->size += size;
}

void writer_text(struct writer *writer, const char *text)
{
	writer_bytes(writer, text, strlen(text));
}

void writer_print(struct writer *writer, const char *format, ...)
{
	va_list arguments;
	char *at = writer_reserve(writer, 128);
	int length;

	if (!at)
		return;
	va_start(arguments, format);
	length = vsnprintf(at, 128, format, arguments);
	va_end(arguments);
	if (length >= 128) {
		at = writer_reserve(writer, (size_t)length + 1);
		if (!at)
			return;
		va_start(arguments, format);
		vsnprintf(at, (size_t)length + 1, format, arguments);
		va_end(arguments);
	}
	if (length > 0)
		writer->size += (size_t)length;
}
