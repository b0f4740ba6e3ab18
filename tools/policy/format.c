/* policy fmt: writes files in the one form, so that reviews show what changed and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/base/fd.h"
#include "tools/cloche/call.h"
#include "tools/cloche/print.h"
#include "tools/policy/file.h"
#include "tools/policy/pretty.h"

struct format {
	bool check;
	size_t n_changed, n_failed;
};

/* A reader sees the old file or the new one. */
static int replace(const char *path, const char *text)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	struct stat info;
	int r;

	if (stat(path, &info) < 0)
		return -errno;
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && fchmod(fd, info.st_mode & 07777) < 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

static int give(struct format *format, const char *path, const char *text, const char *pretty)
{
	char plain[PATH_MAX];
	int r = 0;

	if (strcmp(path, "-") == 0 && !format->check) {
		print_verbatim(pretty, strlen(pretty));
		return 0;
	}
	if (strcmp(text, pretty) == 0)
		return 0;
	format->n_changed++;
	printf("%s\n", print_plain(plain, sizeof(plain), path));
	if (!format->check)
		r = replace(path, pretty);
	if (r < 0) {
		print_error("%s cannot be written: %s.", path, strerror(-r));
		format->n_failed++;
	}
	return 0;
}

static int format_file(const char *path, policy_file_reader read, void *userdata)
{
	_cleanup_free_ char *text = NULL, *pretty = NULL;
	struct format *format = userdata;
	struct failure why = {0};
	size_t size = 0;
	int r = read(path, &text, &size, &why);

	if (r == 0)
		r = policy_pretty(text, size, path, &pretty, &why);
	if (r == 0)
		return give(format, path, text, pretty);
	policy_file_complain("", "", &why);
	format->n_failed++;
	return 0;
}

int command_policy_format(struct client *client, const struct arguments *arguments)
{
	struct format format = {.check = arguments_flag(arguments, "check")};

	if (arguments->n_words == 0 || arguments->n_rest)
		return call_misused(client, "policy fmt wants files or directories, or \"-\".");
	for (size_t i = 0; i < arguments->n_words; i++) {
		struct failure why = {0};

		if (policy_file_each(arguments->words[i], format_file, &format, &why) < 0) {
			print_error("%s: %s", why.location, why.sentence);
			format.n_failed++;
		}
	}
	if (format.n_failed)
		return EXIT_CODE_FAILED;
	return format.check && format.n_changed ? EXIT_CODE_FAILED : EXIT_CODE_DONE;
}
