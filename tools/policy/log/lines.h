/* The lines of a file, each in the buffer that it was read into. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LOG_LINE_MAX (16 * 1024 * 1024) /* cloched's are up to 64 KiB */

struct log_lines {
	int fd; /* borrowed */
	char *buffer;
	size_t room, start, end; /* what is read and not given yet */
	bool at_end;
};

void log_lines_init(struct log_lines *lines, int fd);
/* The next line with its LF, if it has one; borrowed until the next call. Returns 1, 0 at the end,
 * -EMSGSIZE (longer than LOG_LINE_MAX), -ENOMEM, -errno of read(2). */
int log_lines_next(struct log_lines *lines, const char **ret_line, size_t *ret_size);
void log_lines_fini(struct log_lines *lines);
