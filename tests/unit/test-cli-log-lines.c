/* Lines of a file, whatever pieces it comes in. */
#include "tests/harness/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tools/policy/log/lines.h"

static int file_of(const char *text, size_t size)
{
	int fd = memfd_create("lines", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_INT(write(fd, text, size), (int64_t)size);
	CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

TEST(lines_have_their_feeds_and_the_last_may_have_none)
{
	static const char text[] = "a\n\nbc\0d\nend";
	static const struct {
		const char *line;
		size_t size;
	} rows[] = {{"a\n", 2}, {"\n", 1}, {"bc\0d\n", 5}, {"end", 3}};
	int fd = file_of(text, sizeof(text) - 1);
	struct log_lines lines;
	const char *line;
	size_t size;

	log_lines_init(&lines, fd);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK_INT(log_lines_next(&lines, &line, &size), 1);
		CHECK_INT(size, rows[i].size);
		CHECK(memcmp(line, rows[i].line, size) == 0);
	}
	CHECK_INT(log_lines_next(&lines, &line, &size), 0);
	CHECK_INT(log_lines_next(&lines, &line, &size), 0);
	log_lines_fini(&lines);
	close(fd);
}

/* Lines of growing length meet the end of the buffer everywhere. */
TEST(lines_are_whole_wherever_the_buffer_ends)
{
	size_t n_lines = 3000, size = 0, at = 0;
	char *text = malloc(n_lines * n_lines);
	struct log_lines lines;
	const char *line;
	size_t length;
	int fd;

	CHECK(text != NULL);
	for (size_t i = 0; i < n_lines; i++) {
		memset(text + size, 'a' + (char)(i % 26), i);
		size += i;
		text[size++] = '\n';
	}
	fd = file_of(text, size);
	log_lines_init(&lines, fd);
	for (size_t i = 0; i < n_lines; i++) {
		CHECK_INT(log_lines_next(&lines, &line, &length), 1);
		CHECK_INT(length, i + 1);
		CHECK(memcmp(line, text + at, length) == 0);
		at += length;
	}
	CHECK_INT(log_lines_next(&lines, &line, &length), 0);
	log_lines_fini(&lines);
	close(fd);
	free(text);
}

TEST(line_without_end_is_refused_and_what_cannot_be_read_is_said)
{
	int fd = memfd_create("lines", MFD_CLOEXEC), directory = open("/", O_RDONLY | O_CLOEXEC);
	struct log_lines lines;
	const char *line;
	size_t size;

	CHECK_INT(ftruncate(fd, 3 * LOG_LINE_MAX), 0);
	log_lines_init(&lines, fd);
	CHECK_INT(log_lines_next(&lines, &line, &size), -EMSGSIZE);
	log_lines_fini(&lines);
	log_lines_init(&lines, directory);
	CHECK_INT(log_lines_next(&lines, &line, &size), -EISDIR);
	log_lines_fini(&lines);
	close(fd);
	close(directory);
}
