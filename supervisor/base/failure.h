/* Why something could not be done, in words for a person; fixed size, no allocation. */
#pragma once

#include "supervisor/base/cleanup.h"

struct failure {
	int error;          /* negative errno, 0 when nothing failed */
	char stage[32];     /* what was being done: "mount proc" */
	char sentence[256]; /* what went wrong and what to do */
	char location[128]; /* file, JSON pointer, line; may be empty */
};

/* Fills `why` (may be NULL) and returns `error`, so that a caller can `return failure_set(…)`. */
int failure_set(struct failure *why, int error, const char *stage, const char *format, ...)
	_printf_(4, 5);

/* Names the place of an already set failure. */
void failure_at(struct failure *why, const char *format, ...) _printf_(2, 3);
