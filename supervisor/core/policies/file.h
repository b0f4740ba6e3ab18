/* Writing a policy's file so that a reader, or a crash, finds the old one or the new one whole. */
#pragma once

#include <stddef.h>

/* `name` is a policy's name: letters, digits and '-'. Returns 0 or -errno; then the file is as it
 * was. */
int policy_file_write(const char *directory, const char *name, const char *text, size_t size_bytes);
