#include "supervisor/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The one process-wide setting: written once by main before anything logs. */
static struct {
	const char *program;
	enum log_level max_level;
	bool journal;
} log_state = {"cloche", LOG_LEVEL_INFO, false};

void log_open(const char *program, enum log_level max_level)
{
	log_state.program = program;
	log_state.max_level = max_level;
	log_state.journal = getenv("JOURNAL_STREAM") != NULL;
}

_printf_(2, 0) static void log_write(enum log_level level, const char *format, va_list arguments)
{
	char line[1024];
	int used = 0, added;

	if (level > log_state.max_level)
		return;
	if (log_state.journal)
		used = snprintf(line, sizeof(line), "<%d>", (int)level);
	used += snprintf(line + used, sizeof(line) - used, "%s: ", log_state.program);
	added = vsnprintf(line + used, sizeof(line) - used - 1, format, arguments);
	if (added < 0)
		return;
	used += added;
	if (used > (int)sizeof(line) - 2)
		used = (int)sizeof(line) - 2;
	line[used++] = '\n';
	/* Nowhere to report a failed write to stderr. */
	if (write(STDERR_FILENO, line, (size_t)used) < 0)
		return;
}

void log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_ERROR, format, arguments);
	va_end(arguments);
}

void log_warning(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_WARNING, format, arguments);
	va_end(arguments);
}

void log_info(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_INFO, format, arguments);
	va_end(arguments);
}

void log_debug(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	log_write(LOG_LEVEL_DEBUG, format, arguments);
	va_end(arguments);
}

void log_failure(const char *context, const struct failure *why)
{
	log_error("%s: %s: %s%s%s%s: %s", context, why->stage, why->sentence,
		why->location[0] ? " (" : "", why->location, why->location[0] ? ")" : "",
		strerror(-why->error));
}
