/* The one way in which a policy file is written: keys in the order of the language, tabs, lists of
 * short values on one line. What the file says stays as it is. */
#pragma once

#include <stddef.h>

#include "supervisor/base/failure.h"

/* `text` is any JSON document without duplicate keys. `*ret_text` is the caller's to free. Returns
 * 0, -EINVAL with a sentence and "file:line:column", -ENOMEM. */
int policy_pretty(
	const char *text, size_t size, const char *file, char **ret_text, struct failure *why);
