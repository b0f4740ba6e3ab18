/* The daemon's own log: one line per event on stderr, with the priority prefix of sd-daemon(3). */
#pragma once

#include "supervisor/base/cleanup.h"
#include "supervisor/base/failure.h"

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARNING = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* Sets the name before each line and the least important level that is still written. */
void log_open(const char *program, enum log_level max_level);

void log_error(const char *format, ...) _printf_(1, 2);
void log_warning(const char *format, ...) _printf_(1, 2);
void log_info(const char *format, ...) _printf_(1, 2);
void log_debug(const char *format, ...) _printf_(1, 2);

/* Writes "context: stage: sentence (location): errno text" at error level. */
void log_failure(const char *context, const struct failure *why);
