/* Reading, writing and moving file descriptors. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Writes all of `data`, retrying short writes and EINTR. Returns 0 or -errno. */
int fd_write_all(int fd, const void *data, size_t size_bytes);

/* Reads to the end into a NUL-terminated heap string. Returns 0, -EFBIG past `max_bytes`, -errno.
 */
int fd_read_to_end(int fd, size_t max_bytes, char **ret_text, size_t *ret_size_bytes);

/* Reads a whole small file below `dir_fd` (AT_FDCWD: the current directory) into a NUL-terminated
 * heap string. Returns 0, -EFBIG past `max_bytes`, or -errno. */
int fd_read_file_at(
	int dir_fd, const char *path, size_t max_bytes, char **ret_text, size_t *ret_size_bytes);

/* The same of a file that is a stranger's to choose: a plain one that lies, with all symbolic links
 * on the way, inside `dir_fd`. -EXDEV: it leads out; -EINVAL: it is a FIFO, a device, a directory.
 */
int fd_read_plain_at(
	int dir_fd, const char *path, size_t max_bytes, char **ret_text, size_t *ret_size_bytes);

/* Writes `text` to an existing file below `dir_fd` in one write(2), as kernel files want it. */
int fd_write_file_at(int dir_fd, const char *path, const char *text);

/* Reads an unsigned decimal number from the start of a file. Returns 0, -EINVAL, or -errno. */
int fd_read_number_at(int dir_fd, const char *path, uint64_t *ret_value);

/* The number of a descriptor on a command line, NULL if there is none; false if it is no number. */
bool fd_parse(const char *text, int *ret_fd);
int fd_set_nonblocking(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* mkdir -p for the last component only: makes `path` with `mode` if absent, checks that it is a
 * directory. Returns 0 or -errno. */
int fd_make_dir_at(int dir_fd, const char *path, mode_t mode);
