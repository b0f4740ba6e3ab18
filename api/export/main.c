/* cloche-export: sends audit records to webhooks and to the local syslog. Started by cloched, as a
 * user of its own; confined before it hears of a receiver. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/export/exporter.h"
#include "supervisor/base/cleanup.h"
#include "supervisor/base/fd.h"
#include "supervisor/base/log.h"
#include "supervisor/confine/process.h"

#define CA_BYTES_MAX (4 << 20)

struct options {
	int supervisor_fd, ca_fd;
};

static bool read_options(int argc, char **argv, struct options *options)
{
	*options = (struct options){-1, -1};
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--supervisor-fd") == 0) {
			if (!fd_parse(value, &options->supervisor_fd))
				return false;
		} else if (strcmp(argv[i], "--ca-fd") != 0 || !fd_parse(value, &options->ca_fd)) {
			return false;
		}
	}
	return options->supervisor_fd >= 0;
}

/* The descriptor is shared with those that cloched starts later, so its place in the file is not
 * moved. */
static int read_ca(int fd, char **ret_text, size_t *ret_size)
{
	_cleanup_free_ char *text = NULL;
	struct stat status;
	ssize_t n;

	*ret_size = 0;
	if (fd < 0)
		return 0;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size > CA_BYTES_MAX)
		return -EFBIG;
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	n = pread(fd, text, (size_t)status.st_size, 0);
	if (n < 0)
		return -errno;
	*ret_size = (size_t)n;
	*ret_text = steal_ptr(&text);
	close(fd);
	return 0;
}

static int start(struct loop *loop, const struct options *options, struct failure *why)
{
	_cleanup_free_ char *ca = NULL;
	struct transfers *transfers;
	struct exporter *exporter;
	char host[256] = "";
	size_t ca_size;
	int r = read_ca(options->ca_fd, &ca, &ca_size);

	if (r < 0)
		return failure_set(why, r, "start", "the certificates are not read");
	gethostname(host, sizeof(host) - 1);
	r = transfers_new(loop, ca, ca_size, &transfers);
	if (r < 0)
		return failure_set(why, r, "start", "libcurl does not start");
	fd_set_cloexec(options->supervisor_fd, true);
	r = exporter_new(loop, options->supervisor_fd, transfers, host, &exporter);
	if (r < 0)
		return failure_set(
			why, r, "start", "descriptor %d is no socket", options->supervisor_fd);
	return confine_process(CONFINE_EXPORT, why);
}

int main(int argc, char **argv)
{
	struct options options;
	struct failure why = {0};
	struct loop *loop;
	int r;

	log_open("cloche-export", LOG_LEVEL_INFO);
	if (!read_options(argc, argv, &options)) {
		fputs("usage: cloche-export --supervisor-fd N [--ca-fd N] (started by cloched)\n",
			stderr);
		return EXIT_FAILURE;
	}
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "cloche-export");
	r = loop_new(&loop);
	if (r < 0) {
		log_error("start: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	if (start(loop, &options, &why) < 0) {
		log_failure("start", &why);
		return EXIT_FAILURE;
	}
	r = loop_run(loop);
	return r < 0 ? EXIT_FAILURE : r;
}
