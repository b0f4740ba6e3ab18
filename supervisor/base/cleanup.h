/* Ownership by attribute: a variable that frees itself, and a way to hand it over. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(text, first) __attribute__((format(printf, text, first)))
#define _unused_ __attribute__((unused))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define _cleanup_free_ _cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

/* Takes the value out of `*fd`, leaving -1: the caller now owns it. */
static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *steal_ptr_(void *pointer)
{
	void *taken = *(void **)pointer;

	*(void **)pointer = NULL;
	return taken;
}

/* Takes the value out of the pointer variable at `pointer`, leaving NULL. */
#define steal_ptr(pointer) ((__typeof__(*(pointer)))steal_ptr_(pointer))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
