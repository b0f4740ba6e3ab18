#include "tools/policy/log/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_BYTES (1 << 18) /* stays in a cache */

void log_lines_init(struct log_lines *lines, int fd)
{
	*lines = (struct log_lines){.fd = fd};
}

/* Moves what is left of the buffer to its front; when that fills it, to a larger one. */
static int make_room(struct log_lines *lines)
{
	size_t left = lines->end - lines->start, room = lines->room;
	char *larger;

	if (left == room) {
		room = room ? room * 2 : ROOM_BYTES;
		if (room > 2 * LOG_LINE_MAX)
			return -EMSGSIZE;
		larger = realloc(lines->buffer, room);
		if (!larger)
			return -ENOMEM;
		lines->buffer = larger;
		lines->room = room;
	}
	memmove(lines->buffer, lines->buffer + lines->start, left);
	lines->start = 0;
	lines->end = left;
	return 0;
}

static int fill(struct log_lines *lines)
{
	int r = lines->start > 0 || lines->end == lines->room ? make_room(lines) : 0;
	ssize_t n;

	if (r < 0)
		return r;
	do
		n = read(lines->fd, lines->buffer + lines->end, lines->room - lines->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	lines->at_end = n == 0;
	lines->end += (size_t)n;
	return 0;
}

int log_lines_next(struct log_lines *lines, const char **ret_line, size_t *ret_size)
{
	size_t seen = 0;

	for (;;) {
		const char *line = lines->buffer + lines->start;
		size_t size = lines->end - lines->start;
		const char *feed = size > seen ? memchr(line + seen, '\n', size - seen) : NULL;
		int r;

		if (feed || lines->at_end) {
			*ret_line = line;
			*ret_size = feed ? (size_t)(feed - line) + 1 : size;
			lines->start += *ret_size;
			return *ret_size > LOG_LINE_MAX ? -EMSGSIZE : *ret_size > 0;
		}
		seen = size;
		r = fill(lines);
		if (r < 0)
			return r;
	}
}

void log_lines_fini(struct log_lines *lines)
{
	free(lines->buffer);
}
