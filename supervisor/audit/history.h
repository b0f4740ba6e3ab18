/* The checkpoints that were: checkpoints/SSSSSSSSSSSSSSSSSSSS.notes, a file for each segment, one
 * note after the other, an empty line after each. Appended to, and nothing else: what is not there
 * any more is missed by the verifier, by its number. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Appends `text` to the file of `segment`: at `again_bytes`, where an attempt before began, or (-1)
 * after the last whole note, for a crash may have left half of one. Returns how many descriptors
 * are in `ret_fds`, to be synced and closed, and where it began; or -errno, and nothing was
 * appended. */
int history_append(int dir_fd, uint64_t segment, off_t again_bytes, const char *text,
	size_t size_bytes, int64_t *ret_start_bytes, int ret_fds[2]);

/* The last whole note, without the empty line after it; the caller frees. -ENOENT when there is
 * none, -EBADMSG when what is there is no note, other -errno. */
int history_newest(int dir_fd, char **ret_note);
