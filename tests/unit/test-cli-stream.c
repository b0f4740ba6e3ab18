#include "tools/cloche/stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/base/cleanup.h"
#include "tests/harness/check.h"
#include "tools/cloche/call.h"

static int collect(const char *line, size_t size, void *userdata)
{
	snprintf((char *)userdata + strlen(userdata), 256 - strlen(userdata), "<%.*s>", (int)size,
		line);
	return 0;
}

TEST(stream_cuts_lines_wherever_the_bytes_come_apart)
{
	static const char bytes[] = "{\"a\":1}\n\n{\"b\":2}\nrest";

	for (size_t cut = 0; cut <= strlen(bytes); cut++) {
		char seen[256] = "";
		_cleanup_(stream_lines_fini) struct stream_lines lines = {
			.on_line = collect, .userdata = seen};

		CHECK_INT(stream_on_data(bytes, cut, &lines), 0);
		CHECK_INT(stream_on_data(bytes + cut, strlen(bytes) - cut, &lines), 0);
		CHECK_TEXT(seen, "<{\"a\":1}><{\"b\":2}>");
	}
}

/* Feeds one line to a command whose output goes to two memfds; returns the result. */
static int feed(const char *line, char out[64], char err[64])
{
	_cleanup_close_ int out_fd = memfd_create("out", MFD_CLOEXEC);
	_cleanup_close_ int err_fd = memfd_create("err", MFD_CLOEXEC);
	_cleanup_(stream_command_fini) struct stream_command command = {
		.stdout_fd = out_fd, .stderr_fd = err_fd};
	int r = stream_on_command_line(line, strlen(line), &command);
	ssize_t n = pread(out_fd, out, 63, 0);

	out[n > 0 ? n : 0] = '\0';
	n = pread(err_fd, err, 63, 0);
	err[n > 0 ? n : 0] = '\0';
	return r;
}

TEST(stream_writes_each_stream_to_its_own_descriptor)
{
	char out[64], err[64];

	CHECK_INT(feed("{\"type\":\"stdout\",\"data\":\"h\\u00e9\\n\",\"encoding\":\"utf-8\"}", out,
			  err),
		0);
	CHECK_TEXT(out, "hé\n");
	CHECK_TEXT(err, "");
	CHECK_INT(feed("{\"type\":\"stderr\",\"data\":\"/w==\",\"encoding\":\"base64\"}", out, err),
		0);
	CHECK_TEXT(out, "");
	CHECK_TEXT(err, "\xff");
}

TEST(stream_refuses_lines_that_are_not_of_the_protocol)
{
	static const char *const wrong[] = {"", "null", "{}", "{\"type\":3}",
		"{\"type\":\"stdout\"}",
		"{\"type\":\"stdout\",\"data\":\"a\",\"encoding\":\"rot13\"}",
		"{\"type\":\"stdout\",\"data\":\"a\",\"encoding\":\"base64\"}"};
	char out[64], err[64];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (feed(wrong[i], out, err) != -EPROTO)
			CHECK_FAIL("taken: %s", wrong[i]);
	CHECK_INT(feed("{\"type\":\"of a later daemon\"}", out, err), 0);
}

TEST(stream_passes_on_how_a_command_ended)
{
	static const struct {
		const char *end;
		int code;
		const char *word; /* in the sentence; NULL: no sentence */
	} rows[] = {
		{"{\"reason\":\"exited\",\"exit_code\":0,\"signal\":null}", 0, NULL},
		{"{\"reason\":\"exited\",\"exit_code\":7}", 7, NULL},
		{"{\"reason\":\"exited\",\"exit_code\":1,\"pids_limit_hit\":true}", 1, "processes"},
		{"{\"reason\":\"signaled\",\"exit_code\":null,\"signal\":\"SIGSEGV\"}", 139,
			"SIGSEGV"},
		{"{\"reason\":\"signaled\",\"signal\":\"SIGTERM\"}", 143, "SIGTERM"},
		{"{\"reason\":\"timeout\",\"signal\":\"SIGKILL\"}", 124, "timeout"},
		{"{\"reason\":\"oom\",\"signal\":\"SIGKILL\"}", 137, "memory"},
		{"{\"reason\":\"killed\",\"signal\":\"SIGTERM\"}", 143, "request"},
		{"{\"reason\":\"sandbox_ended\",\"signal\":\"SIGKILL\"}", 137, "sandbox ended"},
		{"{}", 125, "did not say"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *end = json_loads(rows[i].end, 0, NULL);
		char sentence[256];

		CHECK_INT(stream_exit_code(end, sentence, sizeof(sentence)), rows[i].code);
		if (rows[i].word ? !strstr(sentence, rows[i].word) : *sentence)
			CHECK_FAIL("%s: \"%s\"", rows[i].end, sentence);
	}
}
