/* The functions that a compiler expects to exist even where there is no libc. */
#include "supervisor/init/init.h"

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	uint8_t *next = to;
	const uint8_t *source = from;

	for (size_t i = 0; i < size; i++) {
		next[i] = source[i];
		__asm__ volatile("" ::: "memory"); /* or the loop becomes a call of memcpy */
	}
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	uint8_t *next = to;

	for (size_t i = 0; i < size; i++) {
		next[i] = (uint8_t)byte;
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

int memcmp(const void *left, const void *right, size_t size)
{
	const uint8_t *a = left, *b = right;

	for (size_t i = 0; i < size; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return 0;
}

size_t text_length(const char *text)
{
	size_t length = 0;

	while (text[length]) {
		length++;
		__asm__ volatile("" ::: "memory");
	}
	return length;
}
