#include "supervisor/core/refusal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int refuse(struct refusal *why, enum wire_api_code code, const char *format, ...)
{
	va_list arguments;

	why->code = code;
	va_start(arguments, format);
	vsnprintf(why->sentence, sizeof(why->sentence), format, arguments);
	va_end(arguments);
	return -ECANCELED;
}
