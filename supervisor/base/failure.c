#include "supervisor/base/failure.h"

#include <stdarg.h>
#include <stdio.h>

int failure_set(struct failure *why, int error, const char *stage, const char *format, ...)
{
	va_list arguments;

	if (!why)
		return error;
	why->error = error;
	snprintf(why->stage, sizeof(why->stage), "%s", stage);
	why->location[0] = '\0';
	va_start(arguments, format);
	vsnprintf(why->sentence, sizeof(why->sentence), format, arguments);
	va_end(arguments);
	return error;
}

void failure_at(struct failure *why, const char *format, ...)
{
	va_list arguments;

	if (!why)
		return;
	va_start(arguments, format);
	vsnprintf(why->location, sizeof(why->location), format, arguments);
	va_end(arguments);
}
