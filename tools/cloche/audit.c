/* audit export: a range of the audit log, as it comes, into a file or a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "supervisor/base/fd.h"
#include "tools/cloche/events.h"
#include "tools/cloche/print.h"

struct output {
	const char *path; /* NULL: standard output */
	char partial[4096];
	int fd;
};

static int output_open(struct output *output, const char *path, struct failure *why)
{
	output->path = path;
	output->fd = STDOUT_FILENO;
	if (!path)
		return 0;
	if (snprintf(output->partial, sizeof(output->partial), "%s.partial", path) >=
		(int)sizeof(output->partial))
		return failure_set(why, -ENAMETOOLONG, "output", "The file's name is too long.");
	output->fd =
		open(output->partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (output->fd < 0)
		return failure_set(why, -errno, "output", "%s cannot be written: %s.",
			output->partial, strerror(errno));
	return 0;
}

/* The file has its name only when all is in it. */
static int output_close(struct output *output, bool whole, struct failure *why)
{
	int r = 0;

	if (!output->path)
		return 0;
	if (whole && (fsync(output->fd) < 0 || rename(output->partial, output->path) < 0))
		r = failure_set(why, -errno, "output", "%s cannot be written: %s.", output->path,
			strerror(errno));
	close(output->fd);
	if (!whole || r < 0)
		unlink(output->partial);
	return r;
}

static int on_data(const char *data, size_t size, void *userdata)
{
	const struct output *output = userdata;

	return fd_write_all(output->fd, data, size);
}

static int transfer(const struct client *client, const char *path, struct output *output)
{
	_cleanup_(http_answer_fini) struct http_answer answer = {0};
	struct http_request request = {.method = "GET",
		.path = path,
		.accept = "application/x-ndjson",
		.on_data = on_data,
		.userdata = output,
		.interrupt_fd = -1};
	struct failure why = {0};
	int r = http_send(client->http, &request, &answer, &why);

	if (r < 0 && !why.sentence[0])
		failure_set(&why, r, "audit", "What came cannot be written: %s.", strerror(-r));
	if (r < 0)
		return call_failed(client, &why);
	return answer.status >= 300 ? call_refused(client, &answer) : EXIT_CODE_DONE;
}

int command_audit_export(struct client *client, const struct arguments *arguments)
{
	char path[CALL_PATH_SIZE] = "/v1/audit", number[32];
	struct output output = {.fd = -1};
	struct failure why = {0};
	double after = 0;
	int code, r;

	if (arguments->n_words || arguments->n_rest)
		return call_misused(client, "audit export takes options only.");
	r = arguments_number(arguments, "after", 0, &after, &why);
	if (r < 0)
		return call_failed(client, &why);
	snprintf(number, sizeof(number), "%.0f", after);
	if ((r > 0 && call_query(path, "after", number) < 0) ||
		events_add_filters(path, arguments) < 0 ||
		call_query(path, "format", arguments_text(arguments, "format")) < 0)
		return call_misused(client, "The options are too long.");
	if (output_open(&output, arguments_text(arguments, "output"), &why) < 0)
		return call_failed(client, &why);
	code = transfer(client, path, &output);
	if (output_close(&output, code == EXIT_CODE_DONE, &why) < 0)
		return call_failed(client, &why);
	return code;
}
