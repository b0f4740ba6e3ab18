#include "tools/cloche/key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/fd.h"

#define KEY_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* Copies the first line of `text`. A key goes into an HTTP header, so nothing else may be in it. */
static int key_take(struct key *key, const char *text, const char *where, struct failure *why)
{
	size_t length = strcspn(text, "\r\n");

	if (length == 0 || length >= sizeof(key->text) || strspn(text, KEY_CHARACTERS) != length)
		return failure_set(why, -EINVAL, "key",
			"What is in %s is no key: one line like clo_1234abcd_… is expected.",
			where);
	memcpy(key->text, text, length);
	key->text[length] = '\0';
	snprintf(key->origin, sizeof(key->origin), "The key came from %s.", where);
	return 0;
}

static int key_read(struct key *key, const char *path, struct failure *why)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = fd_read_file_at(AT_FDCWD, path, 4096, &text, &size);

	if (r < 0)
		return failure_set(
			why, r, "key", "The key file %s cannot be read: %s.", path, strerror(-r));
	return key_take(key, text, path, why);
}

int key_find(struct key *key, const char *file, struct failure *why)
{
	const char *directory = getenv("CLOCHE_STATE_DIR");
	const char *variable = getenv("CLOCHE_KEY");
	struct failure unread = {0};
	char path[4096];
	int r;

	if (file)
		return key_read(key, file, why);
	if (variable && *variable)
		return key_take(key, variable, "$CLOCHE_KEY", why);
	snprintf(path, sizeof(path), "%s/admin.key",
		directory && *directory ? directory : KEY_STATE_DIR);
	r = key_read(key, path, &unread);
	if (r == -EINVAL) {
		if (why)
			*why = unread;
		return r;
	}
	if (r < 0)
		snprintf(key->origin, sizeof(key->origin),
			"No key was found: --key-file is not given, $CLOCHE_KEY is not set, and "
			"%.300s: %s.",
			path, strerror(-r));
	return 0;
}
