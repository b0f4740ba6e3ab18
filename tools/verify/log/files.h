/* Files that somebody else may have made: regular ones only, read in bounded pieces. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FILES_MAX (1 << 20) /* names in one directory */

/* Opens a regular file for reading. Returns the descriptor, or -errno (-EINVAL: something else). */
int file_open(int dir_fd, const char *path);
/* Reads a whole file of at most `room` bytes. Returns its size, or -errno (-EFBIG: larger). */
ssize_t file_read(int dir_fd, const char *path, void *ret_bytes, size_t room);

/* The numbers N of all files "<N as 20 digits>SUFFIX" in a directory, sorted. The caller frees
 * `*ret_numbers`. Returns how many, or -errno (-E2BIG: more than FILES_MAX). */
ssize_t files_list(int dir_fd, const char *directory, const char *suffix, uint64_t **ret_numbers);

/* Lines of a file, one by one. */
struct lines {
	int fd; /* borrowed */
	char *buffer;
	size_t room, start, end;
	bool at_end;
	uint64_t number; /* of the line read last, from 1 */
};

/* `line_max` bytes is the longest line. Returns 0 or -ENOMEM. */
int lines_init(struct lines *lines, int fd, size_t line_max);
void lines_fini(struct lines *lines);
/* Begins anew with another file. */
void lines_reset(struct lines *lines, int fd);
/* 1: a line, without its line feed, until the next call; 0: the end; -EMSGSIZE: too long; -EBADMSG:
 * the last one has no line feed (it is returned all the same); other -errno. */
int lines_next(struct lines *lines, const char **ret_line, size_t *ret_size);
