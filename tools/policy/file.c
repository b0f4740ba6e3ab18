#include "tools/policy/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "supervisor/base/fd.h"
#include "supervisor/confine/sandbox-filter.h"
#include "tools/cloche/print.h"

#define STAGE "read policy"

/* Levels count alike there and here: supervisor/core checks it. */
const struct policy_calls policy_file_calls = {confine_call_level, confine_call_name};

static int fail_path(struct failure *why, int error, const char *path)
{
	error = policy_fail_file(why, error);
	failure_at(why, "%s", path);
	return error;
}

/* Standard input not by way of /dev/stdin: whoever may read a pipe may not open it again. */
int policy_file_read_text(const char *path, char **ret_text, size_t *ret_size, struct failure *why)
{
	int r = strcmp(path, "-") == 0
			? fd_read_to_end(STDIN_FILENO, POLICY_FILE_BYTES_MAX, ret_text, ret_size)
			: fd_read_file_at(
				  AT_FDCWD, path, POLICY_FILE_BYTES_MAX, ret_text, ret_size);

	return r < 0 ? fail_path(why, r, path) : 0;
}

static int read_beside(const char *path, char **ret_text, size_t *ret_size)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_free_ char *directory = slash ? strndup(path, (size_t)(name - path)) : strdup(".");
	_cleanup_close_ int fd = -1;

	if (!directory)
		return -ENOMEM;
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno
		      : fd_read_plain_at(fd, name, POLICY_FILE_BYTES_MAX, ret_text, ret_size);
}

int policy_file_read_found(const char *path, char **ret_text, size_t *ret_size, struct failure *why)
{
	int r = read_beside(path, ret_text, ret_size);

	return r < 0 ? fail_path(why, r, path) : 0;
}

/* A base lies beside the file that extends it; its name was checked. */
static int read_base(void *userdata, const char *name, char **ret_text, size_t *ret_size_bytes,
	char **ret_file, struct failure *why)
{
	const char *file = userdata, *slash = strrchr(file, '/');
	int length = slash ? (int)(slash - file) + 1 : 0, r;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%.*s%s.json", length, file, name) < 0) {
		path = NULL;
		return fail_path(why, -ENOMEM, name);
	}
	r = read_beside(path, ret_text, ret_size_bytes);
	if (r == 0)
		*ret_file = steal_ptr(&path);
	return r < 0 && r != -ENOENT ? fail_path(why, r, path) : r;
}

int policy_file_parse(const char *path, const char *text, size_t size, struct policy **ret_policy,
	struct failure *why)
{
	const struct policy_context context = {
		.calls = &policy_file_calls, .read_base = read_base, .userdata = (void *)path};

	return policy_parse(text, size, path, &context, ret_policy, why);
}

int policy_file_put_together(
	const char *path, const char *text, size_t size, char **ret_text, struct failure *why)
{
	const struct policy_context context = {.read_base = read_base, .userdata = (void *)path};

	return policy_put_together(text, size, path, &context, ret_text, why);
}

int policy_file_read(const char *path, struct policy **ret_policy, struct failure *why)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = policy_file_read_text(path, &text, &size, why);

	return r < 0 ? r : policy_file_parse(path, text, size, ret_policy, why);
}

void policy_file_complain(const char *place, const char *kind, const struct failure *why)
{
	char plain_place[PATH_MAX], sentence[4 * sizeof(why->sentence)];

	fprintf(stderr, "%s: %s%s\n",
		print_plain(
			plain_place, sizeof(plain_place), why->location[0] ? why->location : place),
		kind, print_plain(sentence, sizeof(sentence), why->sentence));
}

void policy_file_note_mode(const struct policy *policy)
{
	if (policy->mode == POLICY_MODE_LEARN)
		fprintf(stderr,
			"Policy \"%s\" is in mode \"learn\". This is about the policy as it is "
			"written; while it learns, its bound alone decides.\n",
			policy->name);
}

static int is_policy_entry(const struct dirent *entry)
{
	return policy_is_file_name(entry->d_name);
}

int policy_file_each(
	const char *path, policy_file_callback each, void *userdata, struct failure *why)
{
	struct dirent **entries = NULL;
	struct stat info;
	int n, r = 0;

	if (strcmp(path, "-") != 0 && stat(path, &info) < 0)
		return fail_path(why, -errno, path);
	if (strcmp(path, "-") == 0 || !S_ISDIR(info.st_mode))
		return each(path, policy_file_read_text, userdata);
	n = scandir(path, &entries, is_policy_entry, alphasort);
	if (n < 0)
		return fail_path(why, -errno, path);
	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *whole = NULL;

		if (r == 0)
			r = asprintf(&whole, "%s/%s", path, entries[i]->d_name) < 0
				    ? fail_path(why, -ENOMEM, path)
				    : each(whole, policy_file_read_found, userdata);
		free(entries[i]);
	}
	free(entries);
	return r;
}
